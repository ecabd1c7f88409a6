# SPDX-License-Identifier: Apache-2.0
"""Calls that go on after their answer: to which task they belong, and what is released of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Role
from remit.services.identity.directory import NewPerson
from remit.services.mediation import deferred_calls as deferrals
from tests.refusals import failure, own_failure
from tests.samples.tokens import task_token
from tests.servers.deferring_mcp import (
    ABLE,
    EXTENSION,
    KNOWS,
    OWN_ID,
    QUESTION,
    DeferringServer,
    deferring_bundle,
    text,
)
from tests.worlds.deferring import DeferringWorld, refused
from tests.worlds.mcp_endpoint import gateway_world
from tests.worlds.services import Told

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[DeferringWorld]:
    """The endpoint, and a task that may call what is deferred."""
    server = DeferringServer()
    async with gateway_world(tmp_path, server=server, bundle=deferring_bundle()) as gateway:
        yield DeferringWorld(gateway, server)


# The way of one call.


async def test_a_call_is_begun_looked_after_and_ended(world: DeferringWorld) -> None:
    """The agent gets a handle, sees how the call stands, and at the end its result; the evidence has one
    call.
    """
    told = (await world.gateway.call("slow", meta=KNOWS)).json["result"]
    assert (told["resultType"], told["status"], told["pollIntervalMs"]) == ("task", "working", 500)
    assert "result" not in told
    handle = told["taskId"]
    working = await world.get(handle)
    assert (working["resultType"], working["status"], working["taskId"]) == ("complete", "working", handle)
    assert await world.outcomes() == []
    assert (world.in_hand, len(world.services.mediation.deferrals)) == (1, 1)
    world.server.finish(**text("all of it"))
    done = await world.get(handle)
    assert (done["status"], done["result"]["content"][0]["text"]) == ("completed", "all of it")
    assert await world.outcomes() == [("ok", "")]
    assert world.in_hand == 0
    assert len(await world.gateway.facts(EventKind.DECISION_MADE)) == 1
    assert len(await world.gateway.facts(EventKind.DATA_READ)) == 1


async def test_the_upstreams_own_id_stays_here(world: DeferringWorld) -> None:
    """What names a call at its upstream could be used there: an agent never sees it."""
    told = await world.gateway.call("slow", meta=KNOWS)
    handle = told.json["result"]["taskId"]
    assert OWN_ID.encode() not in told.content
    world.server.job()["extra"] = OWN_ID
    assert OWN_ID.encode() not in (await world.ask("get", handle)).content
    (params,) = world.server.asked("tasks/get")
    assert params["taskId"] == f"{OWN_ID}-1"
    assert refused(await world.ask("get", f"{OWN_ID}-1")) == (-32602, "unknown-task")


async def test_a_failure_is_told_as_it_is(world: DeferringWorld) -> None:
    """An error of the tool and one of the protocol are two things, in the answer and in the evidence."""
    first = await world.begin()
    world.server.finish(**text("no", isError=True))
    assert (await world.get(first))["result"]["isError"] is True
    second = await world.begin()
    world.server.job().update(status="failed", error={"code": -31001, "message": "forged"})
    told = await world.get(second)
    assert (told["status"], told["error"]["code"]) == ("failed", -32603)
    assert await world.outcomes() == [("tool-error", ""), ("protocol-error", "")]


async def test_a_final_answer_can_be_had_again(world: DeferringWorld) -> None:
    """A client that missed the last answer asks again; the call has ended once."""
    handle = await world.begin()
    world.server.finish()
    assert await world.get(handle) == await world.get(handle)
    assert len(world.server.asked("tasks/get")) == 1
    world.gateway.clock.advance(deferrals.KEPT_S)
    await world.services.mediation.deferrals.sweep()
    world.gateway.token = await task_token(world.services, world.gateway.task)
    assert (await world.get(handle))["status"] == "completed"
    assert len(world.server.asked("tasks/get")) == 2
    world.gateway.clock.advance(300)
    await world.services.mediation.deferrals.sweep()
    world.gateway.token = await task_token(world.services, world.gateway.task)
    assert refused(await world.ask("get", handle)) == (-32602, "unknown-task")
    assert await world.outcomes() == [("ok", "")]
    assert world.server.asked("tasks/cancel") == []


async def test_the_pace_of_the_upstream_is_kept(world: DeferringWorld) -> None:
    """Who asks again too early is told what was told last, and the upstream is not asked."""
    handle = await world.begin()
    for _ in range(3):
        told = await world.gateway.modern("tasks/get", {"taskId": handle, "_meta": KNOWS})
        assert told.json["result"]["status"] == "working"
    assert world.server.asked("tasks/get") == []
    await world.get(handle)
    assert len(world.server.asked("tasks/get")) == 1


# Who may.


async def test_only_who_knows_the_extension_is_answered_so(world: DeferringWorld) -> None:
    """To other clients nothing is deferred, and the extension's methods say what is missing."""
    assert (await world.gateway.call("slow")).json["result"]["content"][0]["text"] == "at once"
    told = await world.gateway.call("needs")
    assert told.json["error"]["code"] == -32021
    handle = await world.begin()
    for method in ("get", "cancel", "update"):
        told = await world.ask(method, handle, meta={}, params={"inputResponses": {}})
        assert told.status == 400
        assert told.json["error"]["code"] == -32021
        assert failure(told.json)["requiredCapabilities"] == {"extensions": {EXTENSION: {}}}


