# SPDX-License-Identifier: Apache-2.0
"""Threat: two replicas find at once that a key is due, and the next one signs as soon as it is published; or
the evidence reports a rotation without its maker, or reports it twice, or not at all.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.keys.openbao_client import Bao
from remit.adapters.keys.openbao_sealing import BaoSealingKeys
from remit.adapters.keys.openbao_signing import BaoAuthorityKeys, BaoCheckpointKeys, BaoTokenKeys
from remit.adapters.keys.transit import Transit
from remit.core.keys.own_keys import HeldKey, KeyKind, KeyStanding
from remit.ports.keys import AuthorityKeys, Keyring
from remit.ports.runtime import Entropy
from remit.ports.store.changes import PutValue
from remit.ports.store.units import Unit
from remit.services.identity.svid_issuing import SvidIssuing
from tests.servers.bao_server import TOKEN
from tests.worlds.keys import OVERLAP, WEEK, Kept
from tests.worlds.values import TENANT, WorldClock, WorldEntropy

Facts = list[dict[str, Any]]

_numbers = itertools.count()


@dataclass
class Replica(Kept[WorldClock]):
    """One process among those that share a folder of keys and a database; its keys are in files, or in
    OpenBao.
    """

    place: Transit | None = None

    async def keyring(self, folder: Path, entropy: Entropy) -> Keyring:
        """Open the keys."""
        if self.place is None:
            return await super().keyring(folder, entropy)
        return Keyring(
            tokens=await BaoTokenKeys.open(folder, self.clock, self.place),
            checkpoints=await BaoCheckpointKeys.open(folder, "remit/default", self.clock, self.place),
            sealing=await BaoSealingKeys.open(folder, self.clock, self.place),
            authority=await BaoAuthorityKeys.open(
                folder, "agents.example", entropy, self.clock, self.place, life=3 * WEEK, overlap=OVERLAP
            ),
            svids=await BaoTokenKeys.open(folder, self.clock, self.place, kind=KeyKind.SVID, overlap=OVERLAP),
        )

    @property
    def authority(self) -> AuthorityKeys:
        """Its authority."""
        assert self.keys.authority is not None
        return self.keys.authority

    def issuing(self) -> SvidIssuing:
        """Return what publishes its authorities and keys."""
        assert self.keys.svids is not None
        return SvidIssuing(
            trust_domain="agents.example",
            rules=(),
            authority=self.authority,
            svids=self.keys.svids,
            store=self.store,
            clock=self.clock,
            entropy=WorldEntropy(),
            tenant=TENANT,
            life=OVERLAP,
            own_uid=0,
        )

    def held(self, kind: KeyKind = KeyKind.CA) -> tuple[HeldKey, ...]:
        """Return the keys of a kind as this replica has them."""
        return tuple(one for one in self.rotations.held() if one.kind is kind)

    def standing(self, standing: KeyStanding, kind: KeyKind = KeyKind.CA) -> str:
        """Return the one key of a kind that stands so."""
        (found,) = [one.id for one in self.held(kind) if one.standing is standing]
        return found


@dataclass
class World:
    """Two replicas, opened, with nothing to do; each has its own clock."""

    first: Replica
    second: Replica

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        for one in (self.first, self.second):
            one.clock.advance(by.total_seconds())

    async def told(self, kind: KeyKind = KeyKind.CA) -> Facts:
        """Return what is on record of rotations of a kind; each names the key that the one before it
        named.
        """
        facts = [one for one in await self.first.facts() if one["kind"] == kind]
        for before, after in itertools.pairwise(facts):
            assert after["previous"] == before["key"]
        return facts


@pytest.fixture(params=["files", "openbao"])
async def world(request: pytest.FixtureRequest, tmp_path: Path, postgres: str) -> AsyncIterator[World]:
    """Keys in files, and in OpenBao."""
    bao = None
    if request.param == "openbao":
        bao = Bao(request.getfixturevalue("bao").address, lambda: TOKEN, WorldClock())
    place = Transit(bao, prefix=f"two-{next(_numbers)}") if bao is not None else None

    def replica(name: str) -> Replica:
        return Replica(
            tmp_path,
            WorldClock(),
            entropy=lambda seed: WorldEntropy(f"{name} {seed}"),
            postgres=postgres,
            place=place,
        )

    made = World(replica("first"), replica("second"))
    for one in (made.first, made.second):
        await one.open()
        await one.rotations.keep()
    yield made
    for one in (made.first, made.second):
        await one.store.close()
    if bao is not None:
        await bao.close()


class Stop:
    """Where a replica is stopped the first time that it comes there, until it is let go on."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def here(self) -> None:
        """Wait, the first time."""
        if not self.reached.is_set():
            self.reached.set()
            await self.go_on.wait()


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stop]:
    """What stops a replica before it does something."""

    def made(owner: object, name: str, only: Callable[..., bool] = lambda *_, **__: True) -> Stop:
        true, place = getattr(owner, name), Stop()

        async def doing(*arguments: Any, **named: Any) -> Any:
            if only(*arguments, **named):
                await place.here()
            return await true(*arguments, **named)

        monkeypatch.setattr(owner, name, doing)
        return place

    return made


