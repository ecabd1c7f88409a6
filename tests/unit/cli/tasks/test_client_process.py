# SPDX-License-Identifier: Apache-2.0
"""Which process is the client of a shim, and which name its session gets."""

import os
from pathlib import Path

import pytest

from remit.cli.tasks import client_process, session_shim
from remit.cli.tasks.client_process import Process, client_of, descends_from, look_up
from remit.cli.tasks.session_shim import Request, requested, runtime_folder, session_name

OURS = ("connect", "--upstream", "notes")
LINE = "remit connect --agent a --upstream notes"


class Machine:
    """Processes by id, as the system shows them."""

    def __init__(self, *processes: Process) -> None:
        self.processes = {one.pid: one for one in processes}

    def look_up(self, pid: int) -> Process | None:
        """Return a process."""
        return self.processes.get(pid)


def process(pid: int, parent: int, *words: str, uid: int = 7, started: str = "10") -> Process:
    """Return a process."""
    return Process(pid, parent, uid, started, words)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A client in a shell, with a shim that it started through another shell."""
    one = Machine(
        process(2, 1, "-bash"), process(3, 2, "claude"), process(4, 3, "/bin/sh", "-c", LINE),
        process(5, 4, *LINE.split()), process(6, 3, *LINE.split()),
    )  # fmt: skip
    monkeypatch.setattr(client_process, "look_up", one.look_up)
    return one


def test_the_client_is_the_parent_behind_launchers(machine: Machine) -> None:
    """A shell that carries the command is a launcher; the shell of the person is not, nor is a client."""
    assert client_of(5, OURS) == client_of(6, OURS) == machine.processes[3]
    machine.processes[3] = process(3, 2, "bash", "-c", "claude")
    assert client_of(6, OURS) == machine.processes[3]
    inline = "{'command': 'remit', 'args': ['connect', '--upstream', 'notes']}"
    machine.processes[3] = process(3, 2, "claude", "--mcp-config", inline)
    assert client_of(6, OURS) == machine.processes[3]


def test_a_client_that_cannot_be_told_is_none(machine: Machine) -> None:
    """A parent that is gone, or of another user, is no client."""
    machine.processes[3] = process(3, 2, "claude", uid=0)
    assert client_of(6, OURS) is None
    del machine.processes[3]
    assert client_of(6, OURS) is None
    assert client_of(99, OURS) is None


def test_a_process_id_that_is_used_again_is_another_client(machine: Machine) -> None:
    """The start time tells them apart, for the relay and in the name of the session."""
    client = machine.processes[3]
    assert descends_from(5, client, relay=7)
    assert not descends_from(2, client, relay=7)
    machine.processes[3] = process(3, 2, "claude", started="11")
    assert not descends_from(5, client, relay=7)


def test_a_server_that_the_relay_brought_up_is_not_the_clients(machine: Machine) -> None:
    """The relay may start remit, and that its servers: all of them descend from the client."""
    machine.processes |= {
        one.pid: one for one in (process(7, 6, LINE), process(8, 7, "remit", "up"), process(9, 8, "a-server"))
    }
    assert descends_from(6, machine.processes[3], relay=7)
    assert not descends_from(9, machine.processes[3], relay=7)


def test_a_session_is_one_client_in_one_way(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The upstream does not count; the client, its start, the words, the folder and the settings do."""
    monkeypatch.setattr(os, "getpid", lambda: 6)
    first = session_name(Request("notes", ["--agent", "a"]), "/srv")
    assert session_name(Request("git", ["--agent", "a"]), "/srv") == first
    others = [
        session_name(Request("notes", ["--agent", "b"]), "/srv"),
        session_name(Request("notes", ["--agent", "a"]), "/tmp"),
    ]
    monkeypatch.setenv("REMIT_URL", "https://other.example.org")
    others.append(session_name(Request("notes", ["--agent", "a"]), "/srv"))
    monkeypatch.delenv("REMIT_URL")
    machine.processes[3] = process(3, 2, "claude", started="11")
    others.append(session_name(Request("notes", ["--agent", "a"]), "/srv"))
    assert len({first, *others}) == 5


def test_this_process_is_seen_as_the_system_shows_it() -> None:
    """Both ways to ask the system give the same process."""
    own = look_up(os.getpid())
    assert own is not None
    assert (own.parent, own.uid) == (os.getppid(), os.getuid())
    assert look_up(0) is None
    assert look_up(2**22 + 1) is None
    if Path("/bin/ps").exists():
        other = client_process._by_ps(os.getpid())
        assert (other.parent, other.uid, other.words[0]) == (own.parent, own.uid, own.words[0])


@pytest.mark.parametrize(
    ("argv", "upstream"),
    [
        (["connect", "--upstream", "a", "--alone"], "a"), (["connect", "--alone", "--upstream=a"], "a"),
        (["connect", "--alone"], ""), (["connect", "--upstream", "a", "--http"], ""), (["connect"], ""),
        (["run", "--upstream", "a"], ""), (["connect", "--upstream", "a", "--help"], ""), ([], ""),
        (["connect", "--upstream", "x" * 300], ""),
    ],
)  # fmt: skip
def test_only_a_server_over_standard_streams_is_a_shim(argv: list[str], upstream: str) -> None:
    """Everything else is the command itself."""
    found = requested(argv)
    assert (found.upstream if found else "") == upstream


def test_the_folder_of_the_sockets_is_the_users_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runtime folder if it is private, else the state folder; a link or an open folder is refused."""
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert runtime_folder() == str(runtime / "remit")
    runtime.chmod(0o755)
    assert runtime_folder() == str(tmp_path / "state" / "remit" / "run")
    own = tmp_path / "state" / "remit" / "run"
    own.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    own.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(session_shim.ShimFault, match="chmod 700"):
        runtime_folder()
