# SPDX-License-Identifier: Apache-2.0
"""Threat: who writes to the database, and has none of the keys, has a sealed secret opened where it does not
belong: it is moved to another row, or what its row says of it is changed.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from remit.core.errors import KeyUnavailable
from remit.ports.broker import UpstreamCredential
from remit.ports.store.changes import PutValue
from remit.ports.store.units import Unit
from remit.services.assembly.services import Services
from remit.services.identity.authenticator import secret_digest
from remit.services.identity.directory import NewPerson
from tests.gateways.connecting_gateway import Browser, connections, lease_at
from tests.gateways.leasing_gateway import LeasingGateway
from tests.servers.authorization_server import SECRET
from tests.servers.connecting_server import ConnectingAuthorities, connecting
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import call_world
from tests.worlds.credentials import desk_world

Json = Any

NOT_OPENED = r"has not connected|cannot be read"


class Thief(ScriptedBroker):
    """The broker of another upstream, whose server keeps what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[UpstreamCredential] = []

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Take a look, and then back."""
        self.shown.append(credential)
        await super().revoke(credential)

    async def probe(self, credential: UpstreamCredential) -> Any:
        """Take a look, and try."""
        self.shown.append(credential)
        return await super().probe(credential)


async def put(services: Services, key: str, value: Json) -> None:
    """Write a row as an attacker does who has the database alone."""
    await services.store.commit(Unit((PutValue(services.tenant, key, value),), tenant=services.tenant))


async def test_a_credential_is_shown_to_the_source_that_gave_it_alone(tmp_path: Path) -> None:
    """A row that says it is another upstream's shows that one nothing after a restart."""
    desk, mail = ScriptedBroker(), Thief()
    async with desk_world(tmp_path, desk) as world:
        _, token = await world.open()
        await world.call(token, "read")
        (row,) = await world.services.store.values(world.services.tenant, "lease:")
        await put(world.services, f"lease:{row['id']}", row | {"upstream": "mail"})
    brokers = {"desk": desk, "mail": mail}
    async with call_world(tmp_path, seed="again", settle=False, brokers=brokers, settle_s=0.05) as world:
        await world.reopen()
        assert await world.services.credentials.leases.recover() == 1
        await asyncio.sleep(0.1)
        assert not [one for one in mail.shown if one.secrets or one.headers or one.handle]
        await world.services.credentials.leases.stop()


@pytest.fixture
def server() -> Iterator[ConnectingAuthorities]:
    """The authorization server."""
    with connecting() as made:
        yield made


@pytest.fixture
def gateway(tmp_path: Path, server: ConnectingAuthorities) -> Iterator[LeasingGateway]:
    """A gateway whose `crm` ana has connected, and bob has not."""
    with (
        mock.patch.dict(os.environ, {"CRM_CLIENT_SECRET": SECRET}),
        LeasingGateway(tmp_path, lease_at(server)) as made,
    ):
        browser = Browser(made)
        browser.connect()
        browser.http.close()
        yield made


def row_of(gateway: LeasingGateway) -> Json:
    """Return the row of ana's connection."""
    (row,) = gateway.wait(gateway.services.store.values(gateway.services.tenant, "connection:"))
    return row


def place_of(upstream: str, person: str) -> str:
    """Return where a connection is kept."""
    return f"connection:{upstream}:{secret_digest(person)}"


@pytest.mark.parametrize("changed", [{}, {"person": "bob"}])
def test_a_connection_that_was_copied_to_another_person_acts_for_nobody(
    gateway: LeasingGateway, server: ConnectingAuthorities, changed: dict[str, str]
) -> None:
    """Neither as it is nor with the other's name in it; the one that was copied goes on."""

    async def bob() -> None:
        await gateway.services.identity.directory.add_person(NewPerson(name="bob"), by="ana")

    gateway.wait(bob())
    gateway.wait(put(gateway.services, place_of("crm", "bob"), row_of(gateway) | changed))
    used, kept = len(server.refreshes), connections(gateway)

    async def use(token: str) -> tuple[str, str]:
        return token, ""

    task = mock.Mock(on_behalf_of="bob")
    with pytest.raises(KeyUnavailable, match=NOT_OPENED):
        gateway.wait(kept.used("crm", task, use))
    gateway.wait(kept.sweep())
    assert len(server.refreshes) == used
    _, token = gateway.open("ana")
    gateway.call(token)


def test_a_connection_is_not_shown_to_another_upstreams_server(
    gateway: LeasingGateway, server: ConnectingAuthorities
) -> None:
    """A row that was copied to another upstream, or says that another server gave it, opens nothing."""
    kept, row = connections(gateway), row_of(gateway)
    elsewhere = mock.Mock(place="https://elsewhere.example/token")
    kept.connectors["elsewhere"] = elsewhere

    async def use(token: str) -> tuple[str, str]:
        return token, ""

    task = mock.Mock(on_behalf_of="ana")
    for changed in ({}, {"place": elsewhere.place}, {"place": elsewhere.place, "upstream": "elsewhere"}):
        gateway.wait(put(gateway.services, place_of("elsewhere", "ana"), row | changed))
        with pytest.raises(KeyUnavailable, match=NOT_OPENED):
            gateway.wait(kept.used("elsewhere", task, use))
        gateway.wait(put(gateway.services, place_of("elsewhere", "ana"), row | changed | {"ending": True}))
        gateway.wait(kept.sweep())
    assert not elsewhere.revoke.called
    gateway.wait(put(gateway.services, place_of("elsewhere", "ana"), None))
    assert server.alive()
