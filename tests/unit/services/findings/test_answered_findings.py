# SPDX-License-Identifier: Apache-2.0
"""The answers of people to findings: accepted for a time, false, or a question again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from remit.core.errors import Conflict, Forbidden, Malformed
from remit.core.evidence.event import EventKind
from remit.core.findings.finding import Finding, FindingState
from remit.core.findings.kinds import FindingKind
from remit.services.findings.findings import Findings
from tests.worlds.calls import CallWorld, call_world

KIND = FindingKind.SHARED_KEY
FACTS = {"key": "jkt:one", "first": "address 10.0.0.1", "second": "address 10.0.0.2", "by": "address"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """Provide the desk."""
    async with call_world(tmp_path) as made:
        yield made


def of(world: CallWorld) -> Findings:
    """Return the service."""
    return world.services.findings.findings


async def seen(world: CallWorld, **facts: str) -> Finding:
    """See a shared key."""
    return await of(world).see(KIND, "agent:clerk", "one", FACTS | facts)


async def test_an_accepted_finding_opens_again_when_its_time_is_over(world: CallWorld) -> None:
    """Not before, whatever is seen; the reason and the person stand in the evidence."""
    found = await seen(world)
    until = world.clock.now() + timedelta(days=7)
    answered = await of(world).accept(found.id, by="root", reason="both are ours", until=until)
    assert (answered.state, answered.until) == (FindingState.ACCEPTED, until)
    assert (await seen(world)).state is FindingState.ACCEPTED
    await of(world).reopen_due()
    assert (await of(world).get(found.id)).state is FindingState.ACCEPTED
    world.clock.advance(7 * 86_400)
    await of(world).reopen_due()
    again = await of(world).get(found.id)
    assert (again.state, again.until, again.resolution) == (FindingState.OPEN, None, "")
    (told,) = await world.facts(EventKind.FINDING_ANSWERED)
    assert (told["state"], told["reason"]) == ("accepted", "both are ours")
    (opened,) = await world.facts(EventKind.FINDING_REOPENED)
    assert "time" in opened["reason"]


async def test_a_false_finding_stays_until_the_evidence_changes(world: CallWorld) -> None:
    """The same evidence asks nothing again; a third place does, and tells those who react to findings."""
    found = await seen(world)
    await of(world).reject(found.id, by="root", reason="a load balancer")
    world.clock.advance(400 * 86_400)
    assert (await seen(world)).state is FindingState.FALSE
    heard: list[Finding] = []

    async def told(one: Finding) -> None:
        heard.append(one)

    of(world).on_seen(told)
    assert (await seen(world, second="address 203.0.113.9")).state is FindingState.OPEN
    assert [one.id for one in heard] == [found.id]
    assert len(await world.facts(EventKind.FINDING_SEEN)) == 2


@pytest.mark.parametrize("days", [0, -1, 367, 10_000])
async def test_nothing_is_accepted_for_good(world: CallWorld, days: int) -> None:
    """Nor until a time that is over."""
    found = await seen(world)
    with pytest.raises(Malformed):
        await of(world).accept(
            found.id, by="root", reason="x", until=world.clock.now() + timedelta(days=days)
        )
    assert (await of(world).get(found.id)).state is FindingState.OPEN


async def test_what_another_person_must_review_is_neither_accepted_nor_false(world: CallWorld) -> None:
    """Only the review closes it."""
    found = await of(world).see(FindingKind.BROKEN_GLASS, "agent:clerk", "x", {"approval": "apr_one"})
    until = world.clock.now() + timedelta(days=1)
    with pytest.raises(Forbidden, match="reviewed"):
        await of(world).accept(found.id, by="root", reason="x", until=until)
    with pytest.raises(Forbidden, match="reviewed"):
        await of(world).reject(found.id, by="root", reason="x")


async def test_a_resolved_finding_is_opened_before_it_is_answered_otherwise(world: CallWorld) -> None:
    """So that the evidence shows each step."""
    found = await seen(world)
    await of(world).resolve(found.id, by="root", resolution="rotated")
    with pytest.raises(Conflict, match="resolved"):
        await of(world).reject(found.id, by="root", reason="x")
    await of(world).reopen(found.id, by="root", reason="the wrong one")
    assert (await of(world).reject(found.id, by="root", reason="x")).state is FindingState.FALSE


async def test_answers_and_sightings_at_once_lose_none(world: CallWorld) -> None:
    """A sighting beside an answer is counted, and never undoes the answer."""
    for number in range(10):
        found = await of(world).see(KIND, "agent:clerk", f"race {number}", FACTS)
        answer = of(world).reject(found.id, by="root", reason="ours")
        sights = [of(world).see(KIND, "agent:clerk", f"race {number}", FACTS) for _ in range(3)]
        done = await asyncio.gather(answer, *sights, return_exceptions=True)
        after = await of(world).get(found.id)
        if isinstance(done[0], Finding):
            assert after.state is FindingState.FALSE
        else:
            assert isinstance(done[0], Conflict)
        assert after.count == 1 + sum(isinstance(one, Finding) for one in done[1:])