@pytest.fixture
def before_turn(monkeypatch: pytest.MonkeyPatch) -> Callable[[Replica], Stop]:
    """What stops a replica that has looked and found something to do, before it waits for its turn."""
    monkeypatch.setattr("remit.adapters.keys.key_folder.TURN_PATIENCE_S", 60.0)

    def made(one: Replica) -> Stop:
        true, place = one.authority.turn, Stop()

        @asynccontextmanager
        async def turn() -> AsyncIterator[None]:
            await place.here()
            async with true():
                yield

        monkeypatch.setattr(one.authority, "turn", turn)
        return place

    return made


def records(unit: Unit) -> bool:
    """Whether a unit says which authority is the current one."""
    return any(isinstance(one, PutValue) and one.key == "key:ca" for one in unit.changes)


async def begun(place: Stop, doing: Awaitable[Any]) -> asyncio.Future[Any]:
    """Start an operation, and return once it is stopped there."""
    task, reached = asyncio.ensure_future(doing), asyncio.create_task(place.reached.wait())
    await asyncio.wait((task, reached), return_when=asyncio.FIRST_COMPLETED)
    assert not task.done(), task
    return task


async def test_a_key_that_two_find_due_is_replaced_once(
    world: World, before_turn: Callable[[Replica], Stop]
) -> None:
    """One looks, and another one replaces the key before it moves: it publishes what the other has made, and
    the key that is to be next is published for its time.
    """
    first, second = world.first, world.second
    following = first.standing(KeyStanding.NEXT)
    world.advance(WEEK)
    place, changed = before_turn(first), list[KeyKind]()
    looking = await begun(place, first.rotations.keep())
    await second.rotations.keep()
    first.rotations.events.changed.append(changed.append)
    place.go_on.set()
    await looking
    assert changed[0] is KeyKind.CA
    assert first.rotations.held() == second.rotations.held()
    assert first.authority.certificates == second.authority.certificates
    assert first.standing(KeyStanding.CURRENT) == following
    for kind in (KeyKind.CA, KeyKind.SVID):
        (told,) = await world.told(kind)
        assert (told["reason"], told["key"]) == ("age", first.standing(KeyStanding.CURRENT, kind))
    # Not before the next one has been there for a week, and then once.
    following = first.standing(KeyStanding.NEXT)
    world.advance(WEEK - timedelta(seconds=1))
    await asyncio.gather(first.rotations.keep(), second.rotations.keep())
    assert len(await world.told()) == 1
    world.advance(timedelta(seconds=1))
    await asyncio.gather(first.rotations.keep(), second.rotations.keep())
    assert len(await world.told()) == 2
    await first.rotations.look()
    assert first.standing(KeyStanding.CURRENT) == following


async def test_a_key_that_somebody_replaces_without_a_turn_is_replaced_once(
    world: World, stop: Callable[..., Stop]
) -> None:
    """Also in the moment after the last look; then the rotation is recorded as one that was found."""
    first, second = world.first, world.second
    world.advance(WEEK)
    place = stop(first.authority, "rotate")
    looking = await begun(place, first.rotations.keep())
    turned = await second.authority.rotate()
    place.go_on.set()
    await looking
    assert first.held() == second.held()
    assert first.standing(KeyStanding.CURRENT) == turned.id
    assert await world.told() == []
    for one in (first, second):
        await one.rotations.keep()
    assert [one.get("found") for one in await world.told()] == [True]


@pytest.mark.parametrize("by_hand", [False, True])
async def test_a_rotation_that_is_about_to_be_recorded_is_not_found(
    world: World, stop: Callable[..., Stop], before_turn: Callable[[Replica], Stop], by_hand: bool
) -> None:
    """Who looks in the middle waits for its turn, and then finds it on record, with who made it and why."""
    first, second = world.first, world.second
    if by_hand:
        doing: Awaitable[Any] = first.rotations.rotate(KeyKind.CA, by="root", reason="as planned")
    else:
        world.advance(WEEK)
        doing = first.rotations.keep()
    place, asked = stop(first.store, "commit", records), before_turn(second)
    asked.go_on.set()
    making = await begun(place, doing)
    looking = asyncio.create_task(second.rotations.keep())
    await asked.reached.wait()
    # What was made is taken over meanwhile.
    assert second.held() == first.held()
    assert await world.told() == []
    place.go_on.set()
    await asyncio.gather(making, looking)
    (told,) = await world.told()
    assert told["reason"] == ("as planned" if by_hand else "age")
    assert "found" not in told