async def test_the_extension_is_announced(world: DeferringWorld) -> None:
    """At every address, because any call may wait for a person; but not in sessions."""

    async def extensions(path: str) -> Json:
        told = await world.gateway.modern("server/discover", path=path)
        return told.json["result"]["capabilities"].get("extensions")

    assert await extensions("/mcp/files") == {EXTENSION: {}}
    assert await extensions("/mcp") == {EXTENSION: {}}
    assert await extensions("/mcp/notes") == {EXTENSION: {}}
    session = await world.gateway.session()
    told = await world.gateway.legacy("tasks/get", {"taskId": "x"}, session=session)
    assert told.json["error"]["code"] == -32601


@pytest.mark.parametrize("method", ["get", "cancel", "update"])
async def test_to_another_task_the_call_does_not_exist(world: DeferringWorld, method: str) -> None:
    """A handle is no coin: shown in another task, or at another upstream, it is one that never was."""
    handle = await world.begin()
    _, token = await world.gateway.open()
    params: Json = {"inputResponses": {}}
    made_up = refused(await world.ask(method, "call_aaaaaaaaaaaaaaaa", params=params))
    for told in (
        await world.ask(method, handle, token=token, params=params),
        await world.ask(method, handle, path="/mcp/notes", params=params),
    ):
        assert refused(told) == made_up == (-32602, "unknown-task")
    assert world.server.asked(f"tasks/{method}") == []
    assert (await world.get(handle, path="/mcp"))["status"] == "working"


async def test_a_header_that_names_another_call_is_refused(world: DeferringWorld) -> None:
    """Who routes by `Mcp-Name` must see the call that is asked about."""
    handle = await world.begin()
    told = await world.ask("get", handle, headers={"mcp-name": "another"})
    assert told.json["error"]["code"] == -32020


# What comes back.


async def test_what_comes_is_observed_before_it_is_released(world: DeferringWorld) -> None:
    """The label of a deferred result is the task's before the agent has it."""
    handle = await world.begin("secret")
    world.server.finish(**text("the code word is heliotrope-77"))
    await world.get(handle)
    live = world.services.tasks.live.get(world.gateway.task)
    assert live is not None
    assert live.label.data_class == "confidential"
    assert await world.gateway.facts(EventKind.LABEL_RAISED)


async def test_bytes_of_each_look_count(world: DeferringWorld) -> None:
    """A call that is looked at again and again spends what its task may read."""
    _, token = await world.gateway.open("unasked")
    told = await world.gateway.call("ask", {"n": 1}, meta=KNOWS, token=token)
    handle = told.json["result"]["taskId"]
    for _ in range(5):
        await world.ask("get", handle, meta=KNOWS, token=token)
    told = await world.gateway.call("ask", {"n": 2}, meta=KNOWS, token=token)
    assert failure(told.json)["reasons"][0]["code"] == "budget-exhausted"


