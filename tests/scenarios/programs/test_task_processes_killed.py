# SPDX-License-Identifier: Apache-2.0
"""remit is killed, or stopped, while a program holds a task's credential: the program is gone with it."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateways.remit_up import Remit, until
from tests.gateways.task_program_gateway import PROGRAM
from tests.namespaces import guard_of, needs_namespaces, outside
from tests.refusals import own_failure
from tests.servers.authorization_server import CLIENT, SECRET, Authorities, authorities

Json = Any

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and PR_SET_CHILD_SUBREAPER"),
]

#: Stops and ends wait long for credentials to be dead: on a busy machine a source is late.
PATIENT = {"closure_wait_s": 20}
TOOLS = """
upstream: notes
tools:
  do:
    effect: none
    audience: self
    labels: {class: internal, trust: trusted}
    arguments: {word: {role: selector}}
"""
TASK = """
task: tidy-note
purpose: Tidy up
run_by: [note-bot]
requested_by: [group:writers]
grants:
  - tool: notes/do
    arguments: {word: {anything: {}}}
"""


@pytest.fixture
def server() -> Iterator[Authorities]:
    """The authorization server."""
    with authorities() as made:
        yield made


@pytest.fixture(params=[{"process_lease_s": 300}])
def remit(tmp_path: Path, server: Authorities, request: pytest.FixtureRequest) -> Iterator[Remit]:
    """A served folder whose upstream is a stubborn program that gets a token for each task, and is ended when
    remit has not run for `process_lease_s`.
    """
    made = Remit(tmp_path / "house")
    made.folder.mkdir()
    assert made("init", ".").code == 0
    lease = {
        "oauth": {
            "token_url": f"{server.url}/token",
            "revoke_url": f"{server.url}/revoke",
            "introspect_url": f"{server.url}/introspect",
            "client_id": CLIENT,
            "client_secret": "env:CRM_CLIENT_SECRET",
        },
        "env": {"API_TOKEN": "{token}"},
    }
    notes = {"command": [*PROGRAM, "stubborn"], "lease": lease, **request.param}
    (made.folder / "remit.yaml").write_text(json.dumps({"upstreams": {"notes": notes}, "limits": PATIENT}))
    (made.folder / "tools" / "notes.yaml").write_text(TOOLS)
    (made.folder / "tasks" / "tidy-note.yaml").write_text(TASK)
    made.env["CRM_CLIENT_SECRET"] = SECRET
    made.start()
    made.enter()
    assert made("person", "add", "ana", "--group", "writers").code == 0
    made.sign_in("ana")
    assert made("agent", "register", "note-bot", "--owner", "ana", "--purpose", "tidies").code == 0
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.send_signal(signal.SIGCONT)
        made.stop()


def alive(pid: int) -> bool:
    """Whether a process runs: one that is dead but not yet taken in by its parent does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def begun(remit: Remit) -> tuple[str, list[int]]:
    """Open a task and have its program leave an orphan behind; gives the task, and both processes."""
    task = str(remit.ask("task", "open", "tidy-note", "--agent", "note-bot", by="ana")["id"])
    while True:
        told = remit.call(task, "do", {"word": "fork_twice"})
        # On a busy machine remit may not have run for as long as its program's lease: then there is another.
        if not own_failure(told):
            found = outside(told["result"]["structuredContent"])
            return task, [found["pid"], found["orphan"]]


def test_a_killed_remit_leaves_no_program(remit: Remit, server: Authorities) -> None:
    """`kill -9`: its guard kills it and what it left behind. The next start closes what was left open; the
    task goes on with another process, and another credential where the first was lost with remit.
    """
    task, pids = begun(remit)
    assert all(map(alive, pids))
    remit.stop(signal.SIGKILL)
    until(lambda: not any(map(alive, pids)))
    remit.start()
    until(lambda: [one.is_revoked() for one in server.tokens.values()] == [True])
    other = outside(remit.call(task, "do", {"word": "length"})["result"]["structuredContent"])["pid"]
    assert other not in pids
    assert remit.stop() == 0
    assert not alive(other)
    assert [one.is_revoked() for one in server.tokens.values()] == [True, True]


@needs_namespaces
def test_a_killed_remit_whose_guard_is_killed_too_leaves_no_enclosed_program(remit: Remit) -> None:
    """The kernel kills all of the program's namespace. The next remit sees that the guard is gone, which
    shows it, and closes the lease.
    """
    task, pids = begun(remit)
    remit_process = remit.process
    assert remit_process is not None
    os.kill(remit_process.pid, signal.SIGSTOP)
    os.kill(guard_of(pids[0]), signal.SIGKILL)
    until(lambda: not any(map(alive, pids)))
    remit.stop(signal.SIGKILL)
    remit.start(port=remit.port)
    until(lambda: not open_of(remit, task))


@pytest.mark.slow
@pytest.mark.parametrize("remit", [{"process_lease_s": 300, "apart": "off"}], indirect=True)
def test_a_killed_remit_whose_guard_is_killed_too_leaves_no_counted_one_to_the_next_start(
    remit: Remit,
) -> None:
    """No process is left to kill the orphan: the next remit finds it by its mark. It does not claim that no
    process without a mark is left.
    """
    task, (pid, orphan) = begun(remit)
    guard = guard_of(pid)
    assert remit.process is not None
    os.kill(remit.process.pid, signal.SIGSTOP)
    os.kill(guard, signal.SIGKILL)
    until(lambda: not alive(pid))
    assert alive(orphan)
    remit.stop(signal.SIGKILL)
    remit.start(port=remit.port)
    until(lambda: not alive(orphan))
    until(lambda: [one["why"] for one in open_of(remit, task)] == ["indeterminate"])
    (lease,) = [one["lease"] for one in remit.ask("lease", "list")["items"] if one["kind"] == "process"]
    closing = "lease", "close", lease, "the guard's machine was looked through"
    assert "operator" in remit(*closing, by="ana").err
    assert "closed by" in remit(*closing).out
    assert open_of(remit, task) == []


def open_of(remit: Remit, task: str) -> Json:
    """Return what `who` says of a task's process."""
    return [one for one in remit.ask("who", task)["leases"] if one["kind"] == "process"]


@pytest.mark.parametrize("remit", [{"process_lease_s": 4}], indirect=True)
def test_a_stopped_remit_keeps_no_program_running(remit: Remit) -> None:
    """SIGSTOP: no one can end the task, so its program does not outlive the lease that remit renews; when
    remit goes on, the task does too.
    """
    task, pids = begun(remit)
    assert remit.process is not None
    os.kill(remit.process.pid, signal.SIGSTOP)
    until(lambda: not any(map(alive, pids)))
    os.kill(remit.process.pid, signal.SIGCONT)

    def answered() -> bool:
        return not own_failure(remit.call(task, "do", {"word": "length"}))

    until(answered)
    assert remit.ask("end", task, "--prove")["closed"]
