# SPDX-License-Identifier: Apache-2.0
"""Threat: a program forks faster than its guard kills, and outlives its task; the closure calls it dead."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from remit.adapters.upstream.processes import supervisor as supervise
from remit.cli.doctor.checks import _ends_of_programs
from tests.gateways.task_program_gateway import ProcessGateway, lease_at
from tests.namespaces import guard_of, needs_namespaces
from tests.servers.authorization_server import Authorities, server

__all__ = ["server"]
Json = Any

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and PR_SET_CHILD_SUBREAPER"),
]
#: `off` takes the namespace away too: the guard counts.
WAYS = [pytest.param("where-possible", marks=needs_namespaces), "off"]


def named(name: str) -> list[int]:
    """Return the processes with a word on their command line."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if name.encode() in place.read_bytes().split(b"\0"):
                found.append(int(place.parent.name))
        except OSError:
            continue
    return found


def kill_named(name: str) -> None:
    """Clean up what a test has left on purpose."""
    end_s = time.monotonic() + 60
    while left := named(name):
        assert time.monotonic() < end_s
        for pid in left:
            # The others of a chain may kill it, or go with it, meanwhile.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def process_of(closure: Json) -> Json:
    """Return what a closure says of the program."""
    (found,) = [one for one in closure["closings"] if one["kind"] == "process"]
    return found


def why(gateway: ProcessGateway, task: str) -> str:
    """Return why a task's program is still open."""
    held = [one for one in gateway.services.credentials.leases.of(task=task) if one["kind"] == "process"]
    return str(held[0]["why"]) if held else ""


@pytest.mark.slow
@pytest.mark.parametrize("how", WAYS)
def test_a_chain_of_forks_is_dead_when_the_closure_says_so(
    tmp_path: Path, server: Authorities, how: str
) -> None:
    """Seventy processes below each other, without mark, session or group of the program."""
    with ProcessGateway(tmp_path, lease_at(server), "stubborn", apart=how) as gateway:
        task, token = gateway.open()
        name = gateway.do(token, "chain")["left"]
        assert len(named(name)) == 71
        try:
            closure = gateway.closed_up(task)
            assert closure["closed"]
            assert named(name) == []
        finally:
            kill_named(name)


@needs_namespaces
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_an_enclosed_chain_dies_with_a_guard_that_was_cut_short(
    tmp_path: Path, server: Authorities, number: signal.Signals
) -> None:
    """The kernel ends all of a namespace with its first process; that was seen, so the closure says dead."""
    with ProcessGateway(tmp_path, lease_at(server), "stubborn") as gateway:
        task, token = gateway.open()
        told = gateway.do(token, "chain")
        os.kill(guard_of(told["pid"]), number)
        closure = gateway.closed_up(task)
        assert closure["closed"]
        assert named(told["left"]) == []


@pytest.mark.slow
def test_of_a_counted_chain_whose_guard_was_cut_short_nobody_says_that_it_is_dead(
    tmp_path: Path, server: Authorities
) -> None:
    """It carries no mark: looking for one shows nothing. The closure says `indeterminate`, and stays open."""
    with ProcessGateway(tmp_path, lease_at(server), "stubborn", apart="off") as gateway:
        task, token = gateway.open()
        told = gateway.do(token, "chain")
        try:
            os.kill(guard_of(told["pid"]), signal.SIGKILL)
            found = process_of(gateway.left_open(task))
            assert named(told["left"])
            assert found["refused_after_ms"] is None
            assert found["revoked_after_ms"] is None
            gateway.eventually(lambda: why(gateway, task) == "indeterminate")
        finally:
            kill_named(told["left"])


@pytest.mark.slow
def test_a_guard_that_does_not_get_done_is_not_taken_for_one_that_did(
    tmp_path: Path, server: Authorities
) -> None:
    """remit kills a guard that takes too long; what the guard had not killed by then is indeterminate."""
    with (
        mock.patch.object(supervise, "_LEASED_GUARD_S", -100),
        ProcessGateway(tmp_path, lease_at(server), "stubborn", apart="off") as gateway,
    ):
        task, token = gateway.open()
        told = gateway.do(token, "chain")
        try:
            found = process_of(gateway.left_open(task))
            assert found["refused_after_ms"] is None
            gateway.eventually(lambda: why(gateway, task) == "indeterminate")
        finally:
            kill_named(told["left"])


@needs_namespaces
def test_an_enclosed_program_that_is_never_the_same_for_long_does_not_flee(
    tmp_path: Path, server: Authorities
) -> None:
    """It forks and ends faster than a process could look for it; the kernel does not need to look."""
    with ProcessGateway(tmp_path, lease_at(server), "stubborn") as gateway:
        task, token = gateway.open()
        name = gateway.do(token, "flee")["left"]
        closure = gateway.closed_up(task)
        assert closure["closed"]
        assert not any(named(name) for _ in range(100))


@pytest.mark.slow
def test_of_a_counted_one_the_closure_says_no_more_than_what_is_so(
    tmp_path: Path, server: Authorities
) -> None:
    """Whether the guard catches it is a race. Where it says that nothing is left, nothing is."""
    with ProcessGateway(tmp_path, lease_at(server), "stubborn", apart="off") as gateway:
        task, token = gateway.open()
        name = gateway.do(token, "flee")["left"]
        closure = gateway.closed_up(task)
        if closure["closed"]:
            assert not any(named(name) for _ in range(100))
        else:
            assert process_of(closure)["detail"].startswith("still open")


@pytest.mark.parametrize(("can", "state", "word"), [(True, "ok", "PID namespace"), (False, "note", "counts")])
def test_doctor_says_which_way_the_machine_gives(can: bool, state: str, word: str) -> None:
    """And what can be done where it gives the lesser one."""
    with mock.patch("remit.compose.programs.encloses", return_value=can):
        look = _ends_of_programs()
    assert (look.state, word in look.says, bool(look.remediation)) == (state, True, not can)
