# SPDX-License-Identifier: Apache-2.0
"""An identity provider creates, describes and ends agents (SCIM), and gains no authority by it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from scim2_models import PreconditionFailedException, ScimProvider
from scim2_tester import Status, check_server

from remit.api.scim.agent_resource import AGENT_SCHEMA, AgentResource
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import AgentState
from remit.core.identity.workload import IssuerBinding
from remit.services.identity.provisioning import IdentityProvider
from remit_sdk.dpop import DpopProver
from tests.clients.scim_client import scim_client
from tests.worlds.oauth import OAuthWorld, oauth_world
from tests.worlds.services import PUBLIC_URL, Told

SECRET = "of-okta"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
OKTA = IdentityProvider(
    name="okta",
    prefix="okta-",
    owner="lena",
    purpose="works for support",
    groups=("support",),
    token=SECRET,
    issuer="https://platform.example",
    agents=frozenset({"contract-bot"}),
)
ENTRA = IdentityProvider(name="entra", prefix="entra-", owner="leo", purpose="works", agent="other-bot")
PING = IdentityProvider(
    name="ping", prefix="ping-", owner="leo", purpose="works", token="of-ping", agents=frozenset({"*"})
)
LOOSE = IdentityProvider(
    name="loose", prefix="loose-", owner="leo", purpose="works", agent="third-bot", constrained=False
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[OAuthWorld]:
    """A gateway with four identity providers."""
    providers = {one.name: one for one in (OKTA, ENTRA, LOOSE, PING)}
    suspend_on = frozenset({FindingKind.MANIFEST_DRIFT})
    async with oauth_world(tmp_path, providers=providers, suspend_on=suspend_on) as opened:
        yield opened


async def ask(
    world: OAuthWorld, method: str, path: str, body: Any = None, by: str = SECRET, **more: Any
) -> Told:
    """Ask as a SCIM client does."""
    headers = {"content-type": "application/scim+json"} | more.pop("headers", {})
    content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    return await world.ask(method, f"/scim/v2{path}", by=by, headers=headers, content=content, **more)


async def create(world: OAuthWorld, name: str = "helper", by: str = SECRET, **more: Any) -> Told:
    """Create an agent."""
    return await ask(world, "POST", "/Agents", {"schemas": [AGENT_SCHEMA], "agentUserName": name} | more, by)


async def say(world: OAuthWorld, name: str, path: str, value: object, by: str = SECRET) -> Told:
    """Set one attribute of an agent."""
    change = {"op": "replace", "path": path, "value": value}
    return await ask(world, "PATCH", f"/Agents/{name}", {"schemas": [PATCH], "Operations": [change]}, by)


async def activate(world: OAuthWorld, name: str, active: object, by: str = SECRET) -> Told:
    """Set whether an agent may act."""
    return await say(world, name, "active", active, by)


async def test_the_service_passes_the_checks_of_others(world: OAuthWorld) -> None:
    """All of `scim2-tester`, but one: without `active` an agent stays as it is, and is not reactivated."""
    client = scim_client(world.asgi, {"authorization": f"Bearer {SECRET}"})
    results = await asyncio.to_thread(check_server, client)
    assert len(results) > 30
    failed = [(one.title, one.reason) for one in results if one.status is not Status.SUCCESS]
    assert failed == [("check_remove_attribute", "Attribute 'active' was not removed")]


async def test_a_client_by_others_manages_an_agent(world: OAuthWorld) -> None:
    """It creates, finds, replaces and deletes; an outdated version is refused."""
    known = ScimProvider(models=[AgentResource])
    client = scim_client(world.asgi, {"authorization": f"Bearer {SECRET}"}, known)

    def manage() -> None:
        made = client.create(AgentResource(agent_user_name="helper", external_id="h-1", active=True))
        assert isinstance(made, AgentResource)
        assert made.meta
        assert made.id == "okta-helper"
        found = client.query(AgentResource, made.id)
        assert isinstance(found, AgentResource)
        assert found.external_id == "h-1"
        found.display_name = "The helper"
        newer = client.replace(found)
        assert isinstance(newer, AgentResource)
        assert newer.meta
        assert newer.display_name == "The helper"
        assert newer.meta.version != made.meta.version
        headers = {"If-Match": made.meta.version or ""}
        with pytest.raises(PreconditionFailedException):
            client.delete(AgentResource, made.id, headers=headers)
        client.delete(AgentResource, made.id, headers={"If-Match": newer.meta.version or ""})

    await asyncio.to_thread(manage)
    agent = await world.services.identity.directory.agent("okta-helper")
    assert agent.state is AgentState.RETIRED


async def test_authority_comes_from_the_configuration(world: OAuthWorld) -> None:
    """Whatever the provider says: owner, purpose, groups and bindings are those of its section."""
    told = await create(
        world,
        externalId="worker-7",
        displayName="Payments",
        description="pays",
        owners=[{"value": "root"}],
        groups=[{"value": "legal"}],
        purpose="everything",
    )
    assert told.status == 201, told.content
    assert told.json["owners"] == [{"value": "lena", "display": "lena"}]
    agent = await world.services.identity.directory.agent("okta-helper")
    assert (agent.owner, agent.purpose, agent.groups) == ("lena", "works for support", ("support",))
    assert agent.bindings == (IssuerBinding("https://platform.example", "worker-7"),)
    assert agent.created_by == "scim:okta"
    # It proves itself with a token of its issuer, as the provider has named it there.
    proof = world.platform.token(world.clock.now(), aud=PUBLIC_URL, sub="worker-7")
    got = await world.ask_token(
        "client_credentials",
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        client_assertion=proof,
    )
    assert got.status == 200, got.content


@pytest.mark.parametrize("end", ["deactivate", "delete"])
async def test_an_end_at_the_provider_is_one_everywhere(world: OAuthWorld, end: str) -> None:
    """The task ends, its token and the agent's are dead when the answer comes, and the evidence names the
    provider.
    """
    task = await world.open(await world.session("lena"))
    token = (await world.task_token(task)).json["access_token"]
    mine = await world.agent_token()
    assert (await world.ask("GET", f"/api/v1/tasks/{task}", by=token)).status == 200
    if end == "deactivate":
        told = await activate(world, "contract-bot", False)
    else:
        told = await ask(world, "DELETE", "/Agents/contract-bot")
    assert told.status == 204, told.content
    for shown in (token, mine):
        assert (await world.ask("GET", f"/api/v1/tasks/{task}", by=shown)).status == 401
    assert (await world.services.tasks.tasks.get(task)).ended is not None
    told_by = [
        (entry.kind, (entry.opened or {}).get("by"))
        for entry in await world.services.evidence.log.pages(limit=1000)
        if entry.kind in ("agent.changed", "task.ended")
    ]
    assert ("agent.changed", "scim:okta") in told_by, told_by
    assert ("task.ended", "scim:okta") in told_by, told_by


async def test_a_reactivation_revives_nothing(world: OAuthWorld) -> None:
    """Tasks, tokens and bindings of before stay gone."""
    task = await world.open(await world.session("lena"))
    token = (await world.task_token(task)).json["access_token"]
    mine = await world.agent_token()
    assert (await activate(world, "contract-bot", False)).status == 204
    world.clock.advance(5)
    assert (await activate(world, "contract-bot", True)).status == 204
    agent = await world.services.identity.directory.agent("contract-bot")
    assert agent.usable
    assert not agent.bindings
    for shown in (token, mine):
        assert (await world.ask("GET", f"/api/v1/tasks/{task}", by=shown)).status == 401
    assert (await world.task_token(task)).status == 401
    assert (await world.services.tasks.tasks.get(task)).ended is not None


async def test_what_others_suspended_stays_suspended(world: OAuthWorld) -> None:
    """By an administrator before or after the provider did, or by a finding in the meantime."""
    directory = world.services.identity.directory
    await create(world)
    await directory.move("okta-helper", AgentState.SUSPENDED, by="root", reason="odd")
    assert (await activate(world, "okta-helper", True)).status == 403
    await directory.move("okta-helper", AgentState.ACTIVE, by="root", reason="fine")
    await activate(world, "okta-helper", False)
    await directory.move("okta-helper", AgentState.ACTIVE, by="root", reason="needed")
    await directory.move("okta-helper", AgentState.SUSPENDED, by="root", reason="odd again")
    assert (await activate(world, "okta-helper", False)).status == 204
    refused = await activate(world, "okta-helper", True)
    assert refused.status == 403
    assert "administrator" in refused.json["detail"]

    await create(world, "second")
    await activate(world, "okta-second", False)
    await world.services.findings.findings.see(FindingKind.MANIFEST_DRIFT, "agent:okta-second", "one", {})
    assert (await activate(world, "okta-second", True)).status == 403


async def test_a_provider_that_may_end_an_agent_of_another_may_do_no_more(world: OAuthWorld) -> None:
    """It gives it no identity at the other's issuer, reads no words of the other, and reverses no suspension;
    nor does the other reverse that of it.
    """
    directory, other = world.services.identity.directory, "of-ping"
    await create(world, externalId="one", displayName="Helper")
    was = (await directory.agent("okta-helper")).bindings
    told = await ask(world, "GET", "/Agents/okta-helper", by=other)
    assert told.json.keys().isdisjoint({"externalId", "displayName"})
    assert (await say(world, "okta-helper", "externalId", "theirs", other)).status < 300
    assert (await say(world, "okta-helper", "displayName", "New")).status == 204
    assert (await directory.agent("okta-helper")).bindings == was

    assert (await activate(world, "okta-helper", False)).status == 204
    assert (await activate(world, "okta-helper", True, other)).status == 403
    await directory.move("okta-helper", AgentState.ACTIVE, by="root", reason="fine")
    assert (await activate(world, "okta-helper", False, other)).status == 204
    for by in (SECRET, other):
        assert (await activate(world, "okta-helper", True, by)).status == 403


async def test_a_suspension_that_two_providers_want_is_for_people_to_reverse(world: OAuthWorld) -> None:
    """Also where the second one suspends what is suspended already: it cannot know which one did it."""
    put = {"schemas": [AGENT_SCHEMA], "agentUserName": "okta-third", "active": False}
    for name in ("first", "second", "third"):
        await create(world, name)
        assert (await activate(world, f"okta-{name}", False)).status == 204
    # Words of another one say nothing of the suspension.
    assert (await say(world, "okta-first", "displayName", "New", "of-ping")).status < 300
    assert (await activate(world, "okta-second", False, "of-ping")).status == 204
    assert (await ask(world, "PUT", "/Agents/okta-third", put, by="of-ping")).status == 200
    reactivated = [await activate(world, f"okta-{name}", True) for name in ("first", "second", "third")]
    assert [one.status for one in reactivated] == [204, 403, 403]


async def test_an_administrator_takes_over_a_suspension(world: OAuthWorld) -> None:
    """An administrator who suspends what the provider has suspended already can rely on it."""
    await create(world)
    await activate(world, "okta-helper", False)
    directory = world.services.identity.directory
    await directory.move("okta-helper", AgentState.SUSPENDED, by="root", reason="odd")
    assert (await activate(world, "okta-helper", True)).status == 403


@pytest.mark.parametrize("path", ["/Agents/.search", "/.search", "/agents/.search", "/Agents/.search/"])
async def test_a_search_is_bounded_wherever_it_stands(world: OAuthWorld, path: str) -> None:
    """In a body like in a query: a filter of forty thousand signs held up all others."""
    named = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}
    deep = "(" * 20_000 + "active eq true" + ")" * 20_000
    assert (await ask(world, "POST", path, named | {"filter": deep})).status in (400, 404)
    assert (await ask(world, "POST", "/Agents/.search", named | {"filter": "active eq true"})).status == 200
    assert (await ask(world, "GET", f"/Agents?startIndex={10**24}")).status == 400


async def test_names_and_ids_that_nothing_shows_are_refused(world: OAuthWorld) -> None:
    """An empty name would be that of the prefix; an id with invisible characters looks like another one."""
    for made in (await create(world, ""), *[await create(world, externalId=x) for x in ("a\0b", "a\u200bb")]):
        assert (made.status, made.json["scimType"]) == (400, "invalidValue"), made.content


@pytest.mark.parametrize(("op", "value"), [("replace", False), ("Replace", "False"), ("add", "false")])
async def test_providers_write_booleans_in_several_ways(world: OAuthWorld, op: str, value: object) -> None:
    """Also as texts, and operations with a capital letter, without a path."""
    await create(world)
    for path, given in (("active", value), (None, {"active": value})):
        change = {"op": op, "value": given} | ({"path": path} if path else {})
        told = await ask(world, "PATCH", "/Agents/okta-helper", {"schemas": [PATCH], "Operations": [change]})
        assert told.status == 204, told.content
        assert not (await world.services.identity.directory.agent("okta-helper")).usable
        await activate(world, "okta-helper", True)
    assert (await activate(world, "okta-helper", "perhaps")).status == 400


async def test_an_update_without_active_reactivates_nothing(world: OAuthWorld) -> None:
    """A replacement that leaves `active` out changes only texts."""
    await create(world)
    await activate(world, "okta-helper", False)
    body = {"schemas": [AGENT_SCHEMA], "agentUserName": "helper", "displayName": "New"}
    told = await ask(world, "PUT", "/Agents/okta-helper", body)
    assert (told.status, told.json["active"], told.json["displayName"]) == (200, False, "New")


async def test_agents_of_others_read_like_unknown_ones(world: OAuthWorld) -> None:
    """Another agent, that of another provider, a deleted one, and one that never was get the same answer."""
    other = await world.agent_token("third-bot")
    assert (await create(world, by=other)).json["id"] == "loose-helper"
    await create(world, "gone")
    await ask(world, "DELETE", "/Agents/okta-gone")
    patch = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "active", "value": False}]}
    put = {"schemas": [AGENT_SCHEMA], "agentUserName": "x"}
    for method, body in (("GET", None), ("PUT", put), ("PATCH", patch), ("DELETE", None)):
        answers = set()
        for name in ("spire-bot", "loose-helper", "okta-gone", "never-was"):
            told = await ask(world, method, f"/Agents/{name}", body)
            answers.add((told.status, told.content.replace(name.encode(), b"NAME")))
        assert [status for status, _ in answers] == [404], answers
    listed = (await ask(world, "GET", "/Agents")).json["Resources"]
    assert [one["id"] for one in listed] == ["contract-bot"]
    assert (await world.services.identity.directory.agent("loose-helper")).usable


async def test_names_and_identities_that_are_taken_are_refused(world: OAuthWorld) -> None:
    """A name that was used, an identity of another agent, and a name that cannot be: in SCIM's terms."""
    await create(world, externalId="mine")
    again, theirs = await create(world), await create(world, "thief", externalId="worker")
    for told in (again, theirs):
        assert (told.status, told.json["scimType"]) == (409, "uniqueness")
        assert b"pod-bot" not in told.content
    await ask(world, "DELETE", "/Agents/okta-helper")
    assert (await create(world)).status == 409
    odd = await create(world, "Odd Name")
    assert (odd.status, odd.json["scimType"]) == (400, "invalidValue")
    put = {"schemas": [AGENT_SCHEMA], "agentUserName": "other"}
    await create(world, "fixed")
    assert (await ask(world, "PUT", "/Agents/okta-fixed", put)).status == 400


