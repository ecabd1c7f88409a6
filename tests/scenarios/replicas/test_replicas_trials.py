# SPDX-License-Identifier: Apache-2.0
"""Ends while replicas are stopped, killed and cut from the store under load, over and over.

The upstream is the witness. After each end: no permit stands in the evidence behind the fence, every mail
that went out after the end had returned is on the closure's list, and no answer of one was released.
"""

import asyncio
import contextlib
import functools
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.clients.http_line import Line
from tests.gateways.gateway_process import Refused
from tests.gateways.several_replicas import Replica, Replicas, replicas
from tests.samples.evidence_reading import permits
from tests.servers.postgres_server import PostgresServer

pytestmark = pytest.mark.long

Json = Any
T = TypeVar("T")

#: Tasks that are used and ended under one fault, each a separate trial, and loops that use each.
TASKS, LOOPS = 5, 2
#: What becomes of one replica while another ends the task; a kill is rare, for it takes long to start again.
#: Where it is stopped and a third one dies, answers of that one's may lie there.
FATES = (
    "nothing",
    "stopped",
    "stopped",
    "stopped",
    "cut off",
    "cut off",
    "killed",
    "stopped, one dies",
)


class Ended:
    """One task, loops that use it through all replicas, and one end."""

    def __init__(self, world: Replicas, dice: random.Random, name: str) -> None:
        self.world = world
        self.dice = dice
        self.name = name
        self.task = self.token = ""
        self.closure: Json = {}
        self.returned_ns = self.mended_ns = 0
        self.late_answers: list[str] = []
        self._going = True
        self._loops: list[asyncio.Task[None]] = []

    async def open(self, one: Replica) -> None:
        """Open the task, and begin to use it."""
        self.task, self.token = await insist(one.open_task, AssertionError)
        self._loops = [asyncio.create_task(self._loop(number)) for number in range(LOOPS)]

    async def end(self, one: Replica) -> None:
        """End the task at some moment."""
        await asyncio.sleep(self.dice.choice((0.0, 0.005, 0.02, 0.2)))
        asked = {"kind": "task", "name": self.task}
        self.closure = await insist(lambda: one.ask("POST", "/api/v1/end", asked, by="root"))
        self.returned_ns = time.monotonic_ns()

    async def stop(self) -> None:
        """Use it no more."""
        self._going = False
        await asyncio.gather(*self._loops)

    def judge(self, events: list[Json], outbox: list[Json]) -> None:
        """Hold what happened against the closure."""
        fence = max(
            event["index"]
            for event in events
            if event["kind"] == "fence.raised" and event["facts"]["scope"] == f"task:{self.task}"
        )
        granted = [event for event in permits(events) if event["task"] == self.task]
        assert all(event["index"] < fence for event in granted), "a call was permitted after the end"
        decided = {event["call"]: event["values"]["arguments"]["subject"] for event in granted}
        listed = {
            decided[each["decision"]] for each in self.closure["indeterminate"] if each["decision"] in decided
        }
        mine = [mail for mail in outbox if mail["subject"].startswith(f"{self.name}/")]
        late = {mail["subject"] for mail in mine if mail["monotonic_ns"] > self.returned_ns}
        assert late <= listed, (late - listed, self.closure)
        assert self.late_answers == []
        assert {mail["subject"] for mail in mine} <= set(decided.values())

    async def _loop(self, me: int) -> None:
        count = 0
        while self._going:
            one = self.dice.choice(self.world.all)
            with contextlib.suppress(OSError, EOFError, TimeoutError, ValueError):
                async with asyncio.timeout(3):
                    with contextlib.closing(await Line.to(one.port)) as line:
                        while self._going:
                            count += 1
                            subject = f"{self.name}/{me}/{count}"
                            asked_ns = time.monotonic_ns()
                            told = await one.send(line, self.token, subject)
                            asked_late = self.returned_ns and asked_ns > self.returned_ns
                            # What was released in time has been read by then.
                            answered_late = self.mended_ns and time.monotonic_ns() > self.mended_ns
                            if told.result is not None and (asked_late or answered_late):
                                self.late_answers.append(subject)
                            if told.result is None:
                                await asyncio.sleep(0.01)


class Fault:
    """What befalls one replica, while tasks that all replicas serve are ended at the others."""

    def __init__(self, world: Replicas, dice: random.Random, name: str) -> None:
        self.world = world
        self.dice = dice
        self.trials = [Ended(world, dice, f"{name}-{number}") for number in range(TASKS)]

    async def run(self) -> None:
        """Use the tasks, end each at some moment, and judge."""
        dice, world = self.dice, self.world
        victim = dice.choice(world.all)
        healthy = [one for one in world.all if one is not victim]
        head = await insist(lambda: healthy[0].ask("GET", "/api/v1/events/head", by="root"))
        await asyncio.gather(*(each.open(dice.choice(healthy)) for each in self.trials))
        await asyncio.sleep(dice.uniform(0.0, 0.3))
        fate = dice.choice(FATES)
        await self._befall(victim, fate)
        dead = healthy.pop() if fate == "stopped, one dies" else None
        if dead is not None:
            await dead.kill()
        await asyncio.gather(*(each.end(dice.choice(healthy)) for each in self.trials))
        await asyncio.sleep(dice.uniform(0.05, 0.1))
        for each in self.trials:
            each.mended_ns = time.monotonic_ns()
        await self._mend(victim, fate)
        if dead is not None:
            await dead.start()
        await asyncio.sleep(0.1)
        await asyncio.gather(*(each.stop() for each in self.trials))
        events = await _events(healthy[0], head["size"])
        outbox = world.outbox()
        for each in self.trials:
            each.judge(events, outbox)

    async def _befall(self, victim: Replica, fate: str) -> None:
        if fate.startswith("stopped"):
            victim.pause()
        elif fate == "cut off":
            victim.proxy.cut_off(True)
        elif fate == "killed":
            await victim.kill()

    async def _mend(self, victim: Replica, fate: str) -> None:
        if fate.startswith("stopped"):
            victim.go_on()
        elif fate == "cut off":
            victim.proxy.cut_off(False)
        elif fate == "killed":
            await victim.start()


async def insist(ask: Callable[[], Awaitable[T]], *beside: type[Exception]) -> T:
    """Ask until there is an answer: a replica may just be coming back from the fault before."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(Refused, *beside):
                return await ask()
            await asyncio.sleep(0.05)


async def _events(one: Replica, start: int | None) -> list[Json]:
    """Read what was decided and fenced since."""
    out: list[Json] = []
    while start is not None:
        query = f"limit=1000&start={start}&kinds=decision.made,fence.raised"
        page = await insist(functools.partial(one.ask, "GET", f"/api/v1/events?{query}", by="root"))
        out += page["items"]
        start = page["next"]
    return out


async def trials(folder: Path, url: str, port: int, count: int, seed: int) -> None:
    """Run so many trials on one world, some under each fault."""
    dice = random.Random(seed)
    async with replicas(folder, url, port, count=3, lease_ms=500) as world:
        for number in range(count // TASKS):
            await Fault(world, dice, f"{seed}-{number}").run()


@pytest.mark.slow
async def test_ends_hold_whatever_becomes_of_a_replica(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """A few dozen times."""
    await trials(tmp_path, postgres, postgres_server.port, 40, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
async def test_ends_hold_in_thousands_of_trials(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer, seed: int
) -> None:
    """Ten times two hundred trials, each with its own random source."""
    await trials(tmp_path, postgres, postgres_server.port, 200, seed=seed)
