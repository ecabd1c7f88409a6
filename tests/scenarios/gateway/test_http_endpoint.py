# SPDX-License-Identifier: Apache-2.0
"""Threat: an agent that calls a REST API gets what it was not granted, or gets around the nine steps."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Role
from remit.gateway.endpoints import mcp_endpoint
from remit.gateway.http.request_state import ApiVisit
from remit.services.identity.directory import NewPerson
from tests.refusals import failure
from tests.samples.tokens import task_token
from tests.worlds.http_endpoint import SECRET, RestWorld, rest_world
from tests.worlds.mcp_endpoint import ENVELOPE, MODERN
from tests.worlds.services import Told, exchange


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[RestWorld]:
    """A shop behind the endpoint."""
    async with rest_world(tmp_path) as made:
        yield made


def problem(told: Told, status: int, code: str) -> None:
    """Say that an answer is a problem of this kind (RFC 9457)."""
    assert (told.status, told.json["code"]) == (status, code), told.content
    assert told.headers["content-type"] == "application/problem+json"
    assert told.json["status"] == status


async def test_a_granted_operation_is_carried_out(world: RestWorld) -> None:
    """Method and path are the tool, its parameters the arguments; the answer comes as the API gave it."""
    told = await world.get("/customers/c-1?fields=name", headers={"x-region": "eu", "user-agent": "x"})
    assert (told.status, told.json["name"]) == (200, "Ada")
    seen = world.api.seen[-1]
    assert (seen["method"], seen["path"], seen["query"]) == ("GET", "/v1/customers/c-1", "fields=name")
    assert world.header("x-region") == ["eu"]
    (decision,) = await world.facts(EventKind.DECISION_MADE)
    assert decision["tool"] == "shop/getCustomer"


async def test_the_credential_is_remits_and_the_token_never_goes_upstream(world: RestWorld) -> None:
    """What the API gets is the leased credential, once; nothing of the agent's token."""
    await world.get("/customers/c-1", headers={"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"})
    assert world.header("authorization") == [f"Bearer {SECRET}"]
    assert world.token not in str(world.api.seen)
    assert world.header("traceparent") == [f"00-{'1' * 32}-{'2' * 16}-01"]
    assert world.header("user-agent") == []


async def test_a_wrong_argument_gets_the_full_reason(world: RestWorld) -> None:
    """A problem with code, step, rule and the remediation; nothing reaches the API."""
    told = await world.get("/customers/c-2")
    problem(told, 403, "argument-refused")
    assert told.json["step"] == 4
    assert told.json["remediation"]
    assert told.json["decision"].startswith("dec_")
    assert world.api.seen == []


async def test_what_was_not_granted_does_not_exist(world: RestWorld) -> None:
    """An operation without a grant, one that is none, and another method answer alike, to the byte."""
    answers = [
        await world.get("/customers/export"),
        await world.get("/hidden?q=1"),
        await world.get("/hidden?undeclared=1"),
        await world.get("/no/such/thing"),
        await world.ask("PUT", "/customers/c-1", {"a": 1}),
        await world.ask("DELETE", "/customers/c-1"),
        await world.ask("OPTIONS", "/customers/c-1"),
    ]
    assert {(told.status, told.content) for told in answers} == {(404, answers[0].content)}
    problem(answers[0], 404, "unknown-route")
    assert world.api.seen == []
    asked = {fact["tool"] for fact in await world.facts(EventKind.DECISION_MADE)}
    assert {"shop/exportCustomers", "shop/GET /no/such/thing"} <= asked


async def test_what_does_not_exist_says_where_to_look(world: RestWorld) -> None:
    """The address below which operations are, and where the task's own can be read; of others not a word."""
    remediation = (await world.get("/customers/export")).json["remediation"]
    assert f"`{world.base}/http/shop`" in remediation
    assert f"`remit can {world.task}`" in remediation
    assert f"`tools/list` at `{world.base}/mcp/shop`" in remediation
    assert "export" not in remediation.lower()
    bearer = [("authorization", f"Bearer {world.token}")]
    for path in ("/http", "/http/", "/http/No..Name/x"):
        assert (await exchange(world.endpoint, "GET", path, [], b"", "127.0.0.1")).status == 401
        told = await exchange(world.endpoint, "GET", path, bearer, b"", "127.0.0.1")
        problem(told, 404, "no-upstream")
        assert f"`{world.base}/http/NAME/...`" in told.json["remediation"]
    # A name that could be one is not tried out so: the token is not for it.
    told = await exchange(world.endpoint, "GET", "/http/no-such-api/x", bearer, b"", "127.0.0.1")
    problem(told, 401, "token-audience")
    assert "`invalid_target` if no such resource exists" in told.json["remediation"]