# Input.


async def test_input_is_a_call_of_its_own(world: DeferringWorld) -> None:
    """What is answered is decided like a call: same tool, same arguments, and the answers beside them."""
    handle = await world.begin("ask", {"n": 1})
    world.server.job().update(status="input_required", inputRequests=QUESTION)
    asked = await world.get(handle)
    assert (asked["status"], asked["inputRequests"]) == ("input_required", QUESTION)
    answers = {"word": {"action": "accept", "content": {"word": "please"}}}
    told = await world.ask("update", handle, params={"inputResponses": answers})
    assert told.json["result"] == {"resultType": "complete"}
    (given,) = world.server.given
    assert {key: value for key, value in given.items() if key != "_meta"} == {
        "taskId": f"{OWN_ID}-1",
        "inputResponses": answers,
    }
    made = await world.gateway.facts(EventKind.DECISION_MADE)
    assert [one["outcome"] for one in made] == ["permit", "permit"]
    assert made[1]["follows"].startswith("dec_")
    assert (await world.get(handle))["status"] == "working"
    assert await world.outcomes() == [("ok", "")]


async def test_a_task_that_may_not_answer_is_not_asked(world: DeferringWorld) -> None:
    """Without a grant of `mcp:input` questions are not passed on, and answers reach no upstream."""
    _, token = await world.gateway.open("unasked")
    told = await world.gateway.call("ask", {"n": 1}, meta=ABLE, token=token)
    handle = told.json["result"]["taskId"]
    world.server.job().update(status="input_required", inputRequests=QUESTION)
    assert refused(await world.ask("get", handle, token=token)) == (-32603, "not-passed-on")
    told = await world.ask("update", handle, token=token, params={"inputResponses": {"word": {}}})
    assert refused(told) == (-31001, "argument-undeclared")
    assert world.server.given == []


@pytest.mark.parametrize("responses", [None, [], "a", {"a": 7}])
async def test_input_that_is_none_is_refused(world: DeferringWorld, responses: Json) -> None:
    """`inputResponses` is an object of objects, and has to be there."""
    handle = await world.begin("ask")
    assert refused(await world.ask("update", handle, params={"inputResponses": responses}))[0] == -32602
    assert refused(await world.ask("update", handle))[0] == -32602
    assert world.server.given == []


async def test_input_is_approved_as_a_call_is(world: DeferringWorld) -> None:
    """Where a person is asked about a call, they are asked about what is added to it, too, and see both."""

    async def approved(told: Told) -> Json:
        parked = told.json.get("result", {}).get("taskId", "")
        asked = {"approval": parked} if parked else failure(told.json)
        approval = await world.services.store.approval(world.services.tenant, asked["approval"])
        assert approval is not None
        await world.services.decisions.approvals.answer(approval.id, gil, approve=True)
        return approval.arguments

    await world.services.identity.directory.add_person(
        NewPerson(name="gil", roles=(Role.APPROVER,)), by="remit"
    )
    gil = await world.services.identity.directory.person("gil")
    begin: Json = {"name": "pay", "arguments": {"n": 1}, "_meta": ABLE}
    assert await approved(await world.gateway.modern("tools/call", begin)) == {"n": 1}
    handle = (await world.gateway.modern("tools/call", begin)).json["result"]["taskId"]
    assert handle.startswith("call_")
    world.server.job().update(status="input_required", inputRequests=QUESTION)
    await world.get(handle)
    answers = {"inputResponses": {"word": {"action": "accept", "content": {"word": "more"}}}}
    seen = await approved(await world.ask("update", handle, params=answers))
    assert seen == {"n": 1, "mcp:input": {"responses": answers["inputResponses"]}}
    other = {"inputResponses": {"word": {"action": "accept", "content": {"word": "much more"}}}}
    assert (await world.ask("update", handle, params=other)).json["error"]["code"] == -31002
    assert world.server.given == []
    assert not own_failure((await world.ask("update", handle, params=answers)).json)
    assert (await world.ask("update", handle, params=answers)).json["error"]["code"] == -31002
    assert len(world.server.given) == 1
