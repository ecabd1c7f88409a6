# SPDX-License-Identifier: Apache-2.0
"""When one replica may act: from its first lease to its last, and how it and others are taken for gone."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from remit.core.endings.closure import Closing
from remit.core.errors import Conflict, OutOfForce, StoreUnavailable
from remit.core.evidence.event import EventKind
from remit.core.replicas.replica import SILENT_LEASES, Acknowledgement, longest_s, outlived_s
from remit.core.scope import Raised
from remit.ports.store.replicas import DeclareDead, FenceAck, FleetSight
from remit.services.replicas.replica_lease import Acknowledgements, Replicas, ReplicaStanding
from tests.worlds.replica_lease import LEASE_S, ME, OTHER, SCOPE, Kept, a_replica, turns
from tests.worlds.values import START, TENANT, RunningClock, WorldClock, WorldEntropy

Json = Any
GONE_S = SILENT_LEASES * outlived_s(LEASE_S)


async def test_who_is_alone_asks_nobody_and_may_always_act() -> None:
    """It waits for no one at an end, and stands in no list."""
    store: Json = None
    alone = Replicas(fleet=None, store=store, clock=WorldClock(), entropy=WorldEntropy(), tenant=TENANT)
    for step in (alone.enter, alone.renew, alone.keep_up):
        await step()
    await alone.describe(bundle="b", version="1")
    assert (alone.several, alone.holds(), alone.state) == (False, True, "alone")
    assert await alone.gathered(Raised(SCOPE, 1), 0.0, 1.0) == Acknowledgements()
    assert alone.standing() == []
    await alone.leave()
    alone.check()


async def test_a_replica_enters_with_its_seal_and_may_act_from_its_first_lease_on() -> None:
    """It says which incarnation it is, since when, and that it holds the keys of the gateway."""
    world = Kept()
    world.replicas._seal = lambda replica, address: f"{replica} at {address}"
    await world.replicas.renew()
    assert world.fleet.done == []
    assert world.replicas.standing() == []
    await world.enter()
    assert world.fleet.done == ["join", "renew"]
    (me,) = world.fleet.joined
    assert (me.id, me.joined, me.seal) == (ME, START, f"{ME} at http://me")
    assert (world.replicas.several, world.replicas.state) == (True, "fenced")
    world.sees(sent_s=world.clock.boot_s())
    assert world.replicas.state == "leased"
    world.replicas.check()
    await world.replicas.renew()
    assert world.fleet.done == ["join", "renew", "renew"]


async def test_a_lease_that_ran_out_is_counted_once_when_it_comes_back() -> None:
    """The first one is no lapse, and neither is one that was renewed in time."""
    world = Kept()
    await world.leased()
    world.clock.advance(LEASE_S / 2)
    world.sees(sent_s=world.clock.boot_s())
    assert world.replicas.lapses == 0
    world.clock.advance(LEASE_S)
    world.sees()
    assert (world.replicas.lapses, world.replicas.state) == (0, "fenced")
    world.sees(sent_s=world.clock.boot_s())
    world.sees(sent_s=world.clock.boot_s())
    assert (world.replicas.lapses, world.replicas.state) == (1, "leased")


async def test_who_is_silent_for_two_leases_is_buried_and_told_of_once() -> None:
    """Not before; what was seen of it last is what it is buried by."""
    world = Kept()
    await world.leased(a_replica(OTHER, renewed=7), a_replica("writer_lively", renewed=1))
    for passes_s, count in ((GONE_S - 0.001, 0), (0.002, 1)):
        world.clock.advance(passes_s)
        world.tells(
            sent_s=world.clock.boot_s(),
            replicas=(a_replica(OTHER, renewed=7), a_replica("writer_lively", renewed=count + 2)),
        )
        await world.replicas.keep_up()
        await turns()
        assert len(world.units) == count
    assert world.fleet.done.count("check") == 2
    (unit,) = world.units
    assert unit.changes == (DeclareDead(TENANT, OTHER, 7),)
    (told,) = unit.events
    assert (told.kind, told.tenant, told.at) == (EventKind.REPLICA_GONE, TENANT, world.clock.now())
    assert told.facts == {"replica": OTHER, "host": OTHER}
    assert world.gone == [OTHER]
    assert world.replicas.others.keys() == {"writer_lively"}
    world.tells(replicas=(a_replica(ME), a_replica("writer_lively", renewed=4)))
    await turns()
    assert world.gone == [OTHER]


async def test_who_has_no_lease_buries_nobody_and_forgets_how_long_others_were_silent() -> None:
    """It could not look: perhaps it was cut off, and not they."""
    world = Kept()
    await world.leased(a_replica(OTHER))
    world.clock.advance(GONE_S + 1)
    await world.replicas.keep_up()
    assert world.units == []
    await world.replicas.renew()
    assert [one.silent_s for one in world.replicas.standing()][1:] == [None]
    world.sees(sent_s=world.clock.boot_s(), others=(a_replica(OTHER),))
    await world.replicas.keep_up()
    assert world.units == []
    world.clock.advance(LEASE_S / 2)
    await world.replicas.renew()
    assert [one.silent_s for one in world.replicas.standing()][1:] == [LEASE_S / 2]


async def test_who_has_renewed_meanwhile_is_not_gone_and_may_be_buried_later() -> None:
    """Or another replica was faster: the store refuses, and no caller is notified."""
    world = Kept()
    await world.leased(a_replica(OTHER))
    world.clock.advance(GONE_S + 0.001)
    world.sees(sent_s=world.clock.boot_s(), others=(a_replica(OTHER),))
    world.refuses = Conflict("it lives")
    await world.replicas.keep_up()
    await turns()
    assert (len(world.units), world.gone, list(world.replicas.others)) == (1, [], [OTHER])
    world.refuses = None
    await asyncio.gather(world.replicas.keep_up(), world.replicas.keep_up())
    await turns()
    assert (len(world.units), world.gone) == (2, [OTHER])


async def test_others_that_are_no_longer_seen_are_told_of_and_every_look_is_passed_on() -> None:
    """One that left in order is gone, too."""
    world = Kept()
    seen: list[FleetSight] = []
    world.replicas.events.changed.append(seen.append)
    await world.leased(a_replica(OTHER), a_replica("writer_third"))
    world.sees(others=(a_replica("writer_third"),))
    await turns()
    assert world.gone == [OTHER]
    assert [len(one.replicas) for one in seen] == [3, 2]


async def test_what_was_raised_is_cut_before_the_lease_in_the_same_look_counts() -> None:
    """And the ender is told so in this replica's name, later of what takes longer."""
    world = Kept()
    await world.enter()
    could_act: list[bool] = []

    async def later() -> FenceAck:
        return FenceAck(scope=SCOPE, epoch=3, replica="", closings=(Closing("token", "t", 1.0),))

    def react(raised: tuple[Raised, ...]) -> tuple[list[FenceAck], list[Awaitable[FenceAck]]]:
        could_act.append(world.replicas.holds())
        now = [FenceAck(scope=one.scope, epoch=one.epoch, replica="", settled=False) for one in raised]
        return now, [later()]

    world.replicas.events.react = react
    world.tells(sent_s=world.clock.boot_s(), raised=(Raised(SCOPE, 3),))
    assert (could_act, world.replicas.holds()) == ([False], True)
    await turns()
    assert [(one.replica, one.epoch, one.settled) for one in world.fleet.acked] == [
        (ME, 3, False),
        (ME, 3, True),
    ]
    world.tells()
    await turns()
    assert (len(could_act), len(world.fleet.acked)) == (1, 2)


