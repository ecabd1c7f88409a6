# SPDX-License-Identifier: Apache-2.0
"""Agents, people, delegations and findings over REST: who may do what, and what each answer holds."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.findings.kinds import FindingKind
from remit.core.identity.workload import KeyBinding, workload_of
from tests.worlds.services import ServiceWorld, service_world

SPIFFE = {"type": "spiffe", "spiffe_id": "spiffe://example.org/new"}
NEW = {"name": "new-bot", "owner": "lena", "purpose": "works", "bindings": [SPIFFE]}
DELEGATION = {"agent": "contract-bot", "task_type": "summarise-contract", "params": {"id": "C-42"}}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway behind its management endpoints."""
    async with service_world(tmp_path) as made:
        yield made


async def told(
    world: ServiceWorld, method: str, path: str, body: Any = None, *, by: str, status: int = 200
) -> Any:
    """Ask as a person, and give the answer's JSON."""
    found = await world.ask(method, f"/api/v1/{path}", body, by=await world.session(by))
    assert found.status == status, found.content
    return found.json


async def test_an_agent_is_registered_bound_and_unbound(world: ServiceWorld) -> None:
    """By an administrator alone; the answer shows by what it may prove itself."""
    await told(world, "POST", "agents", NEW, by="lena", status=403)
    agent = await told(world, "POST", "agents", NEW, by="root", status=201)
    assert agent["bindings"] == [SPIFFE]
    taken = await told(world, "POST", "agents", NEW | {"name": "b"}, by="root", status=409)
    assert taken["code"] == "workload-taken"
    issuer = {
        "type": "issuer",
        "issuer": "https://i.example",
        "subject": "s",
        "claims": {"ref": "refs/heads/main"},
    }
    agent = await told(world, "POST", "agents/new-bot/bind", {"binding": issuer}, by="root")
    assert agent["bindings"] == [SPIFFE, issuer]
    body = {"workload": SPIFFE["spiffe_id"], "reason": "moved"}
    await told(world, "POST", "agents/new-bot/unbind", body, by="lena", status=403)
    agent = await told(world, "POST", "agents/new-bot/unbind", body, by="root")
    assert agent["bindings"] == [issuer]


@pytest.mark.parametrize(
    "binding",
    [
        {"type": "spiffe", "spiffe_id": "spiffe://example.org"},
        {"type": "spiffe", "spiffe_id": "https://example.org/x"},
        {"type": "issuer", "issuer": "http://example.org", "subject": "s"},
        {"type": "issuer", "issuer": "https://example.org", "subject": ""},
        {"type": "local", "uid": -1, "executable_digest": "00"},
        {"type": "key", "jwk": {"kty": "oct", "k": "AAAA"}},
        {"type": "none"},
        {},
    ],
)
async def test_a_binding_that_could_match_nobody_is_refused(world: ServiceWorld, binding: Any) -> None:
    """With what is wrong with it, and nothing is registered."""
    body = NEW | {"bindings": [binding]}
    await told(world, "POST", "agents", body, by="root", status=400)
    await told(world, "GET", "agents/new-bot", by="root", status=404)


async def test_an_unbound_key_opens_no_endpoint(world: ServiceWorld) -> None:
    """Neither with a token that was given before, nor for a new one."""
    before = await world.agent_token()
    assert (await world.ask("GET", "/api/v1/me", by=before)).status == 200
    body = {"workload": workload_of(KeyBinding(world.public("contract-bot")))}
    await told(world, "POST", "agents/contract-bot/unbind", body, by="root")
    assert (await world.ask("GET", "/api/v1/me", by=before)).status == 401
    refused = await world.form(
        {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": world.assertion("contract-bot"),
        }
    )
    assert (refused.status, refused.json["error"]) == (401, "invalid_client")


async def test_an_agent_shows_its_posture(world: ServiceWorld) -> None:
    """When and how it was last seen, and the kinds of its open findings; its owner sees that too."""
    shown = await told(world, "GET", "agents/contract-bot", by="lena")
    assert shown["posture"] == {"last_proof": None, "findings": []}
    await world.agent_token()
    services = world.services
    await services.findings.findings.see(FindingKind.SHARED_KEY, "agent:contract-bot", "k", {})
    await services.findings.sightings.flush()
    posture = (await told(world, "GET", "agents/contract-bot", by="lena"))["posture"]
    assert posture["findings"] == ["shared-key"]
    assert posture["last_proof"]["method"] == "private-key"
    await told(world, "GET", "agents/contract-bot", by="leo", status=404)


async def test_an_owner_may_stop_their_agent_and_not_start_it(world: ServiceWorld) -> None:
    """Taking authority away has more hands than giving it."""
    stop, start = {"state": "suspended"}, {"state": "active"}
    await told(world, "POST", "agents/contract-bot/state", stop, by="leo", status=403)
    await told(world, "POST", "agents/contract-bot/state", stop, by="lena")
    await told(world, "POST", "agents/contract-bot/state", start, by="lena", status=403)
    await told(world, "POST", "agents/contract-bot/state", start, by="root")


