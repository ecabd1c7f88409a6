# SPDX-License-Identifier: Apache-2.0
"""No content that a transmitter may write into an event, and nothing that happens beside it, keeps a subject
in service.
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.errors import Fenced
from remit.core.signals.signal import SignalKind
from remit.ports.store.changes import PutPerson
from remit.ports.store.units import Receipt, Unit
from tests.worlds.signals import signals_world, user

Json = Any


@pytest.mark.parametrize("value", [["compliant"], {"is": "compliant"}, 1, None])
async def test_a_value_of_another_form_counts_as_worse(tmp_path: Path, value: Json) -> None:
    """The event is processed, so that no value leaves an event that no start can finish, or a start that
    fails.
    """
    async with signals_world(tmp_path) as world:
        _, token = await world.open()
        payload = {"current_status": value}
        one = world.event(SignalKind.DEVICE_COMPLIANCE_CHANGE, payload=payload)
        assert (await world.push(one)).status == 202
        with pytest.raises(Fenced):
            await world.call(token, "read")
        assert await world.services.signals.heard.resume() == 0


async def test_somebody_who_signs_in_meanwhile_is_out_of_service_all_the_same(tmp_path: Path) -> None:
    """A sign-in that brings other groups changes the person between the look and the commit."""
    async with signals_world(tmp_path) as world:
        store, commit, left = world.services.store, world.services.store.commit, [2]

        async def beside(unit: Unit, **more: Json) -> Receipt:
            leaves = any(isinstance(one, PutPerson) and not one.person.active for one in unit.changes)
            if leaves and left[0]:
                left[0] -= 1
                lena = await store.person(world.services.tenant, "lena")
                assert lena is not None
                await commit(Unit((PutPerson(msgspec.structs.replace(lena, groups=(f"now-{left[0]}",))),)))
            return await commit(unit, **more)

        store.commit = beside  # type: ignore[method-assign]
        assert (await world.push(world.event(SignalKind.ACCOUNT_DISABLED))).status == 202
        lena = await world.services.identity.directory.person("lena")
        assert not lena.active
        assert left == [0]


async def test_a_person_by_several_names_in_one_part_is_that_person(tmp_path: Path) -> None:
    """RFC 9493 section 3.2.8: each of the aliases names the same one; an event about them is not lost."""
    async with signals_world(tmp_path) as world:
        _, token = await world.open()
        stranger = {"format": "email", "email": "lena@elsewhere.example"}
        about = {"format": "complex", "user": {"format": "aliases", "identifiers": [stranger, user()]}}
        assert (await world.push(world.event(SignalKind.SESSION_REVOKED, about))).status == 202
        with pytest.raises(Fenced):
            await world.call(token, "read")