async def test_without_a_token_there_is_nothing(world: RestWorld) -> None:
    """401 says where tokens come from (RFC 9728), and its metadata names this resource alone."""
    told = await world.get("/customers/c-1", token="")
    problem(told, 401, "no-token")
    assert told.json["step"] == 1
    where = f'resource_metadata="{world.base}/.well-known/oauth-protected-resource/http/shop"'
    assert where in told.headers["www-authenticate"]
    path = "/.well-known/oauth-protected-resource/http/shop"
    metadata = await exchange(world.endpoint, "GET", path, [], b"", "127.0.0.1")
    assert metadata.json["resource"] == f"{world.base}/http/shop"
    wrong = await world.get("/customers/c-1", token="x.y.z")
    assert wrong.status == 401
    assert world.api.seen == []


async def test_a_token_for_another_resource_is_refused(world: RestWorld) -> None:
    """RFC 8707: the MCP endpoint's token is not this one's, though it is the same task's."""
    for path in ("/mcp", "/mcp/shop"):
        other = await task_token(world.services, world.task, audience=(world.base + path,))
        assert (await world.get("/customers/c-1", token=other)).status == 401
    own = await task_token(world.services, world.task, audience=(f"{world.base}/http/shop",))
    assert (await world.get("/customers/c-1", token=own)).status == 200


async def test_a_token_in_the_query_or_twice_is_none(world: RestWorld) -> None:
    """Queries stand in logs; of two tokens each reader takes another."""
    told = await world.get(f"/customers/c-1?access_token={world.token}", token="")
    assert told.status == 401
    twice = [("authorization", f"Bearer {world.token}")]
    problem(await world.get("/customers/c-1", headers=twice), 401, "bad-authorization")
    assert world.api.seen == []


async def test_a_payment_waits_for_a_person_and_is_made_once(world: RestWorld) -> None:
    """A deferral is a problem that names the approval; the same request passes once when it is given."""
    payment = {"payee": "NL01", "amount": 40}
    told = await world.ask("POST", "/payments", payment)
    problem(told, 403, "approval-required")
    assert told.json["page"].endswith(f"/console/approvals/{told.json['approval']}")
    services = world.services
    await services.identity.directory.add_person(NewPerson(name="omar", roles=(Role.APPROVER,)), by="remit")
    omar = await services.identity.directory.person("omar")
    await services.decisions.approvals.answer(told.json["approval"], omar, approve=True)
    # The order of members and the spelling of numbers say nothing: the value was decided.
    paid = await world.ask(
        "POST", "/payments", b'{"amount": 40.0, "payee": "NL01"}', {"content-type": "application/json"}
    )
    again = await world.ask("POST", "/payments", payment)
    assert (paid.status, again.status) == (200, 403)
    assert [one["body"] for one in world.api.seen] == [b'{"amount":40,"payee":"NL01"}']
    problem(await world.ask("POST", "/payments", {"payee": "NL01", "amount": 400}), 403, "argument-refused")


async def test_a_payment_that_waits_for_a_person_is_made_with_the_answer(world: RestWorld) -> None:
    """The agent sends one request, and gets the answer of the API; an unreadable wait is refused."""
    services = world.services
    await services.identity.directory.add_person(NewPerson(name="omar", roles=(Role.APPROVER,)), by="remit")
    omar = await services.identity.directory.person("omar")

    async def approve() -> None:
        async with asyncio.timeout(60):
            while not await services.decisions.approvals.waiting():  # noqa: ASYNC110 - no event exists for it
                await asyncio.sleep(0.005)
        (asked,) = await services.decisions.approvals.listed()
        await services.decisions.approvals.answer(asked.id, omar, approve=True)

    payment = {"payee": "NL01", "amount": 40}
    paid, _ = await asyncio.gather(world.ask("POST", "/payments", payment, {"remit-wait": "300"}), approve())
    assert paid.status == 200
    assert len(world.api.seen) == 1
    problem(await world.ask("POST", "/payments", payment, {"remit-wait": "long"}), 400, "wait-form")
    assert len(world.api.seen) == 1


