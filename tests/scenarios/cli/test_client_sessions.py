# SPDX-License-Identifier: Apache-2.0
"""One client session is one task over all its servers.

The threat: each server of a client has a separate task, so that a chain over two servers is never seen, and
ending the task of one leaves the other at work; or, the other way round, two clients or two users share one.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.tasks.task import TaskState
from tests.clients.desktop import PATIENCE_S, Desktop
from tests.clients.relay_processes import relays, shims
from tests.gateways.live_gateway import LiveGateway

Json = Any

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads processes in /proc")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    """One gateway for all."""
    with LiveGateway(tmp_path_factory.mktemp("gateway")) as one:
        yield one


@pytest.fixture
def before(gateway: LiveGateway) -> set[str]:
    """The tasks of earlier tests."""
    return {task.id for task in gateway.tasks()}


def opened(gateway: LiveGateway, before: set[str]) -> list[Json]:
    """Return the tasks since then."""
    return [task for task in gateway.tasks() if task.id not in before]


def until(true: Any) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.05)


def run_folder(gateway: LiveGateway) -> Path:
    """Return the folder of the sessions' sockets."""
    return Path(gateway.environment()["HOME"]) / ".local" / "state" / "remit" / "run"


def test_servers_that_start_at_once_share_one_task_and_one_relay(
    gateway: LiveGateway, before: set[str]
) -> None:
    """A client starts four servers at the same moment: one task, one relay; each shim is served."""
    with Desktop(gateway) as client:
        said = client.ask(all=[{"open": client.entry(name)} for name in "abcd"])
        assert said == {"ok": [["list_notes"]] * 4}
        assert len(opened(gateway, before)) == 1
        assert len(relays(client.pid)) == 1
        assert not any(client.ask(call=[name, "list_notes", {}])["ok"][0] for name in "abcd")
        client.close()
    until(lambda: [task.state for task in opened(gateway, before)] == [TaskState.COMPLETED])
    until(lambda: not relays(client.pid))
    assert [path.name for path in run_folder(gateway).iterdir()] == ["shims.lock"]


def test_ending_the_task_ends_every_server_of_the_client(gateway: LiveGateway, before: set[str]) -> None:
    """`remit end` reaches all of it, and no server of that client opens another task."""
    with Desktop(gateway) as client:
        client.open("a")
        client.open("b")
        (task,) = opened(gateway, before)
        gateway.end(task.id)
        for name in "ab":
            said = client.ask(call=[name, "list_notes", {}])
            assert "fault" in said or said["ok"][0]
        assert len(opened(gateway, before)) == 1


def test_the_task_lasts_until_the_last_server_is_gone(gateway: LiveGateway, before: set[str]) -> None:
    """One server that the client restarts does not end the session; the last one does, and then a new one
    begins.
    """
    with Desktop(gateway) as client:
        client.open("a")
        client.open("b")
        assert client.ask(close="a") == {"ok": None}
        client.open("c")
        assert [task.state for task in opened(gateway, before)] == [TaskState.ACTIVE]
        client.ask(close="b")
        client.ask(close="c")
        until(lambda: [task.state for task in opened(gateway, before)] == [TaskState.COMPLETED])
        assert client.open("d") == {"ok": ["list_notes"]}
        assert len(opened(gateway, before)) == 2


def test_two_clients_at_once_have_two_tasks(gateway: LiveGateway, before: set[str]) -> None:
    """Each client has its own; so has an entry of one client that opens its task in another way."""
    with Desktop(gateway) as one, Desktop(gateway) as other:
        one.open("a")
        other.open("a")
        assert len(opened(gateway, before)) == 2
        one.open("b", "--intent", "something else")
        assert len(opened(gateway, before)) == 3


def test_a_launcher_between_client_and_shim_does_not_separate_them(
    gateway: LiveGateway, before: set[str]
) -> None:
    """A server that is started through a shell is of the same client."""
    with Desktop(gateway) as client:
        client.open("a")
        name, *words = client.entry("b")
        line = " ".join(words)
        assert client.ask(open=[name, "sh", "-c", f"{line}; exit $?"]) == {"ok": ["list_notes"]}
        assert len(opened(gateway, before)) == 1


def test_a_killed_shim_is_only_one_shim(gateway: LiveGateway, before: set[str]) -> None:
    """The first shim's death leaves the others at work; it is not the relay."""
    with Desktop(gateway) as client:
        client.open("a")
        (first,) = shims(client.pid)
        client.open("b")
        os.kill(first, signal.SIGKILL)
        assert client.ask(call=["b", "list_notes", {}])["ok"][0] is False
        assert client.open("c") == {"ok": ["list_notes"]}
        assert len(opened(gateway, before)) == 1


def test_a_killed_relay_is_followed_by_another(gateway: LiveGateway, before: set[str]) -> None:
    """Its shims end; the server that the client starts again gets a new relay, in a new task."""
    with Desktop(gateway) as client:
        client.open("a")
        (relay,) = relays(client.pid)
        os.kill(relay, signal.SIGKILL)
        until(lambda: not shims(client.pid))
        assert client.open("b") == {"ok": ["list_notes"]}
        assert len(opened(gateway, before)) == 2


def test_a_stranger_is_not_served(gateway: LiveGateway, before: set[str]) -> None:
    """A process outside the client that finds the socket is sent away, and the session goes on."""
    with Desktop(gateway) as client:
        client.open("a")
        (address,) = run_folder(gateway).glob("*.sock")
        there = Path.cwd()
        os.chdir(address.parent)
        try:
            with socket.socket(socket.AF_UNIX) as stranger:
                stranger.connect(address.name)
                with open(os.devnull, "r+b") as null:
                    socket.send_fds(stranger, [b"notes\n"], [null.fileno()] * 3)
                stranger.settimeout(PATIENCE_S)
                assert stranger.recv(1) != b"+"
        finally:
            os.chdir(there)
        assert client.ask(call=["a", "list_notes", {}])["ok"][0] is False
        assert len(opened(gateway, before)) == 1


def test_a_session_that_cannot_begin_says_why_and_leaves_nothing(gateway: LiveGateway) -> None:
    """The refusal of the relay is the shim's, with its exit code; the folder is as before."""
    words = ("--agent", "note-bot", "--task", "no-such-task", "--alone", "--upstream", "notes")
    done = gateway.remit("connect", *words, input="")
    assert done.returncode == 2
    assert "no-such-task" in done.stderr
    assert {path.name for path in run_folder(gateway).iterdir()} <= {"shims.lock"}


def test_a_folder_that_others_can_enter_is_refused(gateway: LiveGateway, tmp_path: Path) -> None:
    """A socket there could be anyone's: no shim is opened, and the message names the command."""
    folder = tmp_path / "remit" / "run"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    words = ("--agent", "note-bot", "--task", "sweep", "--alone", "--upstream", "notes")
    env = {"XDG_STATE_HOME": str(tmp_path), "XDG_RUNTIME_DIR": ""}
    done = gateway.remit("connect", *words, input="", env=env)
    assert done.returncode == 3
    assert f"chmod 700 {folder}" in done.stderr