async def test_people_are_changed_by_administrators(world: ServiceWorld) -> None:
    """Administrators change roles, state and sessions; no person changes themselves."""
    for path, body in (
        ("people/leo/roles", {"roles": ["auditor"]}),
        ("people/leo/state", {"active": False}),
        ("people/leo/sign-out", None),
    ):
        await told(world, "POST", path, body, by="otto", status=403)
    assert (await told(world, "POST", "people/leo/roles", {"roles": ["auditor"]}, by="root"))["roles"] == [
        "auditor"
    ]
    session = await world.session("leo")
    await told(world, "POST", "people/leo/sign-out", by="root")
    assert (await world.ask("GET", "/api/v1/me", by=session)).status == 401
    session = await world.session("leo")
    assert not (await told(world, "POST", "people/leo/state", {"active": False}, by="root"))["active"]
    assert (await world.ask("GET", "/api/v1/me", by=session)).status == 401
    await told(world, "POST", "people/leo/code", by="root", status=403)
    await told(world, "POST", "people/root/state", {"active": False}, by="root", status=403)


async def test_a_delegation_is_its_persons_own(world: ServiceWorld) -> None:
    """Made in one's own name alone; seen by its person and by those who oversee; ended by either's hand."""
    record = await told(world, "POST", "delegations", DELEGATION, by="lena", status=201)
    assert (record["person"], record["live"]) == ("lena", True)
    assert (await told(world, "GET", "delegations", by="leo"))["items"] == []
    assert [one["id"] for one in (await told(world, "GET", "delegations", by="audra"))["items"]] == [
        record["id"]
    ]
    assert (await told(world, "GET", "delegations?person=lena", by="leo"))["items"] == []
    await told(world, "POST", f"delegations/{record['id']}/revoke", {}, by="leo", status=404)
    await told(world, "POST", "delegations", DELEGATION | {"person": "lena"}, by="leo", status=400)
    await told(world, "POST", f"delegations/{record['id']}/revoke", {"reason": "enough"}, by="otto")
    assert not (await told(world, "GET", "delegations", by="lena"))["items"][0]["live"]


async def test_an_agent_acts_under_a_delegation_over_rest(world: ServiceWorld) -> None:
    """The same opening is refused before, done while it lives, and refused after."""
    opening = {"agent": "contract-bot", "task_type": "summarise-contract", "on_behalf_of": "lena"}

    async def opened() -> int:
        token = await world.agent_token()
        return (await world.ask("POST", "/api/v1/tasks", opening, by=token)).status

    assert await opened() == 403
    record = await told(world, "POST", "delegations", DELEGATION, by="lena", status=201)
    assert await opened() == 201
    await told(world, "POST", f"delegations/{record['id']}/revoke", {}, by="lena")
    assert await opened() == 403


async def test_findings_are_seen_by_those_they_concern(world: ServiceWorld) -> None:
    """With what they mean; an owner sees those of their agents, an administrator settles them."""
    found = await world.services.findings.findings.see(
        FindingKind.SHARED_KEY, "agent:contract-bot", "k", {"key": "k"}
    )
    assert [one["id"] for one in (await told(world, "GET", "findings", by="lena"))["items"]] == [found.id]
    assert (await told(world, "GET", "findings", by="leo"))["items"] == []
    await told(world, "GET", f"findings/{found.id}", by="leo", status=404)
    shown = await told(world, "GET", f"findings/{found.id}", by="audra")
    assert "private key" in shown["says"]
    body = {"resolution": "rotated"}
    await told(world, "POST", f"findings/{found.id}/resolve", body, by="lena", status=403)
    done = await told(world, "POST", f"findings/{found.id}/resolve", body, by="root")
    assert (done["state"], done["resolved_by"]) == ("resolved", "root")
    assert (await told(world, "GET", "findings", by="lena"))["items"] == []


async def test_who_is_answered_to_those_who_may_ask(world: ServiceWorld) -> None:
    """A workload and a token are asked about like the agent behind them; a token is never in an address."""
    workload = workload_of(KeyBinding(world.public("contract-bot")))
    token = await world.agent_token()
    for name in ("contract-bot", workload, token):
        assert (await told(world, "POST", "who", {"x": name}, by="lena"))["proof"]
        await told(world, "POST", "who", {"x": name}, by="leo", status=404)
    await told(world, "GET", f"who?x={token}", by="lena", status=400)
    missing = await told(world, "POST", "who", {"x": "spiffe://example.org/no"}, by="leo", status=404)
    assert "is not known" in missing["detail"]
