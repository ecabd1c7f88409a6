# SPDX-License-Identifier: Apache-2.0
"""Ends while replicas are stopped, killed and cut from the store under load, over and over.

The upstream is the witness. After each end: no permit stands in the evidence behind the fence, every mail
that went out after the end had returned is on the closure's list, and no answer of one was released.
"""

import asyncio
import contextlib
import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.evidence_reading import permits
from tests.gateway_process import Refused
from tests.http_line import Line
from tests.nats_server import NatsServer
from tests.postgres_server import PostgresServer
from tests.replicas_world import Replica, Replicas, replicas

Json = Any

LOOPS = 6
#: What becomes of one replica while another ends the task; a kill is rare, for it takes long to start again.
FATES = ("nothing", "stopped", "stopped", "stopped", "cut off", "cut off", "killed")
#: And where NATS wakes them, of one replica's way to it, or of NATS itself.
FATES_OF_WAKES = (*FATES, "not woken", "not woken", "NATS hangs", "NATS hangs", "NATS killed", "NATS killed")


class Trial:
    """One task, loops that use it through all replicas, and one end."""

    def __init__(
        self, world: Replicas, dice: random.Random, name: str, nats: NatsServer | None = None
    ) -> None:
        self.world = world
        self.nats = nats
        self.dice = dice
        self.name = name
        self.began = 0
        self.returned_ns = 0
        self.late_answers: list[str] = []
        self._going = True

    async def run(self) -> None:
        """Use the task, end it at some moment, and hold what happened against the closure."""
        dice, world = self.dice, self.world
        ender, victim = dice.sample(world.all, 2)
        task, token = await self._opened(ender)
        self.began = (await ender.ask("GET", "/api/v1/events/head", by="root"))["size"]
        loops = [asyncio.create_task(self._loop(n, token)) for n in range(LOOPS)]
        await asyncio.sleep(dice.uniform(0.0, 0.3))
        fate = dice.choice(FATES_OF_WAKES if self.nats else FATES)
        await self._befall(victim, fate)
        await asyncio.sleep(dice.choice((0.0, 0.005, 0.02, 0.2)))
        closure = await self._ended(ender, task)
        self.returned_ns = time.monotonic_ns()
        await asyncio.sleep(dice.uniform(0.0, 0.1))
        await self._mend(victim, fate)
        await asyncio.sleep(0.1)
        self._going = False
        await asyncio.gather(*loops)
        await self._judge(ender, task, closure)

    async def _opened(self, one: Replica) -> tuple[str, str]:
        async with asyncio.timeout(60):
            while True:
                # It may just be coming back from the trial before.
                with contextlib.suppress(Refused, AssertionError):
                    return await one.open_task()
                await asyncio.sleep(0.05)

    async def _ended(self, one: Replica, task: str) -> Json:
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(Refused):
                    return await one.ask("POST", "/api/v1/end", {"kind": "task", "name": task}, by="root")
                await asyncio.sleep(0.05)

    async def _befall(self, victim: Replica, fate: str) -> None:
        if fate == "stopped":
            victim.pause()
        elif fate == "cut off":
            victim.proxy.cut_off(True)
        elif fate == "killed":
            await victim.kill()
        elif fate == "not woken" and victim.nats is not None:
            victim.nats.cut_off(True)
        elif fate == "NATS hangs" and self.nats is not None:
            self.nats.pause(True)
        elif fate == "NATS killed" and self.nats is not None:
            self.nats.kill()

    async def _mend(self, victim: Replica, fate: str) -> None:
        if fate == "stopped":
            victim.go_on()
        elif fate == "cut off":
            victim.proxy.cut_off(False)
        elif fate == "killed":
            await victim.start()
        elif fate == "not woken" and victim.nats is not None:
            victim.nats.cut_off(False)
        elif fate == "NATS hangs" and self.nats is not None:
            self.nats.pause(False)
        elif fate == "NATS killed" and self.nats is not None:
            self.nats.start()

    async def _loop(self, me: int, token: str) -> None:
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
                            told = await one.send(line, token, subject)
                            if told.result is not None and self.returned_ns and asked_ns > self.returned_ns:
                                self.late_answers.append(subject)
                            if told.result is None:
                                await asyncio.sleep(0.01)

    async def _judge(self, one: Replica, task: str, closure: Json) -> None:
        events = await self._events(one)
        fence = max(
            event["index"]
            for event in events
            if event["kind"] == "fence.raised" and event["facts"]["scope"] == f"task:{task}"
        )
        granted = [event for event in permits(events) if event["task"] == task]
        assert all(event["index"] < fence for event in granted), "a call was permitted after the end"
        decided = {event["call"]: event["values"]["arguments"]["subject"] for event in granted}
        listed = {
            decided[each["decision"]] for each in closure["indeterminate"] if each["decision"] in decided
        }
        mine = [mail for mail in self.world.outbox() if mail["subject"].startswith(f"{self.name}/")]
        late = {mail["subject"] for mail in mine if mail["monotonic_ns"] > self.returned_ns}
        assert late <= listed, (late - listed, closure)
        assert self.late_answers == []
        assert {mail["subject"] for mail in mine} <= set(decided.values())

    async def _events(self, one: Replica) -> list[Json]:
        """Read what was decided and fenced since the trial began; the replica may just be coming back."""
        out: list[Json] = []
        start: int | None = self.began
        async with asyncio.timeout(60):
            while start is not None:
                query = f"limit=1000&start={start}&kinds=decision.made,fence.raised"
                try:
                    page = await one.ask("GET", f"/api/v1/events?{query}", by="root")
                except Refused:
                    await asyncio.sleep(0.05)
                    continue
                out += page["items"]
                start = page["next"]
        return out


async def trials(
    folder: Path, url: str, port: int, count: int, seed: int, nats: NatsServer | None = None
) -> None:
    """Run so many trials on one world."""
    dice = random.Random(seed)
    wakes = nats.port if nats else 0
    async with replicas(folder, url, port, count=3, lease_ms=500, nats=wakes) as world:
        for number in range(count):
            await Trial(world, dice, f"{seed}-{number}", nats).run()


async def test_ends_hold_whatever_becomes_of_a_replica(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """A dozen times."""
    await trials(tmp_path, postgres, postgres_server.port, 12, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12, 15))
async def test_ends_hold_whatever_becomes_of_nats(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer, nats: NatsServer, seed: int
) -> None:
    """Three times forty, where it wakes the replicas."""
    await trials(tmp_path, postgres, postgres_server.port, 40, seed=seed, nats=nats)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
async def test_ends_hold_in_thousands_of_trials(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer, seed: int
) -> None:
    """Ten times two hundred, each with dice of its own."""
    await trials(tmp_path, postgres, postgres_server.port, 200, seed=seed)