async def test_an_ended_task_is_refused(world: RestWorld) -> None:
    """The fence of step 2, and 403: to authenticate again would not help."""
    await world.services.endings.revocations.end_task(world.task, by="root", reason="test")
    told = await world.get("/customers/c-1")
    assert told.status in (401, 403)
    assert world.api.seen == []


async def test_an_end_cuts_an_answer_that_is_under_way(world: RestWorld) -> None:
    """No more of a stream is handed out after the end, and it does not look whole."""
    heard: list[bytes] = []
    begun = asyncio.Event()

    async def hear(part: bytes) -> None:
        heard.append(part)
        if part:
            begun.set()

    call = asyncio.create_task(world.get("/say/events", heard=hear))
    await begun.wait()
    while len(b"".join(heard).split(b"\n\n")) < 3:  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.01)
    await world.services.endings.revocations.end_task(world.task, by="root", reason="test")
    world.api.let_go.set()
    told = await call
    assert b'"n": 2' not in told.content
    # A whole answer ends with an empty part.
    assert heard[-1] != b""


async def test_budgets_count_calls_of_this_endpoint(world: RestWorld) -> None:
    """A task's ceilings have one home."""
    _, token = await world.open("one-call")
    assert (await world.get("/customers/c-1", token=token)).status == 200
    told = await world.get("/customers/c-1", token=token)
    assert (told.status, told.json["code"]) == (403, "budget-exhausted")


async def test_the_mcp_endpoint_offers_the_same_operations(world: RestWorld) -> None:
    """An agent that speaks MCP calls the API's operations as tools, under the same grants."""
    endpoint = mcp_endpoint(world.services)

    async def ask(method: str, **params: object) -> Told:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": ENVELOPE}}
        headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "authorization": f"Bearer {world.token}",
            "mcp-protocol-version": MODERN,
            "mcp-method": method,
        }
        if "name" in params:
            headers["mcp-name"] = str(params["name"])
        return await exchange(
            endpoint, "POST", "/mcp/shop", list(headers.items()), json.dumps(body).encode(), "127.0.0.1"
        )

    listed = await ask("tools/list")
    names = {tool["name"] for tool in listed.json["result"]["tools"]}
    assert names == {"getCustomer", "search", "say", "get_odd", "createPayment"}
    told = await ask("tools/call", name="getCustomer", arguments={"id": "c-1"})
    assert told.json["result"]["structuredContent"]["name"] == "Ada"
    failed = await ask("tools/call", name="say", arguments={"what": "404"})
    assert failed.json["result"]["isError"] is True
    refused = await ask("tools/call", name="getCustomer", arguments={"id": "c-2"})
    assert failure(refused.json)["code"] == "argument-refused"
    sneaky = await ask("tools/call", name="say", arguments={"what": "../customers/c-2"})
    assert failure(sneaky.json)["code"] == "bad-path"
    assert [one["path"] for one in world.api.seen] == ["/v1/customers/c-1", "/v1/say/404"]


async def test_observing_refuses_nothing_that_the_document_describes(tmp_path: Path) -> None:
    """A request without a grant passes and is recorded as one that would have been refused. A request that
    the document does not describe goes nowhere: remit would not know what it passes on.
    """
    async with rest_world(tmp_path, observed=True) as world:
        assert (await world.get("/customers/c-2")).status == 200
        assert (await world.get("/customers/export")).status == 200
        assert (await world.get("/no/such/thing")).json["code"] == "unknown-route"
        assert [one["path"] for one in world.api.seen] == ["/v1/customers/c-2", "/v1/customers/export"]
        told = [fact for fact in await world.facts(EventKind.DECISION_MADE) if fact.get("observed")]
        assert {"shop/getCustomer", "shop/exportCustomers"} <= {fact["tool"] for fact in told}


async def test_a_call_that_was_answered_leaves_nothing_in_memory(world: RestWorld) -> None:
    """What it leaves would stay until a collection of all objects."""
    gc.collect()
    gc.disable()
    try:
        assert (await world.get("/customers/c-1?fields=name")).status == 200
        assert [one for one in gc.get_objects() if isinstance(one, ApiVisit)] == []
    finally:
        gc.enable()