async def test_another_id_at_the_provider_is_another_identity(world: OAuthWorld) -> None:
    """The old binding goes, and with it every token that it may have got."""
    await create(world, externalId="one")
    before = (await world.services.identity.directory.agent("okta-helper")).tokens_from
    body = {"schemas": [AGENT_SCHEMA], "agentUserName": "helper", "externalId": "two", "active": True}
    assert (await ask(world, "PUT", "/Agents/okta-helper", body)).status == 200
    agent = await world.services.identity.directory.agent("okta-helper")
    assert agent.bindings == (IssuerBinding("https://platform.example", "two"),)
    assert agent.tokens_from > before


async def test_an_access_token_must_be_bound_to_a_key(world: OAuthWorld) -> None:
    """A copied token of a provider manages nothing, unless its section says otherwise."""
    bearer = await world.agent_token("other-bot")
    refused = await create(world, by=bearer)
    assert refused.status == 401
    assert "DPoP" in refused.json["detail"]
    prover, url = DpopProver(), f"{PUBLIC_URL}/scim/v2/Agents"
    world.clock.jump(time.time() - world.clock.now().timestamp())
    got = await world.with_proof(prover, "client_credentials", by="other-bot")
    token = got.json["access_token"]
    statuses = []
    for _ in range(2):
        headers = {"authorization": f"DPoP {token}", "dpop": prover.proof("GET", url, token)}
        told = await ask(world, "GET", "/Agents", by="", headers=headers)
        prover.learn(url, {"DPoP-Nonce": told.headers.get("dpop-nonce", "")})
        statuses.append(told.status)
    assert statuses[-1] == 200


