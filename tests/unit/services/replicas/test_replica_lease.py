# SPDX-License-Identifier: Apache-2.0
"""One replica among others, on clocks that move only when they are told to: leases, and word of ends."""

import asyncio

import pytest

from remit.core.endings.closure import Indeterminate
from remit.core.errors import OutOfForce
from remit.core.replicas.replica import DRIFT, SILENT_LEASES, OwnLease, Watch, outlived_s
from remit.core.scope import Raised
from remit.ports.store.replicas import FenceAck
from remit.services.replicas.replica_lease import Acknowledgements, ReplicaStanding
from tests.worlds.replica_lease import LEASE_S, OTHER, SCOPE, World, a_replica, turns


async def test_a_lease_runs_from_when_its_renewal_was_sent() -> None:
    """However long the answer took; one that took a whole lease gives none."""
    world = World()
    await world.enter()
    sent_s = world.clock.boot_s()
    world.clock.advance(LEASE_S / 2)
    world.sees(sent_s=sent_s)
    assert world.replicas.holds()
    world.clock.advance(LEASE_S / 2 - 0.001)
    assert world.replicas.holds()
    world.clock.advance(0.001)
    assert not world.replicas.holds()
    with pytest.raises(OutOfForce) as refused:
        world.replicas.check()
    assert refused.value.code == "replica-fenced"
    sent_s = world.clock.boot_s()
    world.clock.advance(LEASE_S)
    world.sees(sent_s=sent_s)
    assert not world.replicas.holds()


def test_a_late_answer_shortens_no_lease_and_a_look_without_a_renewal_gives_none() -> None:
    """Answers come in any order."""
    lease = OwnLease(LEASE_S)
    assert not lease.holds(0.0)
    lease.renewed(10.0)
    lease.renewed(9.0)
    assert lease.holds(10.0 + LEASE_S - 0.001)
    assert not lease.holds(10.0 + LEASE_S)
    lease.give_up()
    assert not lease.holds(10.0)


async def test_a_look_renews_nothing() -> None:
    """It was no renewal."""
    world = World()
    await world.enter()
    world.sees()
    assert not world.replicas.holds()


async def gathering(world: World, epoch: int = 2) -> "asyncio.Task[Acknowledgements]":
    """Begin to wait for what the other one makes of an end."""
    await world.enter()
    world.sees(sent_s=world.clock.boot_s(), others=(a_replica(OTHER),))
    raised = Raised(SCOPE, epoch)
    waiting = asyncio.create_task(world.replicas.gathered(raised, world.clock.boot_s(), 0.0))
    await turns()
    return waiting


async def test_a_silent_replica_is_waited_for_as_long_as_its_clock_may_be_slow() -> None:
    """Its lease and the drift, on the ender's own clock; then it is named as one that said nothing."""
    world = World()
    waiting = await gathering(world)
    for passes_s in (LEASE_S, LEASE_S * DRIFT - 0.001):
        world.clock.advance(passes_s)
        world.sees(others=(a_replica(OTHER),))
        await turns()
        assert not waiting.done()
    world.clock.advance(0.002)
    world.sees(others=(a_replica(OTHER),))
    (told,) = (await waiting).acknowledged
    assert (told.replica, told.after_ms) == (OTHER, None)


@pytest.mark.parametrize(("epoch", "counts"), [(1, False), (2, True), (3, True)])
async def test_word_about_an_earlier_end_is_none_about_this_one(epoch: int, counts: bool) -> None:
    """The replica's later calls would be on no list. A report about a later end holds for both."""
    world = World()
    waiting = await gathering(world, epoch=2)
    listed = Indeterminate("dec_1", "mail/send", "irreversible")
    ack = FenceAck(scope=SCOPE, epoch=epoch, replica=OTHER, indeterminate=(listed,))
    world.clock.advance(0.1)
    world.sees(ack, others=(a_replica(OTHER),))
    await turns()
    assert waiting.done() is counts
    world.clock.advance(outlived_s(LEASE_S))
    world.sees(ack, others=(a_replica(OTHER),))
    found = await waiting
    assert found.heard == ({OTHER} if counts else frozenset())
    assert found.indeterminate == ((listed,) if counts else ())
    assert found.silent == (frozenset() if counts else {OTHER})


@pytest.mark.parametrize("other", ["scope", "replica"])
async def test_word_about_something_else_is_none(other: str) -> None:
    """A report of another scope, or of a replica that the end does not wait for, does not count."""
    world = World()
    waiting = await gathering(world)
    ack = FenceAck(
        scope="task:tsk_2" if other == "scope" else SCOPE,
        epoch=2,
        replica=OTHER if other == "scope" else "writer_third",
    )
    world.sees(ack, others=(a_replica(OTHER),))
    await turns()
    assert not waiting.done()
    world.clock.advance(outlived_s(LEASE_S))
    world.sees(others=(a_replica(OTHER),))
    assert (await waiting).heard == frozenset()


def test_who_is_silent_is_told_by_ones_own_clock_and_the_drift() -> None:
    """Two leases of its clock, counted from when another count of renewals was seen."""
    watch, long_s = Watch(), SILENT_LEASES * outlived_s(LEASE_S)
    watch.saw([a_replica(OTHER, renewed=1)], 10.0)
    watch.saw([a_replica(OTHER, renewed=1)], 11.0)
    assert watch.age_s(OTHER, 12.0) == 2.0
    assert watch.silent([a_replica(OTHER)], 10.0 + long_s - 0.001) == []
    assert [one.id for one in watch.silent([a_replica(OTHER)], 10.0 + long_s + 0.001)] == [OTHER]
    watch.forget()
    assert watch.age_s(OTHER, 12.0) is None
    watch.saw([a_replica(OTHER, renewed=1)], 0.0)
    assert [one.id for one in watch.silent([a_replica(OTHER)], long_s)] == [OTHER]
    watch.saw([a_replica(OTHER, renewed=2)], 13.0)
    assert watch.age_s(OTHER, 13.0) == 0.0
    assert watch.silent([a_replica("writer_third")], 1000.0) == []


def test_a_replica_is_late_once_its_lease_has_run_out_on_any_clock() -> None:
    """Not before: it may still act."""
    for silent_s, late in ((outlived_s(LEASE_S) - 0.001, False), (outlived_s(LEASE_S), True), (None, False)):
        assert ReplicaStanding(a_replica(OTHER), silent_s).late is late
    assert outlived_s(LEASE_S) == pytest.approx(LEASE_S * 1.01)
