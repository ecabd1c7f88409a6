# SPDX-License-Identifier: Apache-2.0
"""Two remits, each as a separate process: what ends at one ends at the other, pushed and polled."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gateways.remit_up import Remit, furnished
from tests.servers.ports import free_port

#: Longest wait for a signal to arrive; nothing is concluded from how long it took.
ARRIVES_S = 180

SENDER = """
trust: {{plain_loopback: true}}
signals:
  send:
    branch:
      audience: branch
      agents: ["*"]
      people: true
      push: {{url: "{branch}/ssf/push/head", token: "Bearer env:BETWEEN"}}
"""
RECEIVER = """
trust: {{plain_loopback: true}}
signals:
  receive:
    head:
      issuer: "{head}"
      audience: branch
      push_token: "Bearer env:BETWEEN"
      subjects: {{names: true}}
      on: {{session-revoked: [end-tasks]}}
"""
SECRET = {"BETWEEN": "between-the-two"}


def opened(remit: Remit) -> str:
    """Open a task of note-bot as ana."""
    words = ("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=shopping")
    return str(remit.ask(*words, by="ana")["id"])


def until(reached: Callable[[], bool], remit: Remit) -> None:
    """Wait for something to be so."""
    end = time.monotonic() + ARRIVES_S
    while not reached():
        assert time.monotonic() < end, remit.log.read_text()
        time.sleep(0.1)


def state(remit: Remit, task: str) -> str:
    """Return the state of a task."""
    return str(remit.ask("task", "show", task)["state"])


@pytest.mark.slow
def test_what_ends_at_one_ends_at_the_other(tmp_path: Path) -> None:
    """Also what ended while the other was away, and though the first was killed before it could tell."""
    ports = free_port(), free_port()
    head_url, branch_url = (f"http://127.0.0.1:{port}" for port in ports)
    with (
        furnished(
            tmp_path / "head", port=ports[0], more=SENDER.format(branch=branch_url), env=SECRET
        ) as head,
        furnished(
            tmp_path / "branch", port=ports[1], more=RECEIVER.format(head=head_url), env=SECRET
        ) as branch,
    ):
        there = opened(branch)
        here = opened(head)
        head.ask("end", here, "--reason", "enough")
        until(lambda: state(branch, there) == "revoked", branch)
        shown = branch.ask("task", "show", there)
        assert "head" in shown["end_reason"]
        # The other one is away; what happens meanwhile arrives when it is back.
        there = opened(branch)
        branch.stop()
        head.ask("end", opened(head))
        assert head.process is not None
        head.process.send_signal(signal.SIGKILL)
        head.process.wait(60)
        head.start(port=ports[0])
        branch.start(port=ports[1])
        until(lambda: state(branch, there) == "revoked", branch)
        assert branch("audit", "verify").code == 0
