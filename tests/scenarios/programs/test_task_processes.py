# SPDX-License-Identifier: Apache-2.0
"""Threat: a program with a task's credential in its environment outlives the task.

Whatever the program does, whichever process is killed or stopped, every process of it is gone, and the
closure states after how long.
"""

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from remit.adapters.upstream.processes.marks import marked
from remit.core.errors import KeyUnavailable, UpstreamUnreachable
from tests.gateways.task_program_gateway import ProcessGateway, lease_at
from tests.namespaces import guard_of, parent
from tests.servers.authorization_server import Authorities, server

__all__ = ["server"]
Json = Any

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and PR_SET_CHILD_SUBREAPER"),
]


@pytest.fixture
def gateway(tmp_path: Path, server: Authorities) -> Iterator[ProcessGateway]:
    """A gateway whose `crm` is a program that gets a token of that server."""
    with ProcessGateway(tmp_path, lease_at(server)) as made:
        yield made


def alive(pid: int) -> bool:
    """Whether a process runs: one that is dead but not yet taken in by its parent does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def alone(program: int, pids: list[int]) -> bool:
    """Whether these are a program, its guard, and what stands between."""
    return program in pids and set(pids) <= {program, parent(program), guard_of(program)}


def leases_of(closure: Json) -> dict[str, Json]:
    """Return what a closure says of leases, by kind."""
    return {one["kind"]: one for one in closure["closings"] if one["lease"]}


def test_a_process_serves_one_task_with_the_credential_of_that_task(
    gateway: ProcessGateway, server: Authorities
) -> None:
    """In its environment, on no command line, and not in what the agent is told; one for all its calls."""
    _, token = gateway.open()
    first, again = gateway.do(token, "length"), gateway.do(token, "length")
    (text,) = server.tokens
    assert first == again
    assert first["length"] == len(text)
    (pids,) = gateway.processes().values()
    assert first["pid"] in pids
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert text.encode() not in place.read_bytes()
        except OSError:
            continue
    shown = gateway.do(token, "show")
    assert shown["token"] == "[credential removed]"
    assert text not in str(shown["argv"])


def test_two_tasks_have_two_processes(gateway: ProcessGateway, server: Authorities) -> None:
    """And the end of one leaves the other's alone."""
    task, token = gateway.open()
    _, other = gateway.open()
    mine, theirs = gateway.do(token, "length")["pid"], gateway.do(other, "length")["pid"]
    assert mine != theirs
    assert len(server.tokens) == 2
    gateway.closed_up(task)
    assert not alive(mine)
    assert gateway.do(other, "length")["pid"] == theirs


def test_the_closure_lists_process_and_credential(gateway: ProcessGateway, server: Authorities) -> None:
    """Both dead, each after so many milliseconds, tried at its own sink; `who` showed both before."""
    task, token = gateway.open()
    pid = gateway.do(token, "length")["pid"]
    session = gateway.session()
    held = gateway.remit("who", task, session=session, env={"COLUMNS": "160"}).stdout
    assert "holds process for process of crm" in held
    assert "holds oauth-token" in held
    closure = gateway.closed_up(task)
    assert closure["closed"]
    found = leases_of(closure)
    assert set(found) == {"process", "oauth-token"}
    assert found["process"]["name"] == "process of crm"
    for one in found.values():
        assert 0 < one["revoked_after_ms"] <= one["refused_after_ms"]
    assert not alive(pid)
    assert marked(found["process"]["lease"]) == []
    assert all(one.is_revoked() for one in server.tokens.values())


def test_what_a_program_leaves_behind_dies_with_its_task(tmp_path: Path, server: Authorities) -> None:
    """It ignores SIGTERM, and has left a process with another parent, session and group that does so too."""
    with ProcessGateway(tmp_path, lease_at(server), "stubborn") as gateway:
        task, token = gateway.open()
        told = gateway.do(token, "fork_twice")
        assert alive(told["orphan"])
        closure = gateway.closed_up(task)
        assert closure["closed"]
        assert not alive(told["pid"])
        assert not alive(told["orphan"])


def test_a_child_that_outlives_its_parent_dies_before_the_next_one_starts(gateway: ProcessGateway) -> None:
    """The program ends in the middle of a call: what it left is killed, and the next call gets another
    process, with the same credential.
    """
    _, token = gateway.open()
    first = gateway.do(token, "length")
    with pytest.raises(UpstreamUnreachable) as fault:
        gateway.do(token, "fork_and_die")
    assert fault.value.sent

    def served() -> bool:
        return any(pid != first["pid"] for pids in gateway.processes().values() for pid in pids)

    gateway.eventually(lambda: not alive(first["pid"]) and served())
    again: Json = {}

    def answers() -> bool:
        try:
            again.update(gateway.do(token, "length"))
        except UpstreamUnreachable:
            return False
        return True

    gateway.eventually(answers)
    assert again["pid"] != first["pid"]
    assert again["length"] == first["length"]
    (pids,) = gateway.processes().values()
    # Guard and program, and nothing that the first one left.
    assert alone(again["pid"], pids)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_program_that_disposes_of_its_guard_gains_nothing(
    gateway: ProcessGateway, number: signal.Signals
) -> None:
    """Killed or stopped: what carries the lease's mark is found and killed at the end."""
    task, token = gateway.open()
    told = gateway.do(token, "fork_twice")
    guard = guard_of(told["pid"])
    os.kill(guard, number)
    closure = gateway.closed_up(task)
    for pid in (guard, told["pid"], told["orphan"]):
        assert not alive(pid)
    assert closure["closed"]


