# SPDX-License-Identifier: Apache-2.0
"""Threat: an attacker who has once seen remit's secret at an authorization server is remit there, for ever.
Where the server lets its clients replace their secret (RFC 7592), remit does so, whatever breaks off.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from remit.adapters.broker.http import BrokerHttp, BrokerResponse
from remit.adapters.broker.oauth.client import SourceClient
from remit.adapters.broker.oauth.registration import OAuthClientSecret, secret_in
from remit.adapters.runtime.system import SystemClock, SystemEntropy
from remit.compose import standing_secrets as standing
from remit.core.evidence.event import EventKind
from remit.services.credentials.secret_rotation import RotatedSecrets
from tests.faults.breaking_rotation import DAY, Breaking, Crash, Rotations
from tests.gateways.leasing_gateway import LeasingGateway
from tests.servers.authorization_server import CLIENT, SECRET
from tests.servers.registering_server import OPENS, RegisteringAuthorities, registering
from tests.worlds.calls import CallWorld, call_world
from tests.worlds.values import TENANT

pytestmark = pytest.mark.slow

Json = Any


class Place(Rotations):
    """A client of a real server, and what rotates its secret."""

    def __init__(self, world: CallWorld, server: RegisteringAuthorities) -> None:
        super().__init__(world)
        self.server = server
        #: What the configuration names now.
        self.first, self.opens = SECRET, OPENS
        self.web = BrokerHttp("the authorization server")

    def known_by(self, secret: str) -> SourceClient:
        """Return the client as known by a secret."""
        return SourceClient(
            CLIENT,
            lambda: secret,
            method="basic",
            audience=self.server.url,
            web=self.web,
            clock=SystemClock(),
            entropy=SystemEntropy(),
        )

    async def tried(self, secret: str) -> BrokerResponse:
        """Ask for nothing."""
        return await self.known_by(secret).ask(f"{self.server.url}/revoke", {"token": "of-nobody"})

    async def opened(self) -> tuple[RotatedSecrets, Breaking]:
        """Return what rotates, as a process that has just started has it."""
        real = OAuthClientSecret(
            f"{self.server.url}/register/{CLIENT}",
            CLIENT,
            first=lambda: self.first,
            opens=lambda: self.opens,
            tried=self.tried,
            web=self.web,
        )
        return await self.of(real)

    async def gets_a_token(self, secret: str) -> bool:
        """Return whether the server gives a token for a secret; the test itself asks."""
        form = {"grant_type": "client_credentials", "scope": "crm.read"}
        return (await self.known_by(secret).ask(f"{self.server.url}/token", form)).status == 200


@pytest.fixture
def server() -> Iterator[RegisteringAuthorities]:
    """The authorization server."""
    with registering() as made:
        yield made


@pytest.fixture
async def place(tmp_path: Path, server: RegisteringAuthorities) -> AsyncIterator[Place]:
    """Provide one."""
    async with call_world(tmp_path) as world:
        made = Place(world, server)
        yield made
        await made.web.close()


async def test_what_is_due_is_rotated_and_the_old_one_is_refused(place: Place) -> None:
    """Again and again, though the token that opens the record is another one each time; none is told."""
    rotated, _ = await place.opened()
    read = rotated.reader("crm")
    await rotated.tend()
    assert secret_in(read()) == SECRET
    seen = [SECRET]
    for _ in range(2):
        place.world.clock.advance(DAY.total_seconds())
        await rotated.tend()
        assert rotated.stuck == {}
        assert await place.gets_a_token(secret_in(read()))
        assert not await place.gets_a_token(seen[-1])
        seen.append(secret_in(read()))
    assert place.server.metadata["client_name"] == "remit"
    told = await place.world.facts(EventKind.SECRET_ROTATED)
    assert [one["old_refused"] for one in told] == [True, True]
    kept = str(await place.world.services.store.values(TENANT, "secret:"))
    for secret in (*seen, OPENS, place.server.opens):
        assert secret not in f"{kept} {told}"
    again, _ = await place.opened()
    assert again.reader("crm")() == read()


@pytest.mark.parametrize("breaks", ["before the change", "before it is tried", "it cannot be tried"])
async def test_whatever_breaks_off_one_that_works_is_known(place: Place, breaks: str) -> None:
    """After the next start the rotation comes through, and the first secret is refused."""
    rotated, one = await place.opened()
    one.breaks = breaks
    try:
        assert not await rotated.rotate("crm")
        assert rotated.stuck
    except Crash:
        pass
    rotated, _ = await place.opened()
    await rotated.tend()
    assert rotated.stuck == {}
    assert await place.gets_a_token(secret_in(rotated.reader("crm")()))
    assert not await place.gets_a_token(SECRET)


@pytest.mark.parametrize("breaks", ["after the change", "the answer is lost"])
async def test_a_secret_whose_answer_was_lost_is_in_the_record(place: Place, breaks: str) -> None:
    """The server has made the secret, and remit has not received it: the record shows it to a client that may
    read the record.
    """
    place.server.keeps_opens = True
    rotated, one = await place.opened()
    one.breaks = breaks
    with contextlib.suppress(Crash):
        assert not await rotated.rotate("crm")
    assert not await place.gets_a_token(SECRET)
    rotated, _ = await place.opened()
    await rotated.tend()
    assert rotated.stuck == {}
    assert await place.gets_a_token(secret_in(rotated.reader("crm")()))


async def lost(place: Place) -> RotatedSecrets:
    """Have a change whose answer never came, with the only token that opens the record."""
    rotated, _ = await place.opened()
    place.server.loses = {"PUT"}
    assert not await rotated.rotate("crm")
    assert len(place.server.secrets) == 2
    place.server.loses = set()
    rotated, _ = await place.opened()  # a start again helps as little
    assert not await rotated.rotate("crm")
    why, remediation = rotated.stuck["crm"]
    assert "refuses every secret that remit has, and calls with it" in why
    assert "the server refuses every registration token" in why
    assert "create another registration token" in remediation
    assert "register remit again" in remediation
    kept = str(await place.world.services.store.values(TENANT, "secret:"))
    for secret in (SECRET, OPENS, *place.server.secrets, place.server.opens):
        assert secret not in f"{kept} {why} {remediation}"
    return rotated


async def test_where_the_token_was_lost_another_one_may_be_laid(place: Place) -> None:
    """remit can do nothing by itself, and says so; another token opens the record, which tells the secret."""
    rotated = await lost(place)
    place.server.opens = place.opens = "another-registration-token"
    assert await rotated.rotate("crm")
    assert rotated.stuck == {}
    assert secret_in(rotated.reader("crm")()) == place.server.secrets[-1]
    assert not await place.gets_a_token(SECRET)
    # From there on it goes by itself again.
    assert await rotated.rotate("crm")


@pytest.mark.parametrize("told", [True, False])
async def test_where_the_token_was_lost_remit_may_be_registered_anew(place: Place, told: bool) -> None:
    """Its new secret counts from the next try on, whether or not the new record can be read, too."""
    rotated = await lost(place)
    place.server.secrets.append("registered-anew")
    place.first = "registered-anew"
    if told:
        place.server.opens = place.opens = "another-registration-token"
    assert await rotated.rotate("crm")
    assert rotated.stuck == {}
    assert await place.gets_a_token(secret_in(rotated.reader("crm")()))
    assert not await place.gets_a_token(SECRET)


async def test_the_old_secret_comes_back_where_it_is_set_anew(place: Place) -> None:
    """It is sealed still, and tried each time."""
    rotated = await lost(place)
    place.server.secrets.append(SECRET)
    place.server.opens = place.opens = "another-registration-token"
    assert await rotated.rotate("crm")
    assert not await place.gets_a_token(SECRET)


@pytest.mark.parametrize("misses", [True, False])
async def test_a_token_that_came_with_the_record_is_kept_whatever_becomes_of_the_change(
    place: Place, misses: bool
) -> None:
    """The server has given the next token with the record, and was never asked to change anything, or would
    not: with the token of before nothing could be asked again.
    """
    rotated, _ = await place.opened()
    if misses:
        place.server.misses = {"PUT"}
    else:
        place.server.stubborn = True
    assert not await rotated.rotate("crm")
    assert place.server.opens != OPENS
    assert await place.gets_a_token(secret_in(rotated.reader("crm")()))
    place.server.misses, place.server.stubborn = set(), False
    rotated, _ = await place.opened()
    await rotated.tend()
    assert rotated.stuck == {}
    assert not await place.gets_a_token(SECRET)


async def test_a_record_whose_token_was_lost_leaves_the_secret_as_it_was(place: Place) -> None:
    """The record was read, its answer lost: calls go on, and another token brings the rotation through."""
    rotated, _ = await place.opened()
    place.server.loses = {"GET"}
    assert not await rotated.rotate("crm")
    place.server.loses = set()
    assert not await rotated.rotate("crm")
    assert "every registration token" in rotated.stuck["crm"].why
    assert await place.gets_a_token(secret_in(rotated.reader("crm")()))
    place.server.opens = place.opens = "another-registration-token"
    assert await rotated.rotate("crm")
    assert not await place.gets_a_token(SECRET)


async def test_a_server_that_gives_the_same_again_does_not_rotate_and_that_is_said(place: Place) -> None:
    """Calls go on with it."""
    place.server.stubborn = True
    rotated, _ = await place.opened()
    assert not await rotated.rotate("crm")
    assert "the old secret" in rotated.stuck["crm"].why
    assert await place.gets_a_token(secret_in(rotated.reader("crm")()))


async def test_a_server_that_takes_the_old_one_too_has_not_rotated_it(place: Place) -> None:
    """The new one is carried, and that the old one still works is said."""
    place.server.lenient = True
    rotated, _ = await place.opened()
    assert not await rotated.rotate("crm")
    assert "still accepts" in rotated.stuck["crm"].why
    assert secret_in(rotated.reader("crm")()) == place.server.secrets[-1]


def test_tokens_of_tasks_are_had_with_the_secret_that_counts(
    tmp_path: Path, server: RegisteringAuthorities
) -> None:
    """Before and after it was changed; the finding says that remit changes it."""
    lease = {
        "oauth": {
            "token_url": f"{server.url}/token",
            "revoke_url": f"{server.url}/revoke",
            "probe_url": f"{server.url}/me",
            "client_id": CLIENT,
            "client_secret": "env:CRM_CLIENT_SECRET",
            "rotate": {
                "registration_url": f"{server.url}/register/{CLIENT}",
                "registration_token": "env:CRM_REGISTRATION",
                "every": "1h",
            },
        }
    }
    known = {"CRM_CLIENT_SECRET": SECRET, "CRM_REGISTRATION": OPENS}
    made: list[RotatedSecrets] = []
    rotated_of = standing._rotated_of

    def keeping(*parts: Any) -> RotatedSecrets:
        made.append(rotated_of(*parts))
        return made[0]

    with (
        mock.patch.dict(os.environ, known),
        mock.patch.object(standing, "_rotated_of", keeping),
        LeasingGateway(tmp_path, lease) as gateway,
    ):
        _, token = gateway.open()
        gateway.call(token)
        assert gateway.wait(made[0].rotate("crm"))
        assert len(server.secrets) == 2
        task, token = gateway.open()
        gateway.call(token)
        assert len(server.tokens) == 2
        assert gateway.closed_up(task)["closed"]
        found = gateway.wait(gateway.services.findings.findings.about("upstream:crm"))
        (facts,) = [one.facts for one in found if one.facts["place"] == "lease.oauth.client_secret"]
        assert facts["rotated_every_s"] == 3600