async def test_a_rotation_whose_maker_is_gone_is_found_by_one(
    world: World, stop: Callable[..., Stop]
) -> None:
    """The next replica records it before anything else is made of the key; no other replica records it
    again.
    """
    first, second = world.first, world.second
    before = first.standing(KeyStanding.CURRENT)
    world.advance(WEEK)
    place = stop(first.store, "commit", records)
    (await begun(place, first.rotations.keep())).cancel()
    await second.rotations.look()
    found = second.standing(KeyStanding.CURRENT)
    assert found != before
    turned = await second.rotations.rotate(KeyKind.CA, by="root", reason="as planned")
    await first.open()
    for one in (first, second, first):
        await one.rotations.keep()
    assert await world.told() == [
        {"kind": "ca", "key": found, "previous": before, "found": True},
        {"kind": "ca", "key": turned.id, "previous": found, "reason": "as planned"},
    ]


async def test_two_that_find_the_same_rotation_record_it_once(world: World) -> None:
    """At the same moment, too."""
    turned = await world.first.authority.rotate()
    await asyncio.gather(*(one.rotations.keep() for one in (world.first, world.second)))
    assert [(one["key"], one["found"]) for one in await world.told()] == [(turned.id, True)]


async def test_a_record_that_arrives_after_its_maker_is_gone_is_the_only_one(
    world: World, stop: Callable[..., Stop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has found the rotation meanwhile is refused."""
    first, second = world.first, world.second
    world.advance(WEEK)
    place, true, arriving = Stop(), first.store.commit, list[asyncio.Task[Any]]()

    async def late(unit: Unit) -> None:
        await place.here()
        await true(unit)

    async def commit(unit: Unit) -> None:
        # As in a store: a commit that was begun completes, even if its caller stops waiting.
        arriving.append(asyncio.create_task(late(unit)))
        await asyncio.shield(arriving[-1])

    monkeypatch.setattr(first.store, "commit", commit)
    (await begun(place, first.rotations.keep())).cancel()
    finding = stop(second.store, "commit", records)
    looking = await begun(finding, second.rotations.keep())
    place.go_on.set()
    await asyncio.gather(*arriving)
    finding.go_on.set()
    await looking
    assert [one.get("reason") for one in await world.told()] == ["age"]


async def test_a_replica_whose_clock_is_ahead_is_early_once(world: World) -> None:
    """It finds a key old earlier by its lead. From then on no replica does before a period is over by any of
    the clocks, also when that clock is right again.
    """
    wrong, right = world.first, world.second
    following = right.standing(KeyStanding.NEXT)
    wrong.clock.jump(WEEK.total_seconds())
    await asyncio.gather(wrong.rotations.keep(), right.rotations.keep())
    assert [one["reason"] for one in await world.told()] == ["age"]
    for _ in range(7):
        for one in (right, wrong):
            await one.rotations.keep()
        assert len(await world.told()) == 1
        assert right.standing(KeyStanding.CURRENT) == following
        world.advance(WEEK / 7)
    wrong.clock.jump(-WEEK.total_seconds())
    await wrong.open()
    for _ in range(7):
        for one in (right, wrong):
            await one.rotations.keep()
        assert len(await world.told()) == 1
        world.advance(WEEK / 7)
    await asyncio.gather(wrong.rotations.keep(), right.rotations.keep())
    assert len(await world.told()) == 2


async def test_replicas_that_look_all_the_time_replace_each_key_once_in_a_period(world: World) -> None:
    """Each key was published for a whole period when it begins to sign, and then signs for one."""
    replicas, passed = (world.first, world.second), timedelta()
    published = {one.id: passed for one in world.first.held()}
    for quarter in range(1, 17):
        world.advance(WEEK / 4)
        passed += WEEK / 4
        await asyncio.gather(*(one.rotations.keep() for one in (*replicas, *reversed(replicas))))
        for one in world.first.held():
            published.setdefault(one.id, passed)
        assert passed - published[world.first.standing(KeyStanding.CURRENT)] >= WEEK * min(1, quarter // 4)
    for kind in (KeyKind.CA, KeyKind.SVID):
        assert [one["reason"] for one in await world.told(kind)] == ["age"] * 4


async def test_what_two_publish_at_once_has_two_sequences(world: World, stop: Callable[..., Stop]) -> None:
    """One has not taken over yet what the other has replaced; once it has, both publish the same."""
    first, second = world.first.issuing(), world.second.issuing()
    await world.first.rotations.rotate(KeyKind.CA, by="root")
    await world.second.rotations.look()
    await world.second.rotations.rotate(KeyKind.SVID, by="root")
    place = stop(world.first.store, "commit")
    publishing = await begun(place, first.refresh())
    await second.refresh()
    place.go_on.set()
    await publishing
    assert (first.bundle.sequence, second.bundle.sequence) == (2, 1)
    assert first.bundle.jwt_keys != second.bundle.jwt_keys
    await world.first.rotations.look()
    for one in (first, second):
        await one.refresh()
    assert first.document == second.document
