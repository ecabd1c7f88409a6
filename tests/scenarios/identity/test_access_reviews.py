# SPDX-License-Identifier: Apache-2.0
"""Access reviews: what was shown is what is recorded, no one certifies alone what two must see, and reviews
that are overdue have the consequence that the configuration names.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest import mock

import msgspec
import pytest

from remit.core.errors import ChangedMeanwhile, Conflict, Forbidden, Malformed
from remit.core.evidence.event import EventKind
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind
from remit.core.identity.access_review import (
    ReviewAnswer,
    ReviewRecord,
    ReviewRule,
    TypeAnswer,
    shown_digest,
)
from remit.core.identity.principals import Agent, AgentState, Role
from remit.core.identity.workload import SpiffeBinding
from remit.ports.store.changes import PutPerson
from remit.ports.store.units import Unit
from remit.services.discovery.deliveries import ScanPart
from remit.services.identity.directory import NewPerson
from remit.services.inspection.access_reviews import GivenReview, ReviewSheet
from tests.samples.discovered import an_exposed
from tests.worlds.calls import CallWorld, a_bundle, a_type, call_world
from tests.worlds.stores import opened_postgres

RULE = ReviewRule(every=timedelta(days=90), grace=timedelta(days=14))


@pytest.fixture(params=["sqlite", "postgres"])
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[CallWorld]:
    """The desk, whose agents are reviewed every 90 days."""
    store = opened_postgres(request.getfixturevalue("postgres")) if request.param == "postgres" else None
    async with call_world(tmp_path, reviews=RULE, store=store) as made:
        yield made


async def agent_of(world: CallWorld, name: str = "clerk") -> Agent:
    """Return an agent."""
    return await world.services.identity.directory.agent(name)


async def sheet_of(world: CallWorld, name: str = "clerk") -> ReviewSheet:
    """Return what a reviewer of an agent is shown."""
    return await world.services.inspection.reviews.sheet(await agent_of(world, name), [])


def given(sheet: ReviewSheet, *less: TypeAnswer, **changes: object) -> GivenReview:
    """Return a review of a sheet that certifies what has no other answer."""
    answered = {one.task_type for one in less}
    kept = (
        TypeAnswer(one.name, ReviewAnswer.CERTIFY) for one in sheet.task_types if one.name not in answered
    )
    review = GivenReview(
        grants=sheet.grants, shown=sheet.shown, window=sheet.use.window, answers=(*less, *kept)
    )
    return msgspec.structs.replace(review, **changes)


async def reviewed(world: CallWorld, person: str, review: GivenReview, name: str = "clerk") -> ReviewRecord:
    """Give a review."""
    agent = await agent_of(world, name)
    return await world.services.inspection.reviews.review(agent, await world.person(person), review)


async def due_findings(world: CallWorld) -> list[str]:
    """Return the agents whose review is asked for."""
    found = await world.services.findings.findings.about(state=FindingState.OPEN)
    return sorted(one.agent for one in found if one.kind is FindingKind.ACCESS_REVIEW_DUE)


async def test_a_review_records_by_digest_what_was_shown(world: CallWorld) -> None:
    """With the counts of its window, also when calls were made since; and what should stay and go."""
    _, token = await world.open()
    await world.call(token, "read", text="a")
    sheet = await sheet_of(world)
    await world.call(token, "read", text="b")
    trim = TypeAnswer("work", ReviewAnswer.TRIM, ("desk/pay",))
    remove = TypeAnswer("purse", ReviewAnswer.REMOVE)
    record = await reviewed(world, "lena", given(sheet, trim, remove, comment="pays nothing"))
    assert record.last is not None
    assert (record.last.by, record.last.shown) == (("lena",), sheet.shown)
    (facts,) = await world.facts(EventKind.AGENT_REVIEWED)
    assert facts["grants"] == sheet.grants
    assert facts["shown"] == sheet.shown != (await sheet_of(world)).shown
    assert (facts["size"], facts["first"]) == (sheet.use.window.size, 0)
    assert facts["trimmed"] == {"work": ["desk/pay"]}
    assert facts["removed"] == ["purse"]
    assert "comment" not in facts


@pytest.mark.parametrize(
    "change",
    [
        {"shown": "sha256:other"},
        {"grants": "sha256:other"},
        {"window": "earlier"},
        {"window": "shorter"},
        {"window": "recent"},
        {"window": "beyond"},
        {"window": "from the beginning of time"},
    ],
)
async def test_a_review_of_anything_else_than_was_shown_is_refused(
    world: CallWorld, change: dict[str, str]
) -> None:
    """Other digests, other counts, and a window that leaves out calls or claims some that are still to come,
    although the digest is right for it.
    """
    _, token = await world.open()
    await world.call(token, "read", text="a")
    world.clock.advance(60)
    sheet = await sheet_of(world)
    window = sheet.use.window
    windows = {
        "earlier": msgspec.structs.replace(window, size=window.size - 3),
        "shorter": msgspec.structs.replace(window, first=window.size),
        "recent": msgspec.structs.replace(window, since=world.clock.now()),
        "from the beginning of time": msgspec.structs.replace(
            window, since=datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
        ),
        "beyond": msgspec.structs.replace(window, size=window.size + 100),
    }
    changes: dict[str, object] = {name: windows.get(value, value) for name, value in change.items()}
    if change.get("window") in ("shorter", "recent", "beyond"):
        other = windows[change["window"]]
        counts = await world.services.inspection.reviews._use.counted_in("clerk", other)
        changes["shown"] = shown_digest(sheet.grants, other, counts)
    with pytest.raises(Conflict, match="has changed") as refused:
        await reviewed(world, "lena", given(sheet, **changes))
    assert refused.value.code == "review-stale"
    assert await world.facts(EventKind.AGENT_REVIEWED) == []


async def test_a_review_of_changed_grants_is_stale(world: CallWorld) -> None:
    """Another bundle, another owner or another proof of identity since it was shown."""
    directory, sheet = world.services.identity.directory, await sheet_of(world)
    bundle = a_bundle(digest="sha256:wider")
    types = {**bundle.task_types, "more": a_type("more")}
    await world.services.policies.apply(msgspec.structs.replace(bundle, task_types=types), by="root")
    with pytest.raises(Conflict, match="has changed"):
        await reviewed(world, "lena", given(sheet))
    sheet = await sheet_of(world)
    await directory.bind("clerk", SpiffeBinding("spiffe://desk/clerk"), by="root")
    with pytest.raises(Conflict, match="has changed"):
        await reviewed(world, "lena", given(sheet))
    sheet = await sheet_of(world)
    await directory.set_owner("clerk", "root", by="root")
    with pytest.raises(Conflict, match="has changed"):
        await reviewed(world, "root", given(sheet))
    assert (await reviewed(world, "root", given(await sheet_of(world)))).last is not None


async def test_what_was_shown_long_ago_is_stale_once_something_happened(world: CallWorld) -> None:
    """A log that stood still since is still what was shown."""
    sheet = await sheet_of(world)
    world.clock.advance(3 * 86400)
    await reviewed(world, "lena", given(sheet))
    sheet = await sheet_of(world)
    world.clock.advance(60)
    await world.services.identity.directory.set_manifest("other", f"sha256:{'0' * 64}", by="root")
    world.clock.advance(2 * 86400)
    with pytest.raises(Conflict, match="long ago"):
        await reviewed(world, "lena", given(sheet))


async def test_each_task_type_is_answered_once_and_only_with_its_own_tools(world: CallWorld) -> None:
    """No answer is missing or twice, and a trim leaves something."""
    sheet = await sheet_of(world)
    whole = given(sheet).answers
    for answers in (
        whole[1:],
        (*whole, whole[0]),
        (TypeAnswer("no-such-type", ReviewAnswer.CERTIFY), *whole[1:]),
        given(sheet, TypeAnswer("work", ReviewAnswer.TRIM)).answers,
        given(sheet, TypeAnswer("work", ReviewAnswer.TRIM, ("desk/odd",))).answers,
        given(sheet, TypeAnswer("work", ReviewAnswer.CERTIFY, ("desk/pay",))).answers,
        given(sheet, TypeAnswer("hello", ReviewAnswer.TRIM, ("desk/write",))).answers,
    ):
        with pytest.raises(Malformed) as refused:
            await reviewed(world, "lena", given(sheet, answers=answers))
        assert refused.value.code == "review-answers"


async def test_only_the_owner_and_administrators_review(world: CallWorld) -> None:
    """Neither an approver, nor a person who no longer is who they were."""
    sheet = await sheet_of(world)
    with pytest.raises(Forbidden, match="may not review"):
        await reviewed(world, "omar", given(sheet))
    lena = await world.person("lena")
    await world.services.store.commit(Unit((PutPerson(msgspec.structs.replace(lena, active=False)),)))
    with pytest.raises(Forbidden, match="may not review"):
        await reviewed(world, "lena", given(sheet))


async def test_of_two_reviews_at_once_one_is_refused(world: CallWorld) -> None:
    """What the other one wrote is not overwritten unseen."""
    sheet, reviews = await sheet_of(world), world.services.inspection.reviews
    before = await reviews.record("clerk")
    await reviewed(world, "lena", given(sheet))
    with pytest.raises(ChangedMeanwhile):
        await reviews._put(before, ReviewRecord(agent="clerk"))


async def test_where_two_are_wanted_an_owner_does_not_certify_alone(tmp_path: Path) -> None:
    """The first review waits; the same person, other answers and another owner do not complete it."""
    async with call_world(tmp_path, second_person=True) as world:
        directory = world.services.identity.directory
        await directory.add_person(NewPerson(name="ada", roles=(Role.ADMINISTRATOR,)), by="remit")
        sheet = await sheet_of(world)
        first = await reviewed(world, "lena", given(sheet))
        assert (first.last, first.waiting is not None) == (None, True)
        assert (await reviewed(world, "lena", given(sheet))).last is None
        other = given(sheet, TypeAnswer("purse", ReviewAnswer.REMOVE))
        assert (await reviewed(world, "ada", other)).last is None
        assert (await reviewed(world, "lena", given(sheet))).last is None
        done = await reviewed(world, "ada", given(await sheet_of(world)))
        assert done.last is not None
        assert (done.last.by, done.waiting) == (("lena", "ada"), None)
        *waiting, whole = await world.facts(EventKind.AGENT_REVIEWED)
        assert [one["waits"] for one in waiting] == [True] * 4
        assert "waits" not in whole


async def test_two_owners_of_one_team_do_not_certify_between_them(tmp_path: Path) -> None:
    """One of the two does not own the agent."""
    async with call_world(tmp_path, second_person=True) as world:
        directory = world.services.identity.directory
        await directory.add_person(NewPerson(name="lou", groups=("staff",)), by="remit")
        await directory.set_owner("clerk", "group:staff", by="root")
        sheet = await sheet_of(world)
        await reviewed(world, "lena", given(sheet))
        with pytest.raises(Forbidden, match="both reviewers own"):
            await reviewed(world, "lou", given(sheet))
        assert (await reviewed(world, "root", given(sheet))).last is not None


async def test_a_review_that_is_due_is_a_finding_that_only_a_review_resolves(world: CallWorld) -> None:
    """Once for each agent in service, and not before its time."""
    reviews, findings = world.services.inspection.reviews, world.services.findings.findings
    await reviews.turn()
    assert await due_findings(world) == []
    world.clock.advance(90 * 86400)
    await world.services.identity.directory.move("other", AgentState.RETIRED, by="root", reason="")
    await reviews.turn()
    await reviews.turn()
    assert await due_findings(world) == ["clerk"]
    (finding,) = [
        one for one in await findings.about("agent:clerk") if one.kind is FindingKind.ACCESS_REVIEW_DUE
    ]
    with pytest.raises(Forbidden, match="until a person has reviewed it"):
        await findings.resolve(finding.id, by="root", resolution="no time")
    await reviewed(world, "lena", given(await sheet_of(world)))
    assert await due_findings(world) == []
    await reviews.turn()
    assert await due_findings(world) == []
    world.clock.advance(90 * 86400)
    await reviews.turn()
    assert await due_findings(world) == ["clerk"]


async def test_an_overdue_review_is_told_to_who_stands_in_for_the_owner(world: CallWorld) -> None:
    """Else to the administrators; again after each further time, and never after a review."""
    reviews = world.services.inspection.reviews
    world.clock.advance(90 * 86400)
    await reviews.turn()
    world.clock.advance(14 * 86400 - 60)
    await reviews.turn()
    assert await world.facts(EventKind.REVIEW_OVERDUE) == []
    world.clock.advance(60)
    await reviews.turn()
    await reviews.turn()
    told = await world.facts(EventKind.REVIEW_OVERDUE)
    assert [one["to"] for one in told] == ["administrators"] * 2  # clerk and other
    await reviewed(world, "lena", given(await sheet_of(world)))
    world.clock.advance(14 * 86400)
    await reviews.turn()
    assert len(await world.facts(EventKind.REVIEW_OVERDUE)) == 3
    assert (await agent_of(world)).usable


async def test_an_overdue_review_suspends_where_the_configuration_says_so(tmp_path: Path) -> None:
    """Not at the first look, however old the agent is: someone was asked, and had the time."""
    rule = msgspec.structs.replace(RULE, suspends=True)
    async with call_world(tmp_path, reviews=rule) as world:
        reviews, directory = world.services.inspection.reviews, world.services.identity.directory
        world.clock.advance(900 * 86400)
        await reviews.turn()
        assert (await agent_of(world)).usable
        await reviewed(world, "lena", given(await sheet_of(world)))
        world.clock.advance(14 * 86400)
        await reviews.turn()
        assert (await agent_of(world, "other")).state is AgentState.SUSPENDED
        assert (await agent_of(world)).usable
        # Activated without a review, it has another time.
        await directory.move("other", AgentState.ACTIVE, by="root", reason="")
        await reviews.turn()
        assert (await agent_of(world, "other")).usable
        world.clock.advance(14 * 86400)
        await reviews.turn()
        assert (await agent_of(world, "other")).state is AgentState.SUSPENDED
        # One that is activated long after has its whole time, and is asked about again.
        world.clock.advance(60 * 86400)
        await reviews.turn()
        assert "other" not in await due_findings(world)
        await directory.move("other", AgentState.ACTIVE, by="root", reason="")
        await reviews.turn()
        await reviews.turn()
        assert (await agent_of(world, "other")).usable
        assert "other" in await due_findings(world)


async def test_an_agent_that_is_reviewed_at_the_last_moment_is_not_suspended(tmp_path: Path) -> None:
    """The suspension was decided before the review, and comes after it."""
    rule = msgspec.structs.replace(RULE, suspends=True)
    async with call_world(tmp_path, reviews=rule) as world:
        reviews = world.services.inspection.reviews
        world.clock.advance(90 * 86400)
        await reviews.turn()
        world.clock.advance(14 * 86400)
        act = reviews._act

        async def late(agent: Agent, record: ReviewRecord, now: datetime) -> None:
            if agent.name == "clerk":
                await reviewed(world, "lena", given(await sheet_of(world)))
            await act(agent, record, now)

        with mock.patch.object(reviews, "_act", late):
            await reviews.turn()
        assert (await agent_of(world)).usable
        assert (await agent_of(world, "other")).state is AgentState.SUSPENDED


async def test_a_flood_of_findings_hides_no_due_review(world: CallWorld) -> None:
    """Whatever scans say about an agent: its review is asked for, and settled once it was given."""
    reviews, deliveries = world.services.inspection.reviews, world.services.discovery.deliveries
    world.clock.advance(90 * 86400)
    await reviews.turn()
    world.clock.advance(60)
    for number in range(3):
        found = tuple(
            msgspec.structs.replace(an_exposed(), about="agent:clerk", which=f"{number}-{one}")
            for one in range(350)
        )
        part = ScanPart(scope="house", scan="scn_flood", part=number, last=False, found=found)
        await deliveries.take(part, by="otto")
    await reviewed(world, "lena", given(await sheet_of(world)))
    kinds = (FindingKind.ACCESS_REVIEW_DUE,)
    left = await world.services.findings.findings.about(state=FindingState.OPEN, kinds=kinds)
    assert [one.agent for one in left] == ["other"]
    await world.services.identity.directory.move("other", AgentState.RETIRED, by="root", reason="")
    await reviews.turn()
    assert await world.services.findings.findings.about(state=FindingState.OPEN, kinds=kinds) == []
