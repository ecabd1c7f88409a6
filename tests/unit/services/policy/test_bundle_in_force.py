# SPDX-License-Identifier: Apache-2.0
"""The bundle in force: replaced whole or not at all, and never out of step with tools and agents."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.decisions.decision import Outcome
from remit.core.errors import ConfigInvalid, StoreUnavailable
from remit.core.evidence.event import EventKind
from tests.worlds.calls import CallWorld, a_bundle, call_world, full_disk
from tests.worlds.services import PERMIT, make_services
from tests.worlds.values import WorldClock


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A gateway with a desk."""
    async with call_world(tmp_path) as made:
        yield made


BROKEN = '@id("x")\n@reason("r")\npermit (principal, action, resource) when { resource.nothing };\n'


async def test_before_the_first_bundle_nothing_is_in_force(tmp_path: Path) -> None:
    """A caller gets an error that reports it."""
    services = make_services(tmp_path, WorldClock())
    with pytest.raises(ConfigInvalid):
        _ = services.policies.applied
    await services.policies.refresh()
    await services.store.close()


async def test_a_bundle_that_is_not_sound_changes_nothing(world: CallWorld) -> None:
    """The one before stays in force, and no event says otherwise."""
    before = world.services.policies.applied
    with pytest.raises(ConfigInvalid) as refused:
        await world.services.policies.apply(a_bundle(BROKEN, "sha256:broken"), by="root")
    assert "nothing" in str(refused.value)
    assert world.services.policies.applied is before
    assert len(await world.facts(EventKind.BUNDLE_APPLIED)) == 1
    assert await world.services.policies.check(a_bundle(BROKEN))
    assert await world.services.policies.check(a_bundle()) == []


async def test_what_is_applied_holds_from_the_next_call_on(world: CallWorld) -> None:
    """For tasks that are open already; the evidence names both digests."""
    _, token = await world.open()
    forbid = '@id("no")\n@reason("closed")\nforbid (principal, action, resource);\n'
    await world.services.policies.apply(a_bundle(PERMIT + forbid, "sha256:closed"), by="root")
    assert await world.outcome(token, "read") is Outcome.DENY
    told = (await world.facts(EventKind.BUNDLE_APPLIED))[-1]
    assert (told["bundle"], told["previous"]) == ("sha256:closed", "sha256:desk")


async def test_what_cannot_be_recorded_is_not_applied(world: CallWorld) -> None:
    """A full disk leaves the bundle in force in force."""
    before = world.services.policies.applied
    # Facts of a bundle are small: one with a very long digest needs room.
    with full_disk(world), pytest.raises(StoreUnavailable):
        await world.services.policies.apply(a_bundle(digest="sha256:" + "0" * 400_000), by="root")
    assert world.services.policies.applied is before


async def test_the_schema_follows_the_registered_tools(world: CallWorld) -> None:
    """A tool that is offered later can be named in a policy from then on."""
    assert "desk/late" not in await world.services.policies.schema()
    world.desk.surfaces["late"] = world.desk.surfaces["read"] | {"name": "late"}
    await world.learn()
    assert "desk/late" in await world.services.policies.schema()


async def test_of_several_a_start_brings_nothing_back_that_was_replaced(world: CallWorld) -> None:
    """What is in force is taken over, what is new is put in force, and going back takes a word."""
    policies = world.services.policies
    first, second = a_bundle(digest="sha256:first"), a_bundle(digest="sha256:second")
    await policies.begin(first, by="remit", go_back=False)
    await policies.begin(second, by="remit", go_back=False)
    told = await world.facts(EventKind.BUNDLE_APPLIED)
    await policies.begin(second, by="remit", go_back=False)
    assert await world.facts(EventKind.BUNDLE_APPLIED) == told
    with pytest.raises(ConfigInvalid) as refused:
        await policies.begin(first, by="remit", go_back=False)
    assert refused.value.code == "bundle-replaced"
    assert policies.digest == await policies.in_force() == "sha256:second"
    await policies.begin(first, by="remit", go_back=True)
    assert policies.digest == await policies.in_force() == "sha256:first"
    assert [await policies.replaced(one) for one in (first, second)] == [False, True]
