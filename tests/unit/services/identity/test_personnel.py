# SPDX-License-Identifier: Apache-2.0
"""People over time: who changes which person, and what needs two."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from remit.core.errors import Conflict, Fenced, Forbidden, RemitError, Unauthenticated
from remit.core.evidence.event import EventKind
from remit.core.findings.finding import Finding, FindingState
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import Role
from remit.services.identity.directory import NewPerson
from remit.services.identity.people import PersonAdministration
from remit.services.separation.second_person import SecondPerson
from tests.worlds.calls import CallWorld, call_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """The desk, with a second administrator."""
    async with call_world(tmp_path) as made:
        new = NewPerson(name="rita", roles=(Role.ADMINISTRATOR,))
        await made.services.identity.directory.add_person(new, by="remit")
        yield made


async def found(world: CallWorld) -> list[Finding]:
    """Return the open findings."""
    return await world.services.findings.findings.about(state=FindingState.OPEN)


def another(world: CallWorld, *, second_person: bool = False) -> PersonAdministration:
    """Return the service as another replica has it, on the same store."""
    services = world.services
    return PersonAdministration(
        store=services.store,
        clock=services.clock,
        directory=services.identity.directory,
        authenticator=services.identity.authenticator,
        revocations=services.endings.revocations,
        approvals=services.decisions.approvals,
        findings=services.findings.findings,
        second=SecondPerson(
            store=services.store, clock=services.clock, tenant=services.tenant, wanted=second_person
        ),
        tenant=services.tenant,
        second_person=second_person,
    )


async def test_two_replicas_do_not_take_away_the_last_two(world: CallWorld) -> None:
    """Each sees the other's administrator stay, and only one of them is right."""
    told = await asyncio.gather(
        another(world).deactivate("rita", by="root"),
        another(world).change_roles("root", frozenset(), by="rita"),
        return_exceptions=True,
    )
    refused = [one for one in told if isinstance(one, BaseException)]
    # The later one sees the change of the other, or loses to it in the store.
    assert len(refused) == 1
    assert isinstance(refused[0], Conflict)
    people = await world.services.identity.directory.people()
    assert len([one for one in people if one.active and Role.ADMINISTRATOR in one.roles]) == 1


async def test_a_deactivated_person_is_gone_at_once(world: CallWorld) -> None:
    """Sessions, codes, and what is done in their name; brought back, they sign in again."""
    authenticator, personnel = world.services.identity.authenticator, world.services.identity.personnel
    code = await authenticator.make_code("lena", by="root")
    secret = (await authenticator.sign_in(await authenticator.make_code("lena", by="root")))[0]
    task, token = await world.open()
    await personnel.deactivate("lena", by="root", reason="left")
    with pytest.raises(Unauthenticated):
        await authenticator.person(secret)
    with pytest.raises(Unauthenticated):
        await authenticator.sign_in(code)
    with pytest.raises(Fenced):
        await world.call(token, "read")
    assert (await world.services.tasks.tasks.get(task.id)).state.ended
    with pytest.raises(Forbidden):
        await personnel.make_code("lena", by="root")
    with pytest.raises(RemitError):
        await world.open()
    await personnel.activate("lena", by="root")
    with pytest.raises(Unauthenticated):
        await authenticator.person(secret)
    _, token = await world.open()
    await world.call(token, "read")
    changes = [one["change"] for one in await world.facts(EventKind.PERSON_CHANGED)]
    assert changes[-2:] == ["deactivated", "activated"]


async def test_an_administrator_signs_others_out(world: CallWorld) -> None:
    """All sessions at once; the person is as they were."""
    authenticator = world.services.identity.authenticator
    secrets = [
        (await authenticator.sign_in(await authenticator.make_code("lena", by="root")))[0] for _ in range(2)
    ]
    await world.services.identity.personnel.sign_out("lena", by="root")
    for secret in secrets:
        with pytest.raises(Unauthenticated):
            await authenticator.person(secret)
    assert (await world.person("lena")).active


async def test_roles_count_from_the_next_request_on(world: CallWorld) -> None:
    """No person changes their own roles, and one administrator stays."""
    personnel = world.services.identity.personnel
    authenticator = world.services.identity.authenticator
    secret = (await authenticator.sign_in(await authenticator.make_code("omar", by="root")))[0]
    await personnel.change_roles("omar", frozenset(), by="root")
    assert (await authenticator.person(secret)).roles == frozenset()
    for act in (
        personnel.change_roles("root", frozenset(Role), by="root"),
        personnel.deactivate("root", by="root"),
    ):
        with pytest.raises(Forbidden, match="their own account"):
            await act
    await personnel.deactivate("rita", by="root")
    for act in (
        personnel.deactivate("root", by="os:root"),
        personnel.change_roles("root", frozenset({Role.APPROVER}), by="os:root"),
    ):
        with pytest.raises(Conflict) as told:
            await act
        assert told.value.code == "last-administrators"


async def test_a_code_for_somebody_else_is_loud(world: CallWorld) -> None:
    """The maker of the code could act as that person: that is a finding, of which the person is notified; a
    code for oneself is none.
    """
    await world.services.identity.personnel.make_code("root", by="root")
    assert await found(world) == []
    await world.services.identity.personnel.make_code("lena", by="root")
    (one,) = await found(world)
    assert (one.kind, one.about) == (FindingKind.SIGN_IN_CODE, "person:lena")
    assert await world.services.identity.personnel.code_made("lena") == one
    assert await world.services.identity.personnel.code_made("root") is None


async def test_two_must_agree_where_the_configuration_says_so(world: CallWorld) -> None:
    """To the very same thing, within a quarter of an hour, and not the same one twice."""
    careful = another(world, second_person=True)

    async def waits(act: Any) -> None:
        with pytest.raises(Forbidden) as told:
            await act
        assert told.value.code == "second-person"

    await waits(careful.make_code("omar", by="root"))
    await waits(careful.make_code("omar", by="root"))
    assert (await careful.make_code("omar", by="rita"))[1]
    await waits(careful.make_code("omar", by="rita"))
    world.clock.advance(timedelta(minutes=16).total_seconds())
    await waits(careful.make_code("omar", by="root"))
    (loud,) = await found(world)
    assert (loud.about, loud.facts["by"]) == ("person:omar", ["rita", "root"])
    roles = frozenset({Role.APPROVER})
    await waits(careful.change_roles("lena", roles, by="root"))
    await waits(careful.change_roles("lena", roles | {Role.AUDITOR}, by="rita"))
    assert (await careful.change_roles("lena", roles, by="rita")).roles == roles
    await waits(careful.add(NewPerson(name="sock", roles=(Role.APPROVER,)), by="root"))
    await careful.add(NewPerson(name="plain"), by="root")
    await waits(careful.make_code("plain", by="root"))
    assert (await careful.make_code("plain", by="rita"))[1]
    # Two are needed to agree to anything: neither of the last two goes.
    for act in (
        careful.change_roles("rita", frozenset(), by="root"),
        careful.deactivate("rita", by="root"),
    ):
        with pytest.raises(Conflict) as told:
            await act
        assert told.value.code == "last-administrators"
