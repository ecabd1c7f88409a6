# SPDX-License-Identifier: Apache-2.0
"""`remit assess` on a month that the gateway's own services wrote, and what a running remit counts of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.cli.assess.command import text_of
from remit.cli.assess.initiatives import assessed
from remit.core.controls.programme import Initiative, InitiativeAnswer, ProgrammeReport
from remit.core.controls.status import Count
from remit.core.decisions.decision import Outcome
from remit.core.errors import VerificationFailed
from remit.core.evidence.checkpoint import VerifierKey
from remit.core.evidence.event import EventKind
from remit.core.evidence.verification import verify_export
from remit.core.tools.tool import Tier
from remit.ports.notifier import Notification
from remit.services.inspection.programme import KEPT_EVERY_S, Programme
from remit.services.signals.notifications import NotificationTarget
from tests.worlds.calls import CallWorld, call_world
from tests.worlds.values import TENANT

Json = Any
MONTH_S = 30 * 86_400
HOUR_S = 3_600
DESK = Initiative(name="desk", sponsor="lena", description="Pays what is due", agents=("clerk",))


class Listener:
    """`ports.notifier.Notifier` that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Notification] = []

    async def notify(self, notification: Notification) -> None:
        """Keep it."""
        self.told.append(notification)


async def month(world: CallWorld, days: int = 28) -> None:
    """A task a day, of one hour in the first half and of half an hour in the second; a question each week."""
    for day in range(days):
        task, token = await world.open()
        assert await world.outcome(token, "read", text=f"r{day}") is Outcome.PERMIT
        if day % 2:
            assert await world.outcome(token, "write", text=f"w{day}") is Outcome.PERMIT
        if day % 7 == 6:
            approval = await world.asked(token, amount=day)
            world.clock.advance(30)
            await world.approve(approval, approve=day != 13)
        world.clock.advance(HOUR_S if day < days // 2 else HOUR_S // 2)
        await world.services.endings.revocations.end_task(task.id, reason="done", by="lena")
        world.clock.advance(86_400 - HOUR_S)
        await world.facts(EventKind.TASK_ENDED)


async def exported(world: CallWorld, folder: Path) -> tuple[Path, str]:
    """Write an export; gives it with the log's key."""
    file = folder / "evidence.jsonl"
    file.write_bytes(b"".join([line async for line in world.services.evidence.log.export()]))
    return file, world.services.evidence.log.verifier


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """The desk after a month."""
    async with call_world(tmp_path, initiatives=(DESK,)) as made:
        await month(made)
        yield made


def of(report: ProgrammeReport, name: str) -> InitiativeAnswer:
    """Return the answer about one initiative."""
    return next(one for one in report.answers if one.initiative.name == name)


async def test_the_numbers_are_those_of_the_month(world: CallWorld, tmp_path: Path) -> None:
    """28 tasks of three tools: 28 reads, 14 writes, 4 questions of which one was refused; hours that fall."""
    file, key = await exported(world, tmp_path)
    one = of(assessed([DESK], place=file, key=key, window_s=MONTH_S), "desk")
    assert one.crossing is not None
    assert (one.crossing.agent, one.crossing.tool, one.crossing.how) == ("clerk", "desk/read", "reads data")
    assert one.tier is Tier.OPERATOR
    assert one.unannounced
    assert one.proven.measured.count == Count(total=42, holding=42)
    assert one.justified.measured.count == Count(total=84, holding=42)
    assert (one.gone.ends, one.gone.untold) == (28, 0)
    assert (one.friction.calls, one.friction.questions) == (46, 4)
    assert (one.friction.answered, one.friction.overturned, one.friction.waited_s) == (4, 3, 120.0)
    # 3 tools; 14 days of an hour, 14 of half an hour, and 30 s for each question.
    assert sum(each.hours for each in one.hours) == pytest.approx(3 * (14 * 1.0 + 14 * 0.5 + 4 / 120))
    assert "falling" in one.trend
    assert {each.control.id for each in one.controls} == {"conversation", "assistant", "operator"}
    assert one.held <= len(one.required)


async def test_what_is_running_counts_as_the_evidence_says(world: CallWorld, tmp_path: Path) -> None:
    """The page of the console has the same figures, without reading the log for a view."""
    programme = world.services.inspection.programme
    while not await programme.turn():
        pass
    status = await programme.status()
    file, key = await exported(world, tmp_path)
    told = of(assessed([DESK], place=file, key=key, window_s=MONTH_S), "desk")
    (running,) = [one for one in status.figures if one.initiative.name == "desk"]
    assert status.counted == status.size
    assert running.crossing is not None
    assert told.crossing is not None
    assert running.crossing.index == told.crossing.index
    assert (running.tier, running.tier_index) == (told.tier, told.tier_index)
    assert running.proven == told.proven.measured.count
    assert running.justified == told.justified.measured.count
    assert running.gone == told.gone
    mine, theirs = running.friction, told.friction
    assert (mine.calls, mine.questions, mine.answered) == (theirs.calls, theirs.questions, theirs.answered)
    assert (mine.waited_s, mine.median_s, mine.overturned) == (
        theirs.waited_s,
        theirs.median_s,
        theirs.overturned,
    )
    assert sum(one.hours for one in running.hours) == pytest.approx(sum(one.hours for one in told.hours))


async def test_a_report_is_proven_by_the_events_that_it_names(world: CallWorld, tmp_path: Path) -> None:
    """The proof verifies by itself and has each of them."""
    file, key = await exported(world, tmp_path)
    made = assessed([DESK], place=file, key=key, window_s=MONTH_S, proof=tmp_path / "proof.jsonl")
    lines = (tmp_path / "proof.jsonl").read_bytes().splitlines(keepends=True)
    checked = verify_export(lines, VerifierKey.parse(key))
    assert checked.holds
    assert checked.question == "remit assess"
    assert len(made.indexes) == len(lines) - 2 > 5


async def test_evidence_that_does_not_verify_is_not_assessed(world: CallWorld, tmp_path: Path) -> None:
    """Figures of a changed log would look as good as any."""
    file, key = await exported(world, tmp_path)
    file.write_bytes(file.read_bytes().replace(b"key-bound", b"attested!", 1))
    with pytest.raises(VerificationFailed):
        assessed([DESK], place=file, key=key, window_s=MONTH_S)


async def test_agents_of_no_initiative_are_shown(world: CallWorld, tmp_path: Path) -> None:
    """A programme that names none does not look better by that; nothing measured is nothing good."""
    file, key = await exported(world, tmp_path)
    made = assessed([], place=file, key=key, window_s=MONTH_S)
    (one,) = made.answers
    assert one.initiative.title == "agents without an initiative"
    assert "clerk" in one.initiative.agents
    assert one.unannounced
    quiet = assessed([Initiative(name="idle", agents=("no-one",))], place=file, key=key, window_s=MONTH_S)
    idle = of(quiet, "idle")
    assert idle.crossing is None
    assert (idle.gone.headline, idle.friction.per_100(0)) == ("not measured", "not measured")
    assert "not measured" in text_of(quiet, "html", everything=True)


async def test_a_crossing_is_told_once_and_on_its_day(tmp_path: Path) -> None:
    """An event, and a notification of it, right after the first call; none after a restart."""
    heard = Listener()
    target = NotificationTarget(name="chat", notifier=heard)
    async with call_world(tmp_path, initiatives=(DESK,), addressees={"chat": target}) as world:
        await world.services.signals.notifications.begin()
        programme = world.services.inspection.programme
        assert await programme.turn()
        assert await programme.tell() == 0
        _, token = await world.open()
        assert await programme.turn()
        assert await programme.tell() == 0
        assert await world.outcome(token, "read", text="a") is Outcome.PERMIT
        (first,) = await world.facts(EventKind.DECISION_MADE)
        assert await programme.tell() == 0
        assert await programme.turn()
        assert await programme.tell() == 1
        assert await programme.tell() == 0
        (event,) = await world.facts(EventKind.INITIATIVE_CROSSED)
        assert event["tool"] == first["tool"] == "desk/read"
        assert (event["initiative"], event["sponsor"], event["tier"]) == ("desk", "lena", "assistant")
        await world.services.signals.notifications.turn()
        assert [one.kind for one in heard.told] == ["initiative.crossed"]
        await world.reopen()
        assert await world.services.inspection.programme.turn()
        assert await world.services.inspection.programme.tell() == 0


async def test_counts_outlive_a_restart_and_a_prune(tmp_path: Path) -> None:
    """A process that starts goes on where the last one stored its counts, and reads no older event."""
    async with call_world(tmp_path, initiatives=(DESK,)) as world:
        _, token = await world.open()
        assert await world.outcome(token, "read", text="a") is Outcome.PERMIT
        await world.facts(EventKind.TOOL_CALLED)
        programme = world.services.inspection.programme
        assert await programme.turn()
        world.clock.advance(KEPT_EVERY_S + 1)
        await world.open()
        assert await programme.turn()
        counted = (await programme.status()).figures
        (decided,) = await world.services.evidence.log.pages(limit=9, kinds=(EventKind.DECISION_MADE,))
        await world.services.store.prune(TENANT, [(decided.index, decided.index + 1)])
        again = Programme(store=world.services.store, clock=world.clock, tenant=TENANT, initiatives=(DESK,))
        assert await again.turn()
        assert (await again.status()).figures == counted
        assert counted[0].crossing is not None


async def test_turns_at_once_count_no_event_twice(world: CallWorld) -> None:
    """A page and a chore may both wait for the store."""
    programme = world.services.inspection.programme
    await asyncio.gather(*(programme.turn() for _ in range(5)))
    (one,) = [each for each in (await programme.status()).figures if each.initiative.name == "desk"]
    assert one.proven.total == 42