async def test_strangers_are_refused(world: OAuthWorld) -> None:
    """Without a credential, with a wrong one, as an agent that is no provider, as a person, for a task."""
    task = await world.open(await world.session("lena"))
    shown = {
        "": 401,
        "of-okta2": 401,
        await world.agent_token(): 403,
        await world.session("root"): 403,
        (await world.task_token(task)).json["access_token"]: 403,
    }
    for by, status in shown.items():
        told = await ask(world, "GET", "/Agents", by=by)
        assert told.status == status, (by[:12], told.content)
        assert told.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
        assert status == 403 or "www-authenticate" in told.headers


@pytest.mark.parametrize(
    ("path", "scim_type"),
    [
        ("/Agents?filter=agentUserName%20eq", "invalidFilter"),
        ("/Agents?filter=agentUserName%20eq%20%22a%22%20and", "invalidFilter"),
        ("/Agents?filter=" + "(" * 3000, "invalidFilter"),
        ("/Agents?filter=" + "a" * 5000, "invalidValue"),
        ("/Agents?count=2&count=3", "invalidValue"),
        ("/Agents?count=many", "invalidValue"),
    ],
)
async def test_odd_queries_are_refused(world: OAuthWorld, path: str, scim_type: str) -> None:
    """A broken, deep or long filter, and a parameter that is given twice or is no number."""
    told = await ask(world, "GET", path)
    assert (told.status, told.json.get("scimType")) == (400, scim_type), told.content


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"agentUserName": "a", "agentUserName": "b"}', 400),
        (b'{"a":' * 40 + b"1" + b"}" * 40, 400),
        (b'"' + b"a" * 70_000 + b'"', 413),
        (b"[]", 400),
        (b'{"schemas": [], "agentUserName": 7}', 400),
        (json.dumps({"agentUserName": "a", "displayName": "b" * 2000}).encode(), 400),
    ],
)
async def test_odd_bodies_are_refused(world: OAuthWorld, body: bytes, status: int) -> None:
    """Broken, ambiguous, deep, large, of another shape, or with a text that is too long."""
    told = await ask(world, "POST", "/Agents", body)
    assert told.status == status, told.content
    assert told.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]


async def test_pages_and_filters(world: OAuthWorld) -> None:
    """Agents come in pages; `eq` and `and` find them."""
    for number in range(5):
        await create(world, f"a{number}", externalId=f"id-{number}")
    await activate(world, "okta-a3", False)
    page = (await ask(world, "GET", "/Agents?startIndex=2&count=2")).json
    assert (page["totalResults"], page["itemsPerPage"], page["startIndex"]) == (6, 2, 2)
    wanted = "externalId%20eq%20%22id-3%22%20and%20active%20eq%20false"
    found = (await ask(world, "GET", f"/Agents?filter={wanted}")).json
    assert [one["id"] for one in found["Resources"]] == ["okta-a3"]
