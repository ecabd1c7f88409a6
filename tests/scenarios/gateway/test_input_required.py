# SPDX-License-Identifier: Apache-2.0
"""An upstream asks something back: who hears the question, and what becomes of the answer.

The tool `ask` of `files` (2026-07-28) asks for a word, and gives its state along.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, ElicitResult, ErrorData

from remit.core.evidence.event import EventKind
from tests.refusals import failure, said
from tests.worlds.mcp_endpoint import GatewayWorld, gateway_world, served
from tests.worlds.services import Told

Json = Any
ABLE = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}, "other": {"x": 1}}}
ANSWER = {"a": {"action": "accept", "content": {"word": "please"}}}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GatewayWorld]:
    """The endpoint, and a task that may answer what `files/ask` asks."""
    async with gateway_world(tmp_path) as world:
        world.task, world.token = await world.open("asked")
        yield world


async def ask(world: GatewayWorld, arguments: Json = None, *, token: str | None = None, **more: Json) -> Told:
    """Call `ask` as a client that can show forms does."""
    params = {"name": "ask", "arguments": arguments or {}, "_meta": ABLE, **more}
    return await world.modern("tools/call", params, token=token)


def refused(told: Told) -> str:
    """Return the code of an error."""
    code: str = failure(told.json)["code"]
    return code


async def test_a_question_is_passed_on_and_the_answer_is_a_call_of_its_own(world: GatewayWorld) -> None:
    """The upstream asks, the client answers by the same call, and both calls stand in the evidence."""
    told = (await ask(world)).json["result"]
    assert told["resultType"] == "input_required"
    assert told["inputRequests"]["a"]["method"] == "elicitation/create"
    done = await ask(world, inputResponses=ANSWER, requestState=told["requestState"])
    told = done.json["result"]
    assert told["resultType"] == "complete"
    assert told["structuredContent"]["inputResponses"] == ANSWER
    assert told["structuredContent"]["requestState"] == "state of this call"
    # An outcome is written with the decision after it, or soon: the third one may be there, too.
    await ask(world)
    called = [one["outcome"] for one in await world.facts(EventKind.TOOL_CALLED)]
    assert called[:2] == ["input-required", "ok"]
    assert [one["outcome"] for one in await world.facts(EventKind.DECISION_MADE)] == ["permit"] * 3


async def test_the_upstream_learns_what_the_client_can_answer_and_nothing_else_of_it(
    world: GatewayWorld,
) -> None:
    """Of a client's capabilities only those travel that are for answering, in their bare form."""
    await ask(world)
    (params,) = world.calls()
    assert params["_meta"]["io.modelcontextprotocol/clientCapabilities"] == {"elicitation": {"form": {}}}


async def test_a_client_that_cannot_answer_is_not_asked(world: GatewayWorld) -> None:
    """A question for which the client has not said that it can answer it is not passed on."""
    assert refused(await world.call("ask")) == "not-passed-on"
    (params,) = world.calls()
    assert params["_meta"]["io.modelcontextprotocol/clientCapabilities"] == {}


async def test_a_task_that_may_not_answer_cannot(world: GatewayWorld) -> None:
    """Without a grant of `mcp:input` the upstream hears of no ability, and an answer is refused."""
    _, token = await world.open("unasked")
    await ask(world, token=token)
    (params,) = world.calls()
    assert params["_meta"]["io.modelcontextprotocol/clientCapabilities"] == {}
    told = await ask(world, token=token, inputResponses=ANSWER)
    assert refused(told) == "argument-undeclared"
    assert failure(told.json)["reasons"][0]["argument"] == "mcp:input"
    assert len(world.calls()) == 1


