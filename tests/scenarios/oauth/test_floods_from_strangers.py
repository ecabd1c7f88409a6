# SPDX-License-Identifier: Apache-2.0
"""Attacks that would fill remit up: pushed requests, many addresses of one caller, unknown applications."""

import base64
import hashlib
from pathlib import Path

import pytest

from remit.api.oauth.browser.rate_limits import PER_ADDRESS
from remit.gateway.asgi import counting
from remit.services.limits.client_address import Proxies, place_of
from remit.services.limits.request_bodies import Bodies
from tests.worlds.oauth import error_of, oauth_world
from tests.worlds.pages import APP, page_world
from tests.worlds.services import ServiceWorld, Told

CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(b"a" * 43).digest()).rstrip(b"=").decode()


async def push(world: ServiceWorld, **fields: str) -> Told:
    """Push an authorization request."""
    asked = {
        "response_type": "code",
        "redirect_uri": "http://127.0.0.1/callback",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return await world.form(asked | fields, path="/oauth/par")


async def test_an_agent_fills_nothing_with_requests_that_it_pushes(tmp_path: Path) -> None:
    """One that pushes without end waits; another agent need not."""
    async with oauth_world(tmp_path) as world:
        statuses = []
        for _ in range(PER_ADDRESS + 1):
            told = await push(world, client_id="contract-bot", **world.proof_of("contract-bot"))
            statuses.append(told.status)
        assert statuses == [201] * PER_ADDRESS + [429]
        told = await push(world, client_id="other-bot", **world.proof_of("other-bot"))
        assert told.status == 201
        world.clock.advance(61)
        told = await push(world, client_id="contract-bot", **world.proof_of("contract-bot"))
        assert told.status == 201


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", ""),
    ],
)
def test_the_addresses_of_one_network_are_one_caller(host: str, place: str) -> None:
    """The owner of an IPv6 network has as many addresses as they like; an IPv4 address is one."""
    assert place_of(host) == place


async def test_the_token_endpoint_fetches_nothing_for_strangers(tmp_path: Path) -> None:
    """An unregistered address opens nothing there: so nothing is asked of it."""
    async with page_world(tmp_path) as (world, documents):
        stranger = "https://stranger.example/client.json"
        documents.publish(stranger)
        form = {"grant_type": "refresh_token", "refresh_token": "rmr_x"}
        told = await world.form(form | {"client_id": stranger})
        assert error_of(told) == (401, "invalid_client")
        assert documents.asked == []
        told = await world.form(form | {"client_id": APP})
        assert error_of(told) == (400, "invalid_grant")
        assert documents.asked == [APP]


@pytest.mark.parametrize(
    ("client", "forwarded", "place"),
    [
        ("203.0.113.7", "198.51.100.9", "203.0.113.7"),
        ("10.0.0.2", "198.51.100.9", "198.51.100.9"),
        ("10.0.0.2", "192.0.2.1, 198.51.100.9", "198.51.100.9"),
        ("10.0.0.2", "192.0.2.1, 198.51.100.9, 10.0.0.7", "198.51.100.9"),
        ("10.0.0.2", "192.0.2.1, nonsense, 10.0.0.7", "10.0.0.7"),
        ("10.0.0.2", "", "10.0.0.2"),
        ("::ffff:10.0.0.2", "2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("10.0.0.2", ", ".join(["10.0.0.3"] * 9 + ["10.0.0.4"]), "10.0.0.3"),
    ],
)
def test_a_server_in_front_says_who_is_bounded(client: str, forwarded: str, place: str) -> None:
    """A configured server does, for the client that called it; no other client changes the address for which
    it counts.
    """
    headers = [(b"host", b"remit.example"), (b"x-forwarded-for", forwarded.encode())]
    assert Proxies(["10.0.0.0/8"]).place(client, headers if forwarded else headers[:1]) == place
    assert Proxies().place(client, headers) == place_of(client)


async def test_behind_a_proxy_one_who_begins_without_end_holds_up_themselves_alone(tmp_path: Path) -> None:
    """Each place has its own bound; without a configured proxy a header changes nothing."""
    for networks, others in ((["127.0.0.1"], 400), ([], 429)):
        folder = tmp_path / str(others)
        folder.mkdir()
        async with page_world(folder) as (world, _):
            world.asgi = counting(world.asgi, Bodies(1_000_000), Proxies(networks))  # type: ignore[assignment]
            form = {"response_type": "code", "client_id": APP, "redirect_uri": "http://127.0.0.1/callback"}
            statuses = [
                (await world.form(form, {"x-forwarded-for": place}, path="/oauth/par")).status
                for place in ["192.0.2.1"] * (PER_ADDRESS + 1) + ["192.0.2.2"]
            ]
            assert 429 not in statuses[:PER_ADDRESS]
            assert statuses[PER_ADDRESS:] == [429, others]