def test_a_stop_ends_every_process(tmp_path: Path, server: Authorities) -> None:
    """In order, with nothing left to the next start."""
    with ProcessGateway(tmp_path, lease_at(server)) as gateway:
        _, token = gateway.open()
        pid = gateway.do(token, "fork_twice")["pid"]
    assert not alive(pid)
    assert [one.is_revoked() for one in server.tokens.values()] == [True]


@pytest.mark.slow
def test_there_are_only_so_many(tmp_path: Path, server: Authorities) -> None:
    """One more is refused and its credential goes back; the end of another task makes room."""
    with ProcessGateway(tmp_path, lease_at(server), max_processes=1) as gateway:
        task, token = gateway.open()
        gateway.do(token, "length")
        waiting, other = gateway.open()
        with pytest.raises(KeyUnavailable, match="1 processes, which is the limit"):
            gateway.do(other, "length")
        gateway.closed_up(task)
        gateway.do(other, "length")
        gateway.closed_up(waiting)
        gateway.eventually(lambda: all(one.is_revoked() for one in server.tokens.values()))


def test_a_source_that_is_down_starts_no_process(gateway: ProcessGateway, server: Authorities) -> None:
    """The call is refused, and nothing runs for the task."""
    task, token = gateway.open()
    server.stop()
    with pytest.raises(KeyUnavailable, match="does not answer"):
        gateway.do(token, "length")
    assert gateway.processes() == {}
    server.start()
    gateway.do(token, "length")
    assert gateway.closed_up(task)["closed"]


def test_a_program_that_does_not_start_refuses_the_call(tmp_path: Path, server: Authorities) -> None:
    """Nothing of it is left, and the credential goes back when the task ends."""
    lease = lease_at(server) | {"env": {"API_TOKEN": "{token}", "PYTHONHOME": "/nowhere"}}
    with ProcessGateway(tmp_path, lease) as gateway:
        task, token = gateway.open()
        with pytest.raises(KeyUnavailable, match="ended with status"):
            gateway.do(token, "length")
        assert gateway.closed_up(task)["closed"]
        gateway.eventually(lambda: gateway.processes() == {})
        assert all(one.is_revoked() for one in server.tokens.values())


@pytest.mark.slow
def test_a_process_without_a_credential_can_serve_one_task_too(tmp_path: Path) -> None:
    """What it keeps in memory, no other task meets."""
    with ProcessGateway(tmp_path, None, per_task=True) as gateway:
        task, token = gateway.open()
        _, other = gateway.open()
        pids = {gateway.do(one, "length")["pid"] for one in (token, other)}
        assert len(pids) == 2
        closure = gateway.closed_up(task)
        assert set(leases_of(closure)) == {"process"}
        assert closure["closed"]


def test_a_standing_secret_in_its_environment_is_scrubbed_and_told_of(tmp_path: Path) -> None:
    """No agent sees it; `who` says that it ends with no task."""
    with (
        mock.patch.dict(os.environ, {"CRM_TOKEN": "standing-s3cret"}),
        ProcessGateway(tmp_path, None, per_task=True, env={"API_TOKEN": "env:CRM_TOKEN"}) as gateway,
    ):
        task, token = gateway.open()
        assert gateway.do(token, "length")["length"] == len("standing-s3cret")
        told = gateway.remit("who", task, session=gateway.session(), env={"COLUMNS": "160"}).stdout
        assert "standing secret for" in told
        assert "holds process for" in told
        assert gateway.do(token, "show")["token"] == "[credential removed]"
        assert gateway.closed_up(task)["closed"]


@pytest.mark.slow
def test_a_program_of_all_tasks_tells_no_agent_its_secret(tmp_path: Path) -> None:
    """The same where one process serves all of them."""
    with (
        mock.patch.dict(os.environ, {"CRM_TOKEN": "standing-s3cret"}),
        ProcessGateway(tmp_path, None, env={"API_TOKEN": "env:CRM_TOKEN"}) as gateway,
    ):
        _, token = gateway.open()
        assert gateway.do(token, "show")["token"] == "[credential removed]"


def test_an_idle_program_is_ended_with_its_credential_and_the_next_call_gets_others(
    tmp_path: Path, server: Authorities
) -> None:
    """A credential in an unused program is one that only a thief uses. The closure reports that."""
    with ProcessGateway(tmp_path, lease_at(server), process_idle_s=1) as gateway:
        task, token = gateway.open()
        first = gateway.do(token, "length")["pid"]
        (text,) = server.tokens
        gateway.eventually(lambda: not alive(first) and server.tokens[text].is_revoked())
        second = gateway.do(token, "length")["pid"]
        assert second != first
        assert len(server.tokens) == 2
        closure = gateway.closed_up(task)
        assert closure["closed"]
        (told,) = [one["name"] for one in closure["closings"] if one["kind"] == "idle-process"]
        assert re.fullmatch(rf"[12] of {task}", told)
        assert all(one.is_revoked() for one in server.tokens.values())
        gateway.eventually(lambda: not alive(second))


@pytest.mark.slow
def test_a_program_that_works_is_not_idle(tmp_path: Path, server: Authorities) -> None:
    """However long its call takes: it is the one that answers."""
    with ProcessGateway(tmp_path, lease_at(server), process_idle_s=1) as gateway:
        _, token = gateway.open()
        told = gateway.do(token, "nap")
        assert told["pid"]
        assert len(server.tokens) == 1
