# SPDX-License-Identifier: Apache-2.0
"""Threat: a substitute is a way around the requester, the groups, or the number of people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from remit.core.decisions.approval import ApprovalState
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Role
from tests.worlds.approvers import (
    PAYMENTS,
    TWO,
    TWO_OF_PAYMENTS,
    approver_world,
    code_of,
    signed_in_by_code,
    under,
    with_role,
    yes,
)
from tests.worlds.calls import CallWorld


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk whose payments ask group `payments`."""
    async with approver_world(tmp_path) as made:
        await under(made, PAYMENTS)
        yield made


async def away(world: CallWorld, name: str, substitute: str, hours: float = 8, begins: float = 0) -> None:
    """Let a person name a substitute for some hours."""
    now = world.clock.now()
    first = now + timedelta(hours=begins) if begins else None
    absences = world.services.decisions.absences
    await absences.begin(await world.person(name), substitute, now + timedelta(hours=begins + hours), first)


async def asked(world: CallWorld) -> str:
    """Open a task, and ask about a payment."""
    _, token = await world.open()
    return await world.asked(token, amount=1)


async def test_a_substitute_answers_with_the_groups_of_the_absent_one(world: CallWorld) -> None:
    """In the other one's name only; both names are in the answer, and the absence is recorded."""
    approval = await asked(world)
    assert await code_of(yes(world, approval, "omar", instead_of="ada")) == "not-substitute"
    await away(world, "ada", "omar")
    assert await code_of(yes(world, approval, "omar")) == "approver-group"
    given = await yes(world, approval, "omar", instead_of="ada")
    assert given.state is ApprovalState.APPROVED
    assert [(one.by, one.instead_of) for one in given.answers] == [("omar", "ada")]
    assert len(await world.facts(EventKind.APPROVER_AWAY)) == 1


async def test_a_substitute_may_deny(world: CallWorld) -> None:
    """An answer is an answer."""
    await away(world, "ada", "omar")
    denied = await yes(world, await asked(world), "omar", approve=False, instead_of="ada")
    assert denied.state is ApprovalState.DENIED


async def test_an_absence_holds_for_its_span(world: CallWorld) -> None:
    """Not before, not after, not once it is ended."""
    await away(world, "ada", "omar", hours=0.05, begins=0.05)
    approval = await asked(world)
    assert await code_of(yes(world, approval, "omar", instead_of="ada")) == "not-substitute"
    world.clock.advance(6 * 60)
    assert await code_of(yes(world, approval, "omar", instead_of="ada")) == "not-substitute"
    await away(world, "ada", "omar")
    await world.services.decisions.absences.end(await world.person("ada"))
    assert await code_of(yes(world, approval, "omar", instead_of="ada")) == "not-substitute"
    absences = world.services.decisions.absences
    assert await code_of(absences.end(await world.person("ada"))) == "not-found"
    assert len(await world.facts(EventKind.APPROVER_BACK)) == 1


async def test_the_requester_is_no_substitute_and_has_none(world: CallWorld) -> None:
    """Lena, who has the role, answers her own request in no other name, and no one does in hers."""
    await with_role(world, "lena", Role.APPROVER)
    approval = await asked(world)
    await away(world, "ada", "lena")
    assert await code_of(yes(world, approval, "lena", instead_of="ada")) == "forbidden"
    await away(world, "lena", "omar")
    assert await code_of(yes(world, approval, "omar", instead_of="lena")) == "forbidden"


async def test_chains_are_not_followed(world: CallWorld) -> None:
    """Gil stands in for omar, who stands in for ada: gil does not answer for ada."""
    await away(world, "ada", "omar")
    await away(world, "omar", "gil")
    approval = await asked(world)
    assert await code_of(yes(world, approval, "gil", instead_of="ada")) == "not-substitute"
    assert await code_of(yes(world, approval, "gil", instead_of="omar")) == "approver-group"


async def test_a_cycle_of_substitutes_is_still_one_person_each(world: CallWorld) -> None:
    """Ada and mona stand in for each other: neither answers twice."""
    await under(world, TWO_OF_PAYMENTS)
    await away(world, "ada", "mona")
    await away(world, "mona", "ada")
    approval = await asked(world)
    await yes(world, approval, "ada")
    for name, instead_of in (("ada", "mona"), ("mona", "ada"), ("ada", "")):
        assert await code_of(yes(world, approval, name, instead_of=instead_of)) == "already-answered"
    assert (await yes(world, approval, "mona")).state is ApprovalState.APPROVED


async def test_one_substitute_of_two_people_counts_once(world: CallWorld) -> None:
    """Omar answers for ada; for mona another person has to."""
    await under(world, TWO_OF_PAYMENTS)
    await away(world, "ada", "omar")
    await away(world, "mona", "omar")
    approval = await asked(world)
    await yes(world, approval, "omar", instead_of="ada")
    assert await code_of(yes(world, approval, "omar", instead_of="mona")) == "already-answered"
    assert (await yes(world, approval, "mona")).state is ApprovalState.APPROVED


@pytest.mark.parametrize("who", ["ada", "omar"])
async def test_both_must_still_be_approvers(world: CallWorld, who: str) -> None:
    """When the substitute answers, and when the second answer completes it."""
    await under(world, TWO)
    await away(world, "ada", "omar")
    first, second = await asked(world), await asked(world)
    await yes(world, first, "omar", instead_of="ada")
    await with_role(world, who, Role.AUDITOR)
    assert await code_of(yes(world, second, "omar", instead_of="ada")) == "forbidden"
    assert (await yes(world, first, "mona")).state is ApprovalState.PENDING


async def test_a_substitute_is_another_approver(world: CallWorld) -> None:
    """Not oneself, no person without the role, no unknown one; not for ever, and not in the past."""
    with_code = {"ada": "malformed", "lena": "forbidden", "eve": "not-found"}
    for name, code in with_code.items():
        assert await code_of(away(world, "ada", name)) == code
    for hours in (-1, 24 * 93):
        assert await code_of(away(world, "ada", "omar", hours=hours)) == "malformed"
    assert await code_of(away(world, "lena", "omar")) == "forbidden"


async def test_a_requester_who_could_sign_in_as_the_absent_one_has_named_no_one(world: CallWorld) -> None:
    """Lena made the code by which ada signed in and named omar: her word may be behind both."""
    await signed_in_by_code(world, "ada", maker="lena")
    await away(world, "ada", "omar")
    approval = await asked(world)
    assert await code_of(yes(world, approval, "omar", instead_of="ada")) == "code-maker"


async def test_absences_are_listed(world: CallWorld) -> None:
    """Those that have not ended."""
    await away(world, "ada", "omar", hours=1)
    await away(world, "mona", "gil", hours=3)
    world.clock.advance(2 * 3600)
    assert [(one.person, one.substitute) for one in await world.services.decisions.absences.all()] == [
        ("mona", "gil")
    ]
