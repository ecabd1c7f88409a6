# SPDX-License-Identifier: Apache-2.0
"""Two changes of one agent or person at the same moment: neither undoes the other, in whichever order."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from remit.core.errors import RemitError
from remit.core.identity.principals import AgentState, Role
from remit.core.identity.workload import KeyBinding, workload_of
from remit.services.identity.directory import NewPerson
from tests.worlds.services import ServiceWorld, service_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway with people and agents."""
    async with service_world(tmp_path) as opened:
        yield opened


def a_key() -> KeyBinding:
    """Return a new key as a way to prove oneself."""
    key = ECKey.generate_key("P-256").as_dict(private=False)
    return KeyBinding({name: str(value) for name, value in key.items() if name != "kid"})


async def test_a_suspension_is_not_undone_by_another_change(world: ServiceWorld) -> None:
    """A manifest, an owner or a binding that is written at the same moment leaves the agent suspended."""
    directory = world.services.identity.directory
    await asyncio.gather(
        directory.move("contract-bot", AgentState.SUSPENDED, by="root", reason="odd"),
        directory.set_manifest("contract-bot", "sha256:" + "0" * 64, by="root"),
        directory.set_owner("contract-bot", "leo", by="root"),
        directory.bind("contract-bot", a_key(), by="root"),
    )
    agent = await directory.agent("contract-bot")
    assert (agent.state, agent.owner, len(agent.bindings)) == (AgentState.SUSPENDED, "leo", 2)
    assert agent.manifest_digest


async def test_a_leaked_key_does_not_come_back_by_another_change(world: ServiceWorld) -> None:
    """The key that was taken away stays away, and so do the tokens that were issued for it."""
    directory = world.services.identity.directory
    leaked = (await directory.agent("contract-bot")).bindings[0]
    new = a_key()
    await directory.bind("contract-bot", new, by="root")
    await asyncio.gather(
        directory.set_manifest("contract-bot", "sha256:" + "1" * 64, by="root"),
        directory.unbind("contract-bot", workload_of(leaked), by="root", reason="leaked"),
        directory.set_owner("contract-bot", "leo", by="root"),
    )
    agent = await directory.agent("contract-bot")
    assert (agent.bindings, agent.owner) == ((new,), "leo")
    assert agent.tokens_from > world.clock.now().timestamp()


async def test_a_deactivation_is_not_undone_by_another_change(world: ServiceWorld) -> None:
    """New roles, a sign-out or a code at the same moment leave the person out of service."""
    personnel, directory = world.services.identity.personnel, world.services.identity.directory
    for number in range(4):
        name = f"guest-{number}"
        await directory.add_person(NewPerson(name=name), by="root")
        done = await asyncio.gather(
            personnel.sign_out(name, by="root"),
            personnel.deactivate(name, by="root", reason="left"),
            personnel.change_roles(name, frozenset({Role.OPERATOR}), by="root"),
            personnel.sign_out(name, by="root"),
            return_exceptions=True,
        )
        assert not [one for one in done if isinstance(one, Exception) and not isinstance(one, RemitError)]
        person = await directory.person(name)
        assert (person.active, person.roles) == (False, frozenset({Role.OPERATOR}))


async def test_the_last_administrators_do_not_end_each_other(world: ServiceWorld) -> None:
    """Of two who deactivate each other at once, one stays."""
    personnel, directory = world.services.identity.personnel, world.services.identity.directory
    await directory.add_person(NewPerson(name="rita", roles=(Role.ADMINISTRATOR,)), by="root")
    await asyncio.gather(
        personnel.deactivate("rita", by="root"),
        personnel.deactivate("root", by="rita"),
        return_exceptions=True,
    )
    left = [one for one in await directory.people() if one.active and Role.ADMINISTRATOR in one.roles]
    assert len(left) == 1
