# SPDX-License-Identifier: Apache-2.0
"""Threat: an attacker has copied an agent's private key, and uses it from elsewhere beside the agent itself.

Until its binding is taken away the copy is as good as the key: remit notices that the key is used in two
places, and nothing of the key works once the binding is gone.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from remit.core.identity.workload import KeyBinding, SpiffeBinding, workload_of
from remit.services.tasks.opening_rules import Opening
from tests.worlds.services import ServiceWorld, Told, exchange, service_world

HERE, ELSEWHERE = "10.0.0.7", "203.0.113.9"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway behind its endpoints; its agent can also prove itself by an SVID."""
    async with service_world(tmp_path) as made:
        await made.services.identity.directory.bind(
            "contract-bot", SpiffeBinding("spiffe://example.org/bot"), by="root"
        )
        yield made


async def token(world: ServiceWorld, address: str, instance: str = "", task: str = "") -> Told:
    """Ask for a token with the agent's key, from an address."""
    more = {"instance": instance} if instance else {}
    fields = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": world.assertion("contract-bot", **more),
    } | ({"mission_id": task} if task else {})
    headers = [("content-type", "application/x-www-form-urlencoded")]
    return await exchange(world.asgi, "POST", "/oauth/token", headers, urlencode(fields).encode(), address)


async def kinds(world: ServiceWorld) -> list[str]:
    """Return the kinds of the open findings, as an auditor sees them."""
    await world.services.findings.sightings.flush()
    told = await world.ask("GET", "/api/v1/findings", by=await world.session("audra"))
    return [one["kind"] for one in told.json["items"]]


async def test_a_copied_key_is_noticed_and_taken_away(world: ServiceWorld) -> None:
    """Both work at first; the finding names both places; unbound, nothing is left to the copy."""
    assert (await token(world, HERE, "home")).status == 200
    stolen = await token(world, ELSEWHERE)
    assert stolen.status == 200
    assert await kinds(world) == []
    assert (await token(world, HERE, "home")).status == 200
    assert await kinds(world) == ["shared-key"]
    entries = [json.loads(one.leaf) for one in await world.services.evidence.log.pages(limit=1000)]
    (seen,) = [one["facts"]["seen"] for one in entries if one["kind"] == "finding.seen"]
    assert (seen["first"], seen["second"]) == ("instance home", f"address {ELSEWHERE}")

    lena = await world.services.identity.authenticator.person(await world.session("lena"))
    opening = Opening(agent="contract-bot", task_type="summarise-contract", params={"id": "C-42"})
    task = await world.services.tasks.tasks.open(opening, person=lena)
    assert (await token(world, ELSEWHERE, task=task.id)).status == 200
    key = workload_of(KeyBinding(world.public("contract-bot")))
    await world.services.identity.directory.unbind("contract-bot", key, by="root", reason="copied")
    assert (await token(world, ELSEWHERE)).status == 401
    assert (await world.ask("GET", "/api/v1/me", by=stolen.json["access_token"])).status == 401
    assert (await world.services.tasks.tasks.get(task.id)).state.ended


async def test_a_restart_and_a_move_are_no_alarm(world: ServiceWorld) -> None:
    """What never comes back is one place after another."""
    for address, instance in ((HERE, "one"), (HERE, "two"), (ELSEWHERE, "three"), (ELSEWHERE, "four")):
        for _ in range(3):
            assert (await token(world, address, instance)).status == 200
    assert await kinds(world) == []


async def test_a_flood_of_swings_is_one_finding(world: ServiceWorld) -> None:
    """A thief who hopes to drown the evidence writes one event."""
    for number in range(60):
        await token(world, HERE if number % 2 else ELSEWHERE)
    assert await kinds(world) == ["shared-key"]
    entries = await world.services.evidence.log.pages(limit=1000)
    assert [one.kind for one in entries].count("finding.seen") == 1
