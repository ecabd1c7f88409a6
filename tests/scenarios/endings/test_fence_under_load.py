# SPDX-License-Identifier: Apache-2.0
"""An end while thirty-two loops hammer the gateway: after it returned nothing passes, whatever was ended."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.http_line import Line
from tests.gateways.gateway_process import GatewayProcess, Refused, gateway_process
from tests.samples.evidence_reading import permits

Json = Any

LOOPS = 32
#: What is ended, by the name that the endpoint of `end` takes; a task's name is its id.
SCOPES = {
    "task": "",
    "agent": "mail-bot",
    "owner": "lena",
    "tool": "mail/send",
    "upstream": "mail",
    "everything": "",
}


class Hammer:
    """Loops that send mails with one token, one connection each."""

    def __init__(self, gateway: GatewayProcess, token: str, name: str) -> None:
        self.gateway = gateway
        self.token = token
        self.name = name
        self.lines: list[Line] = []
        self.passed = 0
        self.refused = 0
        self.codes: set[str] = set()
        self.ended = False
        #: Loops whose answer lay in their socket when the end returned: that one came before.
        self.earlier: set[int] = set()
        self.late: list[str] = []
        self._stop = False

    async def loop(self, me: int) -> None:
        """Send until told to stop; a loop that is refused goes on all the same."""
        line, count = self.lines[me], 0
        while not self._stop:
            count += 1
            subject = f"{self.name}/{me}/{count}"
            told = await self.gateway.send(line, self.token, subject)
            if told.result is None:
                self.refused += 1
                self.codes.add(told.code)
            else:
                self.passed += 1
                if self.ended and me not in self.earlier:
                    self.late.append(subject)
            self.earlier.discard(me)

    async def until(self, reached: Callable[[], bool]) -> None:
        """Let the loops run until they have come that far."""
        async with asyncio.timeout(60):
            while not reached():  # noqa: ASYNC110 - the loops have better to do than to notify
                await asyncio.sleep(0.01)

    async def run(self, kind: str, name: str, path: str = "/api/v1/end") -> tuple[Json, int]:
        """Hammer, end meanwhile, and go on hammering; gives the closure and when the end had returned."""
        self.lines = [await Line.to(self.gateway.port) for _ in range(LOOPS)]
        loops = [asyncio.create_task(self.loop(me)) for me in range(LOOPS)]
        await self.until(lambda: self.passed >= 2 * LOOPS)
        closure = await self.gateway.ask("POST", path, {"kind": kind, "name": name}, by="root")
        returned = time.monotonic_ns()
        # Nothing is awaited between the end's return and this look.
        self.ended, self.earlier = True, {me for me, line in enumerate(self.lines) if line.pending()}
        refused = self.refused
        await self.until(lambda: self.refused >= refused + 4 * LOOPS)
        self._stop = True
        await asyncio.gather(*loops)
        for line in self.lines:
            line.close()
        return closure, returned


async def end_under_load(
    gateway: GatewayProcess, kind: str, name: str, path: str = "/api/v1/end"
) -> tuple[str, str, Json]:
    """Hammer and end once; gives the task, its token and the closure."""
    task, token = await gateway.open_task()
    hammer = Hammer(gateway, token, f"{kind}-{task}")
    closure, returned = await hammer.run(kind, name or task, path)
    assert hammer.late == []
    assert hammer.codes
    assert hammer.codes <= {"fenced", "task-ended"}, hammer.codes
    events = await gateway.events(task=task)
    decided = {event["call"]: event["values"]["arguments"]["subject"] for event in permits(events)}
    indeterminate = {decided[one["decision"]] for one in closure["indeterminate"]}
    late = {mail["subject"] for mail in gateway.outbox() if mail["monotonic_ns"] > returned}
    assert late <= indeterminate
    # None of their answers was released: the evidence does not know how they ended. It is written behind the
    # answer, so it may not be there yet.
    outcomes: dict[str, str] = {}
    async with asyncio.timeout(60):
        while not indeterminate <= outcomes.keys():
            called = await gateway.events(kinds="tool.called", task=task)
            outcomes = {decided[event["call"]]: event["facts"]["outcome"] for event in called}
    assert {outcomes[subject] for subject in indeterminate} <= {"unknown"}
    assert closure["closed"]
    return task, token, closure


async def check_dead(gateway: GatewayProcess, token: str) -> None:
    """The token is refused at every endpoint."""
    with contextlib.closing(await Line.to(gateway.port)) as line:
        assert (await gateway.mcp(line, token, "tools/list")).status in (401, 403)
        assert (await gateway.send(line, token, "after")).result is None
    with pytest.raises(Refused) as refused:
        await gateway.ask("GET", "/api/v1/me", token=token)
    assert refused.value.status == 401


async def check_works(gateway: GatewayProcess) -> None:
    """A task that is opened now works: an end is not a lock."""
    task, token = await gateway.open_task()
    with contextlib.closing(await Line.to(gateway.port)) as line:
        assert (await gateway.send(line, token, f"works {task}")).result is not None


async def test_after_an_end_returned_no_call_passes(tmp_path: Path) -> None:
    """Whatever was ended: the task, its agent, its owner, the tool, the upstream, or everything."""
    async with gateway_process(tmp_path) as gateway:
        for kind, name in SCOPES.items():
            task, token, closure = await end_under_load(gateway, kind, name)
            if kind in ("tool", "upstream"):
                # A tool serves many tasks: its calls are refused, the tasks live on.
                assert closure["tasks"] == []
                with contextlib.closing(await Line.to(gateway.port)) as line:
                    assert (await gateway.mcp(line, token, "tools/list")).result is not None
                await gateway.ask("POST", "/api/v1/end", {"name": task}, by="root")
            else:
                assert task in closure["tasks"]
            await check_dead(gateway, token)
            await check_works(gateway)
        report = await gateway.verified()
        assert report.holds, report.faults


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["agent", "everything"])
async def test_what_is_locked_opens_no_task_until_it_is_unlocked(tmp_path: Path, kind: str) -> None:
    """A lock ends under load as an end does, and stays shut, past a `kill -9` too."""
    async with gateway_process(tmp_path) as gateway:
        _, token, _ = await end_under_load(gateway, kind, SCOPES[kind], "/api/v1/lock")
        with pytest.raises(Refused):
            await gateway.open_task()
        if kind == "agent":
            await gateway.open_task(agent="other-bot")
        await gateway.kill()
        await gateway.start()
        with pytest.raises(Refused):
            await gateway.open_task()
        await check_dead(gateway, token)
        await gateway.ask("POST", "/api/v1/unlock", {"kind": kind, "name": SCOPES[kind]}, by="root")
        await check_dead(gateway, token)
        await check_works(gateway)


@pytest.mark.slow
async def test_fifty_ends_in_a_row_hold(tmp_path: Path) -> None:
    """The same, many times, so that rare orders of events come up."""
    async with gateway_process(tmp_path) as gateway:
        for _ in range(50):
            await end_under_load(gateway, "task", "")
