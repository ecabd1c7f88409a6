# SPDX-License-Identifier: Apache-2.0
"""The kill switch: what is locked stays shut over restarts, is shown, and does not open for the parties that
it shuts out.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.api.health import Health
from remit.api.rooms import health_rooms
from remit.core.endings.closure import Cause
from remit.core.errors import Fenced, Forbidden, NotFound
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Person, Role
from remit.core.scope import EVERYTHING, ScopeKind
from remit.services.identity.directory import NewPerson
from tests.worlds.calls import CallWorld, call_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """The desk, with a second administrator."""
    async with call_world(tmp_path) as made:
        new = NewPerson(name="rita", roles=(Role.ADMINISTRATOR,))
        await made.services.identity.directory.add_person(new, by="remit")
        yield made


async def somebody(world: CallWorld, name: str) -> Person:
    """Return a person."""
    return await world.services.identity.directory.person(name)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (ScopeKind.EVERYTHING, ""),
        (ScopeKind.AGENT, "clerk"),
        (ScopeKind.OWNER, "lena"),
        (ScopeKind.PERSON, "lena"),
        (ScopeKind.UPSTREAM, "desk"),
    ],
)
async def test_what_is_locked_opens_nothing_until_it_is_unlocked(
    world: CallWorld, kind: ScopeKind, name: str
) -> None:
    """Calls of open tasks are refused, no task opens, and the refusal says how it would."""
    _, token = await world.open()
    await world.services.endings.revocations.end_scope(kind, name, reason="odd mails", by="root", lock=True)
    with pytest.raises(Fenced):
        await world.call(token, "read")
    with pytest.raises(Fenced) as refused:
        await world.open()
    assert refused.value.code == "locked"
    assert "remit unlock" in refused.value.remediation
    (lock,) = await world.services.endings.locks.all()
    assert (lock.by, lock.reason, lock.cause) == ("root", "odd mails", Cause.ASKED)
    await world.services.endings.locks.unlock(kind, name, person=await somebody(world, "rita"))
    await world.open()
    assert await world.services.endings.locks.all() == []
    assert (await world.facts(EventKind.FENCE_UNLOCKED))[-1]["scope"] == lock.scope


async def test_a_lock_outlives_its_process(tmp_path: Path) -> None:
    """The next start is as shut as the one before it, and still says why."""
    async with call_world(tmp_path) as made:
        await made.services.endings.revocations.end_scope(
            ScopeKind.EVERYTHING, "", reason="stop", by="root", lock=True
        )
    async with call_world(tmp_path, seed="again", settle=False) as made:
        await made.reopen()
        with pytest.raises(Fenced):
            await made.open()
        assert [one.reason for one in await made.services.endings.locks.all()] == ["stop"]


async def test_nobody_unlocks_themselves(world: CallWorld) -> None:
    """Not an administrator who is locked, nor one who answers for what is."""
    services, rita = world.services, await somebody(world, "rita")
    await services.identity.directory.set_owner("clerk", "rita", by="root")
    for kind, name in (
        (ScopeKind.PERSON, "rita"),
        (ScopeKind.OWNER, "rita"),
        (ScopeKind.AGENT, "clerk"),
    ):
        await services.endings.revocations.end_scope(kind, name, reason="odd", by="root", lock=True)
        with pytest.raises(Forbidden) as refused:
            await services.endings.locks.unlock(kind, name, person=rita)
        assert refused.value.code == "self"
        await services.endings.locks.unlock(kind, name, person=await somebody(world, "root"))
    with pytest.raises(NotFound):
        await services.endings.locks.unlock(ScopeKind.AGENT, "clerk", person=await somebody(world, "root"))


async def test_two_must_agree_to_unlock_where_the_configuration_says_so(tmp_path: Path) -> None:
    """One administrator's word is not enough, said twice or not."""
    async with call_world(tmp_path, second_person=True) as world:
        new = NewPerson(name="rita", roles=(Role.ADMINISTRATOR,))
        await world.services.identity.directory.add_person(new, by="remit")
        root, rita = await somebody(world, "root"), await somebody(world, "rita")
        await world.services.endings.revocations.end_scope(
            ScopeKind.EVERYTHING, "", reason="", by="root", lock=True
        )
        for _ in range(2):
            with pytest.raises(Forbidden):
                await world.services.endings.locks.unlock(ScopeKind.EVERYTHING, "", person=root)
        assert [one.scope for one in await world.services.endings.locks.all()] == [EVERYTHING]
        await world.services.endings.locks.unlock(ScopeKind.EVERYTHING, "", person=rita)
        assert await world.services.endings.locks.all() == []


async def test_a_lock_is_loud(world: CallWorld) -> None:
    """Who and health say it, health without a name."""
    services = world.services
    await services.endings.revocations.end_scope(
        ScopeKind.EVERYTHING, "", reason="stop", by="root", lock=True
    )
    await services.endings.revocations.end_scope(ScopeKind.AGENT, "clerk", reason="odd", by="root", lock=True)
    told = await services.inspection.who.of("clerk")
    assert [one["scope"] for one in told["locks"]] == ["agent:clerk", EVERYTHING]
    assert [one["scope"] for one in (await services.inspection.who.of("other"))["locks"]] == [EVERYTHING]
    health = Health(health_rooms(services))
    ready = bytes((await health.ready()).body)
    assert b'"everything_locked":true' in ready
    assert b'"locks":2' in ready
    assert b"clerk" not in ready
    assert b'remit_locks{kind="everything"} 1' in bytes((await health.metrics()).body)
