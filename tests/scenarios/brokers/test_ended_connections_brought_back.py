# SPDX-License-Identifier: Apache-2.0
"""Threat: a connection that a person ends at one replica is brought back by another that is just using it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from remit.core.errors import KeyUnavailable, NotFound
from remit.services.assembly.services import Services
from remit.services.identity.directory import NewPerson
from remit.services.people.connections import Connections
from tests.worlds.services import make_services
from tests.worlds.values import WorldClock, WorldEntropy, WorldSealingKeys, a_task

TASK = a_task(on_behalf_of="lena")
BACK = "https://remit.example/oauth/account/arrive/crm"


class Authority:
    """An authorization server that gives a refresh token for each code, and knows those that are alive."""

    server = "crm.example"
    place = "https://crm.example/token"

    def __init__(self) -> None:
        self.alive: list[str] = []

    def address(self, *, redirect_uri: str, state: str, challenge: str) -> str:
        """Return the state alone."""
        return state

    async def redeem(self, *, code: str, issuer: str, redirect_uri: str, verifier: str) -> str:
        """Return a token that is named after the code."""
        self.alive.append(code)
        return code

    async def revoke(self, refresh: str) -> None:
        """Know it no more, and leave others alone."""
        if refresh in self.alive:
            self.alive.remove(refresh)

    async def refreshed(self, refresh: str, following: str) -> tuple[str, str]:
        """Return an access token, and another refresh token in place of the one that is shown."""
        assert refresh in self.alive
        self.alive[self.alive.index(refresh)] = following
        return "access", following


class Replicas:
    """Two processes on one store."""

    def __init__(self, services: Services, clock: WorldClock) -> None:
        self.services, self.clock = services, clock
        self.authority = Authority()
        self.one, self.other = (
            Connections(
                {"crm": self.authority},
                store=services.store,
                clock=clock,
                entropy=WorldEntropy(name),
                sealing=WorldSealingKeys(),
                tenant=services.tenant,
            )
            for name in ("one", "other")
        )

    async def connect(self, by: Connections, code: str) -> None:
        """Have lena connect it."""
        state = await by.leave_for("crm", person="lena", browser="b", redirect_uri=BACK)
        came = {"state": state, "code": code, "issuer": "", "at": "crm"}
        await by.arrive(**came, person="lena", browser="b", redirect_uri=BACK)


@pytest.fixture
async def replicas(tmp_path: Path) -> AsyncIterator[Replicas]:
    """Two of them, and lena."""
    clock = WorldClock(datetime.now(UTC))
    services = make_services(tmp_path, clock)
    await services.identity.directory.add_person(NewPerson(name="lena"), by="remit")
    yield Replicas(services, clock)
    await services.store.close()


async def test_what_was_ended_meanwhile_stays_ended(replicas: Replicas) -> None:
    """The token that came of the use is dead, too: no process knows of it."""
    one, other, authority = replicas.one, replicas.other, replicas.authority
    await replicas.connect(one, "first")

    async def use(refresh: str) -> tuple[str, str]:
        given = await authority.refreshed(refresh, "second")
        await other.disconnect("crm", "lena")
        return given

    with pytest.raises(KeyUnavailable, match="has been ended"):
        await one.used("crm", TASK, use)
    await one.sweep()
    assert await one.of("lena") == []
    assert authority.alive == []
    with pytest.raises(NotFound):
        await one.disconnect("crm", "lena")


async def test_another_connection_is_not_replaced_by_the_one_before(replicas: Replicas) -> None:
    """Of another account, it may be: what counts is what the person did last."""
    one, other, authority = replicas.one, replicas.other, replicas.authority
    await replicas.connect(one, "first")
    shown: list[str] = []

    async def use(refresh: str) -> tuple[str, str]:
        given = await authority.refreshed(refresh, "second")
        replicas.clock.advance(1)
        await replicas.connect(other, "anew")
        return given

    async def look(refresh: str) -> tuple[str, str]:
        shown.append(refresh)
        return "", ""

    with pytest.raises(KeyUnavailable, match="has been ended"):
        await one.used("crm", TASK, use)
    await one.used("crm", TASK, look)
    assert shown == ["anew"]
    assert authority.alive == ["anew"]


async def test_an_end_comes_through_beside_uses(replicas: Replicas) -> None:
    """A use elsewhere that changes the token first does not keep the person from ending it."""
    one, other, authority = replicas.one, replicas.other, replicas.authority
    await replicas.connect(one, "first")
    await other.used("crm", TASK, lambda refresh: authority.refreshed(refresh, "second"))
    await one.used("crm", TASK, lambda refresh: authority.refreshed(refresh, "third"))
    await other.disconnect("crm", "lena")
    assert authority.alive == []
    assert await one.of("lena") == []