async def test_an_acknowledgement_that_is_not_taken_harms_nobody_here(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It costs the ender a lease; it is logged, and the next look is taken in as ever."""
    world = Kept()
    await world.leased()
    world.replicas.events.react = lambda raised: ([FenceAck(scope=SCOPE, epoch=1, replica="")], [])
    world.fleet.faults = [StoreUnavailable("the store is lost")]
    world.tells(raised=(Raised(SCOPE, 1),))
    await turns()
    assert (world.fleet.done[-1], world.fleet.acked) == ("acknowledge", [])
    assert [(one.levelname, one.message) for one in caplog.records] == [("WARNING", "the store is lost")]
    assert not world.replicas._background
    world.sees(sent_s=world.clock.boot_s())
    assert world.replicas.holds()


async def test_who_was_taken_for_gone_stops_at_once_and_comes_back_as_another() -> None:
    """What it had is let go before it joins again; where the store refuses that, it tries once more."""
    world = Kept(lease_s=0.003)
    order: list[str] = []

    async def lost() -> None:
        order.extend(["lost", *world.fleet.done[2:]])

    world.replicas.events.lost.append(lost)
    await world.leased()
    world.fleet.faults = [StoreUnavailable("not yet")]
    world.tells(gone=True, sent_s=world.clock.boot_s(), raised=(Raised(SCOPE, 1),))
    assert not world.replicas.holds()
    with pytest.raises(OutOfForce):
        world.replicas.check()
    world.tells(gone=True)
    await world.fleet.back.wait()
    await turns()
    assert order == ["lost"]
    assert world.fleet.done == ["join", "renew", "join", "join", "renew"]
    first, *again = world.fleet.joined
    assert {one.id for one in again} != {first.id}
    assert all(one.id.startswith("writer_") for one in again)
    assert world.replicas.lapses == 1
    assert world.replicas.standing()[0].replica.id == again[-1].id
    world.tells(gone=True)
    await turns()
    assert world.replicas.lapses == 2


async def test_who_has_left_may_not_act_and_does_not_come_back() -> None:
    """Whatever it was still to tell is left untold."""
    world = Kept()
    await world.leased()
    never: asyncio.Future[FenceAck] = asyncio.get_running_loop().create_future()
    later: list[Awaitable[FenceAck]] = [never]
    world.replicas.events.react = lambda raised: ([], later)
    world.tells(raised=(Raised(SCOPE, 1),))
    await turns()
    await world.replicas.leave()
    assert never.cancelled()
    assert world.fleet.done[-1] == "leave"
    assert not world.replicas.holds()
    world.tells(gone=True)
    await turns()
    assert world.fleet.done[-1] == "leave"
    assert world.replicas.lapses == 0


async def test_an_ender_that_cannot_look_waits_out_the_longest_lease() -> None:
    """It waits out its own lease where no other lease is longer: a replica may have entered that it has not
    seen.
    """
    for other_s, waits_s in ((LEASE_S / 2, outlived_s(LEASE_S)), (2 * LEASE_S, outlived_s(2 * LEASE_S))):
        world = Kept()
        await world.leased(a_replica(OTHER, lease_s=other_s))
        world.fleet.faults = [StoreUnavailable("the store is lost")]
        ack = FenceAck(scope=SCOPE, epoch=1, replica=OTHER)
        waiting = asyncio.create_task(world.replicas.gathered(Raised(SCOPE, 1), world.clock.boot_s(), 0.0))
        await turns()
        world.clock.advance(waits_s - 0.001)
        world.sees(ack, others=(a_replica(OTHER, lease_s=other_s),))
        await turns()
        assert not waiting.done()
        world.clock.advance(0.002)
        world.sees(ack, others=(a_replica(OTHER, lease_s=other_s),))
        assert (await waiting).heard == {OTHER}
        world.replicas.recorded(Raised(SCOPE, 1))
        await turns()
        assert world.fleet.forgotten == [(SCOPE, 1)]


async def test_an_ender_that_sees_nothing_more_goes_on_when_the_leases_are_over() -> None:
    """The store is lost for good, it may be: no look comes."""
    world = Kept(lease_s=0.003)
    world.clock = RunningClock()
    world.replicas._clock = world.clock
    await world.leased(a_replica(OTHER, lease_s=0.003))
    async with asyncio.timeout(60):
        found = await world.replicas.gathered(Raised(SCOPE, 1), world.clock.boot_s(), 0.0)
    assert found.silent


async def test_the_lease_of_one_that_is_buried_meanwhile_is_still_waited_out() -> None:
    """It may act until then, even if another replica counts it as gone."""
    world = Kept()
    await world.leased(a_replica(OTHER))
    waiting = asyncio.create_task(world.replicas.gathered(Raised(SCOPE, 1), world.clock.boot_s(), 0.0))
    await turns()
    world.clock.advance(outlived_s(LEASE_S) - 0.001)
    world.sees()
    await turns()
    assert not waiting.done()
    (told,) = (await waiting).acknowledged
    assert told == Acknowledgement(OTHER, OTHER, None)


async def test_who_answers_is_told_with_when_and_the_rest_of_the_wait_is_spared() -> None:
    """In milliseconds since the end began, by name."""
    world = Kept()
    others = (a_replica(OTHER), a_replica("writer_a"))
    await world.leased(*others)
    started_s = world.clock.boot_s() - 0.1
    waiting = asyncio.create_task(world.replicas.gathered(Raised(SCOPE, 1), started_s, 0.0))
    await turns()
    acks: list[FenceAck] = []
    for name in (OTHER, "writer_a"):
        assert not waiting.done()
        world.clock.advance(0.2)
        acks.append(FenceAck(scope=SCOPE, epoch=1, replica=name))
        world.sees(*acks, others=others)
        await turns()
    found = await waiting
    assert found.acknowledged == (
        Acknowledgement("writer_a", "writer_a", 500.0),
        Acknowledgement(OTHER, OTHER, 300.0),
    )
    assert not found.silent
    assert world.replicas.times.by_kind() == {"acknowledged": (500.0, 500.0)}


@pytest.mark.parametrize("settles", [True, False])
async def test_credentials_of_others_are_waited_for_and_no_longer_than_an_end_waits(settles: bool) -> None:
    """What is open then is listed as it stands."""
    world = Kept()
    others = (a_replica(OTHER),)
    await world.leased(*others)
    waiting = asyncio.create_task(world.replicas.gathered(Raised(SCOPE, 1), world.clock.boot_s(), 1.0))
    await turns()
    still, dead = Closing("scripted", "door", None), Closing("scripted", "door", 4.0)
    world.sees(FenceAck(scope=SCOPE, epoch=1, replica=OTHER, closings=(still,), settled=False), others=others)
    await turns()
    assert not waiting.done()
    world.clock.advance(0.5 if settles else 1.0)
    word = FenceAck(
        scope=SCOPE, epoch=1, replica=OTHER, closings=(dead if settles else still,), settled=settles
    )
    world.sees(word, others=others)
    assert (await waiting).closings == ((dead,) if settles else (still,))


async def test_each_replica_is_listed_with_how_long_it_was_silent_this_one_first() -> None:
    """Its own silence counts from when its last renewal was sent."""
    world = Kept()
    await world.leased(a_replica(OTHER))
    world.clock.advance(0.5)
    mine, other = world.replicas.standing()
    assert (mine.replica.id, mine.silent_s, mine.late) == (ME, 0.5, False)
    assert other == ReplicaStanding(a_replica(OTHER), 0.5)
    world.clock.advance(outlived_s(LEASE_S))
    assert [one.late for one in world.replicas.standing()] == [True, True]


async def test_what_a_replica_is_is_told_again_only_where_it_has_changed() -> None:
    """And not before it has entered."""
    world = Kept()
    said = {"bundle": "sha256:a", "version": "1.0"}
    await world.replicas.describe(**said)
    assert world.fleet.stated == []
    await world.enter()
    for change in ({}, {}, {"bundle": "sha256:b"}, {"version": "1.1"}):
        said |= change
        await world.replicas.describe(**said)
    told = [(one.id, one.bundle, one.version) for one in world.fleet.stated]
    assert told == [
        (ME, "sha256:a", "1.0"),
        (ME, "sha256:b", "1.0"),
        (ME, "sha256:b", "1.1"),
    ]


def test_the_longest_lease_of_nobody_is_none() -> None:
    """An ender that is alone waits for nothing."""
    assert longest_s([]) == 0.0
    assert longest_s([a_replica(OTHER, lease_s=1.0), a_replica(ME, lease_s=3.0)]) == 3.0