@pytest.mark.parametrize(
    "change",
    ["other arguments", "other task", "other tool", "tampered", "longer", "made up", "not text"],
)
async def test_a_state_opens_for_the_call_it_came_from_alone(world: GatewayWorld, change: str) -> None:
    """A state is no coin between tasks or calls: shown elsewhere, it reaches no upstream."""
    state = (await ask(world)).json["result"]["requestState"]
    token, arguments, name = None, {}, "ask"
    if change == "other arguments":
        arguments = {"n": 1}
    elif change == "other task":
        _, token = await world.open("asked")
    elif change == "other tool":
        name = "fail"
    elif change == "tampered":
        state = state[:40] + ("A" if state[40] != "A" else "B") + state[41:]
    elif change == "longer":
        state += "-TAMPERED"
    elif change == "made up":
        state = "state of this call"
    else:
        state = 7
    reached = len(world.calls())
    params = {"name": name, "arguments": arguments, "inputResponses": ANSWER, "requestState": state}
    told = await world.modern("tools/call", {**params, "_meta": ABLE}, token=token)
    assert told.json["error"]["code"] == -32602
    assert refused(told) == "invalid-params"
    assert len(world.calls()) == reached


@pytest.mark.parametrize("responses", [None, [], "a", {"a": 7}, {"a": None}, {str(i): {} for i in range(33)}])
async def test_answers_that_are_none_are_refused(world: GatewayWorld, responses: Json) -> None:
    """`inputResponses` is an object of objects, of which there are not too many."""
    assert refused(await ask(world, inputResponses=responses)) == "invalid-params"
    assert world.calls() == []


async def test_no_argument_can_pass_for_an_answer(world: GatewayWorld) -> None:
    """No client may send the argument that holds answers in decisions, in either era."""
    given = {"mcp:input": {"responses": ANSWER, "state": "mine"}}
    assert refused(await ask(world, given)) == "invalid-params"
    told = await world.legacy(
        "tools/call", {"name": "ask", "arguments": given}, session=await world.session()
    )
    assert refused(told) == "invalid-params"
    assert world.calls() == []


# Sessions of the older era.


async def legacy_ask(world: GatewayWorld, answer: Json) -> CallToolResult:
    """Call `ask` in a session of the official client that answers by `answer`; gives the result."""

    async def respond(context: Json, params: Json) -> Json:
        assert params.message == "?"
        return answer

    async with (
        served(world.endpoint) as base,
        httpx2.AsyncClient(headers={"authorization": f"Bearer {world.token}"}, timeout=60) as http,
        Client(
            streamable_http_client(base + "/mcp/files", http_client=http),
            mode="legacy",
            read_timeout_seconds=120,
            elicitation_callback=respond,
        ) as mcp,
    ):
        result = await mcp.call_tool("ask", {})
        assert isinstance(result, CallToolResult)
        return result


async def test_a_session_is_asked_over_the_stream_of_its_call(world: GatewayWorld) -> None:
    """A client of 2025-11-25 hears the question as its revision has it, and its answer is decided again."""
    result = await legacy_ask(world, ElicitResult(action="accept", content={"word": "please"}))
    assert isinstance(result, CallToolResult)
    assert result.structured_content is not None
    assert result.structured_content["inputResponses"] == ANSWER
    assert result.structured_content["requestState"] == "state of this call"
    assert [one["outcome"] for one in await world.facts(EventKind.DECISION_MADE)] == ["permit", "permit"]


async def test_a_client_that_fails_to_answer_ends_the_call(world: GatewayWorld) -> None:
    """Where the client answers with an error, the upstream hears nothing more and the agent learns why."""
    result = await legacy_ask(world, ErrorData(code=-32603, message="no"))
    assert isinstance(result, CallToolResult)
    assert result.is_error
    assert "did not answer" in said(result)
    assert len(world.calls()) == 1


async def test_an_answer_that_nobody_waits_for_does_nothing(world: GatewayWorld) -> None:
    """Late, double and made-up answers are dropped; without a session no question is pending."""
    session = await world.session()
    reply = b'{"jsonrpc":"2.0","id":"remit-1","result":{"action":"accept"}}'
    headers = {"mcp-protocol-version": "2025-11-25", "mcp-session-id": session}
    assert (await world.send(reply, headers)).status == 202
    assert (await world.send(reply, headers | {"mcp-session-id": "0" * 40})).status == 404
    assert (await world.send(reply, {"mcp-protocol-version": "2026-07-28"})).status == 400
    assert world.calls() == []
