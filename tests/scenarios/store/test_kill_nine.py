# SPDX-License-Identifier: Apache-2.0
"""`kill -9` of the gateway at any moment: no effect without a permit, no loose end, and it goes on."""

import asyncio
import contextlib
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.clients.http_line import Line
from tests.gateways.gateway_process import GatewayProcess, Told, gateway_process
from tests.gateways.several_replicas import until
from tests.samples.evidence_reading import permits

pytestmark = [pytest.mark.slow, pytest.mark.long]

LOOPS = 6


class Load:
    """Loops that send mails until the gateway is gone; remembers what each was told."""

    def __init__(self, gateway: GatewayProcess, token: str, run: int) -> None:
        self.gateway = gateway
        self.token = token
        self.run = run
        self.sent: set[str] = set()
        #: One in a database may be late with its lease, on a busy machine.
        self.faults: list[Told] = []

    async def loop(self, me: int) -> None:
        """Send one mail after the other."""
        gateway = self.gateway
        with contextlib.suppress(OSError, EOFError), contextlib.closing(await Line.to(gateway.port)) as line:
            for count in range(1_000_000):
                subject = f"{self.run}/{me}/{count}"
                told = await gateway.send(line, self.token, subject)
                if told.result is None:
                    self.faults.append(told)
                else:
                    self.sent.add(subject)


async def closed_up(gateway: GatewayProcess, *, at_once: bool) -> list[dict[str, Any]]:
    """Read the evidence once every permit has its outcome: with a file from the start, with a database once
    the killed one's lease has run out, for until then it may be another that lives.
    """
    tries = 1 if at_once else 900
    while True:
        events = await gateway.events()
        closed = {event["call"] for event in events if event["kind"] == "tool.called"}
        tries -= 1
        if not tries or {event["call"] for event in permits(events)} <= closed:
            return events
        await asyncio.sleep(0.1)


async def check_whole(gateway: GatewayProcess, load: Load, *, at_once: bool) -> None:
    """What the outbox and the client know agrees with the evidence of a gateway that was started again."""
    events = await closed_up(gateway, at_once=at_once)
    decided = {event["values"]["arguments"]["subject"]: event for event in permits(events)}
    outbox = {mail["subject"]: mail for mail in gateway.outbox()}
    assert len(outbox) == len(gateway.outbox()), "a mail was sent twice"
    assert outbox.keys() <= decided.keys(), "an effect without a permit"
    assert load.sent <= outbox.keys()
    for subject, mail in outbox.items():
        assert decided[subject]["at"].rstrip("Z") <= mail["at"].replace("+00:00", ""), subject
    # Each permit is closed once, and as `unknown` only where a start found it open.
    closings = [event for event in events if event["kind"] == "tool.called"]
    assert Counter(event["call"] for event in closings) == Counter(
        event["call"] for event in decided.values()
    )
    unknown = [event for event in closings if event["facts"]["outcome"] == "unknown"]
    assert all(event["facts"]["ended_by"] == "restart" for event in unknown)
    # Open were at most the calls in hand, and outcomes that are written behind their answers.
    answered = {decided[subject]["call"] for subject in load.sent}
    mine = {event["call"] for event in unknown if event["writer"] == events[-1]["writer"]}
    assert len(mine - answered) <= LOOPS
    report = await gateway.verified()
    assert report.holds, report.faults
    assert set(report.unfinished) == {event["call"] for event in unknown}


async def kill_again_and_again(folder: Path, kills: int, database: str = "") -> int:
    """Each start goes on with what the killed one left; gives how many mails went out."""
    chance = random.Random(kills)
    # With a database the lease of each that was killed is waited out.
    async with gateway_process(folder, database=database, replica={"lease_ms": 2000}) as gateway:
        task, _ = await gateway.open_task()
        for run in range(kills):
            load = Load(gateway, await gateway.task_token(task), run)
            loops = [asyncio.create_task(load.loop(me)) for me in range(LOOPS)]

            async def sends(load: Load = load) -> bool:
                return bool(load.sent)

            # Every other one may die before its first mail; the rest have sent one, however busy the machine.
            if run % 2:
                await until(sends)
            await asyncio.sleep(chance.uniform(0.0, 0.6))
            await gateway.kill()
            await asyncio.gather(*loops)
            late = "replica-fenced" if database else None
            assert [told for told in load.faults if told.code != late] == []
            await gateway.start()
            await check_whole(gateway, load, at_once=not database)
        return len(gateway.outbox())


async def test_a_killed_gateway_leaves_no_effect_without_a_permit(tmp_path: Path) -> None:
    """Every effect has its permit, every permit its one outcome, and the log verifies, six kills long."""
    assert await kill_again_and_again(tmp_path, 6) >= 3


@pytest.mark.slow
async def test_a_killed_gateway_finds_its_state_in_postgresql(tmp_path: Path, postgres: str) -> None:
    """The same, with state and evidence in a database, which the next start takes over."""
    assert await kill_again_and_again(tmp_path, 3, postgres) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("part", range(12))
async def test_a_gateway_killed_a_few_hundred_times_stays_whole(tmp_path: Path, part: int) -> None:
    """The same, at many more moments."""
    assert await kill_again_and_again(tmp_path, 20 + part) >= 10
