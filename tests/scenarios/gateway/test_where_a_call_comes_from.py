# SPDX-License-Identifier: Apache-2.0
"""Threat: an agent claims to call from another network, to meet a rule that requires it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.circumstances.networks import Networks
from remit.core.evidence.event import EventKind
from remit.gateway.asgi import counting
from remit.services.limits.client_address import PLACE, Proxies, sender_of
from remit.services.limits.request_bodies import Bodies
from tests.worlds.http_endpoint import RestWorld, rest_world
from tests.worlds.services import exchange

Json = Any
LAB = "192.0.2.7"
PROXY = "10.0.0.1"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[RestWorld]:
    """A shop, and a network."""
    async with rest_world(tmp_path) as made:
        made.services.decisions.surroundings._networks = Networks({"lab": ("192.0.2.0/24",)})
        yield made


async def network(world: RestWorld, client: str, *told: str, proxies: tuple[str, ...] = ()) -> str:
    """Call from an address, with these headers `X-Forwarded-For`; return the network in the evidence."""
    asgi = counting(world.endpoint, Bodies(1 << 20), Proxies(proxies))
    headers = [("authorization", f"Bearer {world.token}"), *(("x-forwarded-for", one) for one in told)]
    answer = await exchange(asgi, "GET", "/http/shop/customers/c-1", headers, b"", client)
    assert answer.status < 500, answer.content
    decided = (await world.facts(EventKind.DECISION_MADE))[-1]
    kept = decided["facts"].get("circumstances", {})
    return str(kept.get("network", "unknown"))


async def test_the_connection_says_where_a_call_comes_from(world: RestWorld) -> None:
    """A header of the agent's does not."""
    assert await network(world, LAB) == "lab"
    assert await network(world, "203.0.113.9") == "unknown"
    assert await network(world, "203.0.113.9", LAB) == "unknown"


async def test_a_trusted_proxy_says_it_for_the_connections_that_it_ends(world: RestWorld) -> None:
    """Only its own entry counts, which is the last one; what the agent wrote before it does not."""
    assert await network(world, PROXY, LAB, proxies=(PROXY,)) == "lab"
    assert await network(world, PROXY, f"{LAB}, 203.0.113.9", proxies=(PROXY,)) == "unknown"
    assert await network(world, PROXY, LAB, "203.0.113.9", proxies=(PROXY,)) == "unknown"
    assert await network(world, "203.0.113.9", LAB, proxies=(PROXY,)) == "unknown"
    assert await network(world, PROXY, proxies=(PROXY,)) == "unknown"


@pytest.mark.parametrize(
    "told", [(), ("203.0.113.9:50000",), ("[2001:db8::1]:50000",), (f"{LAB}, unknown",), ("192.0.2.1",)]
)
async def test_a_proxy_that_names_no_address_lends_none(world: RestWorld, told: tuple[str, ...]) -> None:
    """Also where the proxy itself is in a network that a rule requires."""
    inside = "192.0.2.1"
    assert await network(world, inside, *told, proxies=(inside,)) == "unknown"


def test_a_request_that_a_replica_forwarded_comes_from_its_sender() -> None:
    """The owner of the task judges the sender that the first replica saw, not that replica."""
    scope: dict[str, Json] = {PLACE: "10.1.0.5", "client": (LAB, 50_000), "headers": []}
    assert sender_of(scope) == LAB


def test_a_sender_without_an_address_is_nowhere() -> None:
    """A Unix socket has none."""
    assert sender_of({"client": None, "headers": []}) == ""
    assert msgspec.json.encode(Networks({"lab": ("0.0.0.0/0",)}).zone_of("")) == b'"unknown"'
