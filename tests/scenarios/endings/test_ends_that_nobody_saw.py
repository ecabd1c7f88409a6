# SPDX-License-Identifier: Apache-2.0
"""Threat: an end that was cut short, or that ran elsewhere, is taken for one that was seen."""

import asyncio
import os
import sys
from collections.abc import Mapping
from unittest import mock

import pytest

from remit.adapters.runtime.system import SystemEntropy
from remit.adapters.upstream.bounds import BufferBound
from remit.adapters.upstream.mcp.stdio import McpStdio
from remit.adapters.upstream.mcp.task_processes import ProcessBroker, TaskProcesses
from remit.adapters.upstream.processes import marks as marked
from remit.adapters.upstream.processes.supervisor import ChildProcess
from remit.core.errors import KeyUnavailable
from remit.ports.broker import Probe, UpstreamCredential
from tests.gateways.task_program_gateway import PROGRAM
from tests.namespaces import needs_namespaces
from tests.worlds.database_roles import wanted

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

#: Programs are found by it on the whole machine: other tests run beside this one.
LEASE = f"lse_{os.getpid()}"


def processes() -> TaskProcesses:
    """Return an upstream whose programs are started for one task each."""

    def make(env: Mapping[str, str], _: tuple[str, ...] = ()) -> McpStdio:
        return McpStdio(
            "crm",
            PROGRAM,
            entropy=SystemEntropy(),
            bound=BufferBound(1 << 20),
            env=env,
            grace_s=0.1,
            lease_s=60,
        )

    return TaskProcesses("crm", make({}), make, limit=8)


async def test_an_end_whose_caller_gives_up_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller hears that it gave up; until the end was seen, the probe does not say refused; the next try
    waits for the same end.
    """
    of, go_on = processes(), asyncio.Event()
    broker, stopped = ProcessBroker(of), ChildProcess.stop

    async def slow(child: ChildProcess, patience_s: float) -> None:
        await go_on.wait()
        await stopped(child, patience_s)

    await of.run(LEASE, {})
    monkeypatch.setattr(ChildProcess, "stop", slow)
    held = UpstreamCredential(lease=LEASE, handle=broker.trace())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await broker.revoke(held)
    # What carries the mark is not all that a program can have started.
    with mock.patch("remit.adapters.upstream.mcp.task_processes.marked", return_value=[]):
        assert await broker.probe(held) is Probe.UNREACHABLE
    again = asyncio.create_task(broker.revoke(held))
    await asyncio.sleep(0.1)
    assert not again.done()
    go_on.set()
    await again
    assert await broker.probe(held) is Probe.REFUSED


async def test_an_end_of_a_process_that_is_being_buried_waits_for_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It ended by itself: what comes behind its end is not cut short."""
    of, go_on, burying = processes(), asyncio.Event(), asyncio.Event()
    reaped = ChildProcess._reap

    async def slow(child: ChildProcess) -> int:
        burying.set()
        await go_on.wait()
        return await reaped(child)

    await of.run(LEASE, {})
    monkeypatch.setattr(ChildProcess, "_reap", slow)
    marked.kill_marked(LEASE)
    await burying.wait()
    ending = asyncio.create_task(of.end(LEASE))
    await asyncio.sleep(0.1)
    assert (ending.done(), of.unsure) == (False, {LEASE})
    go_on.set()
    await ending


HERE = {"machine": "m1", "boot": "b1", "namespace": "1"}


@pytest.mark.parametrize(
    ("there", "enclosed", "says"),
    [
        (HERE, True, "dead"),
        (HERE, False, "indeterminate"),
        (HERE | {"boot": "b0", "namespace": "7"}, False, "dead"),
        (HERE | {"namespace": "7"}, True, "indeterminate"),
        (HERE | {"machine": "m2", "boot": "b2"}, True, "indeterminate"),
        (HERE | {"machine": "m2", "boot": "b2"}, False, "indeterminate"),
        ({"boot": "b2", "namespace": "1"}, True, "indeterminate"),
        ({}, False, "indeterminate"),
    ],
)
async def test_of_what_an_earlier_run_has_left_only_what_was_seen_is_dead(
    monkeypatch: pytest.MonkeyPatch, there: Mapping[str, str], enclosed: bool, says: str
) -> None:
    """Another machine, another PID namespace of this machine, or an unrecorded place: nothing is seen from
    here. After a reboot of the same machine all programs are dead.
    """
    monkeypatch.setattr("remit.adapters.upstream.processes.marks.place", lambda: dict(HERE))
    broker = ProcessBroker(processes())
    handle = {**there, **({"run": "before"} if there else {}), **({"enclosed": "yes"} if enclosed else {})}
    left = UpstreamCredential(lease=LEASE, handle=handle)
    if says == "dead":
        await broker.revoke(left)
        assert await broker.probe(left) is Probe.REFUSED
        return
    with pytest.raises(KeyUnavailable) as refused:
        await broker.revoke(left)
    assert refused.value.code == says
    assert await broker.probe(left) is Probe.UNREACHABLE


async def test_of_an_enclosed_program_the_first_process_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that is ending carries no mark any more, and the rest of its namespace may still run."""
    monkeypatch.setattr(marked, "_PAUSES_S", (0.005,))
    broker, first = ProcessBroker(processes()), await asyncio.create_subprocess_exec("/bin/sleep", "600")
    handle = {**broker.trace(), "run": "before", "enclosed": marked.identity(first.pid)}
    left = UpstreamCredential(lease=LEASE, handle=handle)
    try:
        with pytest.raises(KeyUnavailable) as refused:
            await broker.revoke(left)
        assert refused.value.code == "process-left"
        assert await broker.probe(left) is Probe.ACCEPTED
    finally:
        first.kill()
    await first.wait()
    await broker.revoke(left)
    assert await broker.probe(left) is Probe.REFUSED


async def test_a_first_process_that_ends_late_has_ended() -> None:
    """On a busy machine, what was killed goes on until it has a processor to end with."""
    broker, first = ProcessBroker(processes()), await asyncio.create_subprocess_exec("/bin/sleep", "600")
    handle = {**broker.trace(), "enclosed": marked.identity(first.pid)}
    asyncio.get_running_loop().call_later(0.1, first.kill)
    await broker.revoke(UpstreamCredential(lease=LEASE, handle=handle))
    assert await first.wait() != 0


@needs_namespaces
async def test_which_process_is_the_first_is_kept() -> None:
    """A later run of remit has it from the lease."""
    of = processes()
    given = await ProcessBroker(of).obtain(wanted(LEASE))
    assert marked.runs(given.handle["enclosed"])
    await of.stop()
    assert not marked.runs(given.handle["enclosed"])
