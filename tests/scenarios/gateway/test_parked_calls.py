# SPDX-License-Identifier: Apache-2.0
"""A call that waits for a person is parked: its agent holds a handle, and nothing else is held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.evidence.event import EventKind
from remit.gateway.mcp import parked
from remit.gateway.mcp.call_failures import META, NARROWED
from remit.gateway.mcp.questions import OWN_KEY
from remit.ports.store.changes import PutPerson
from remit.ports.store.units import Unit
from remit.services.decisions.approvals import MAX_PENDING
from remit.services.mediation import parked_calls
from remit.services.mediation.deferred_calls import KEPT_S
from tests.refusals import failure
from tests.samples.tokens import task_token
from tests.servers.deferring_mcp import EXTENSION, KNOWS
from tests.worlds.deferring import refused
from tests.worlds.parking import PATH, PAY, ParkingWorld, parking_world

Json = Any
OPENS: Json = {
    "io.modelcontextprotocol/clientCapabilities": {
        "extensions": {EXTENSION: {}},
        "elicitation": {"form": {}, "url": {}},
    }
}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ParkingWorld]:
    """A gateway at which `notes/echo` pays, with an approver."""
    async with parking_world(tmp_path) as made:
        yield made


async def end(world: ParkingWorld) -> Json:
    """End the task; give the closure."""
    return await world.services.endings.revocations.end_task(world.gateway.task, reason="enough", by="root")


def ended(told: Json) -> Json:
    """Return what a parked call that is not made tells programs."""
    assert told["status"] == "completed", told
    assert told["result"]["isError"] is True
    return told["result"]["_meta"][META]


# The way of one call.


async def test_a_parked_call_is_made_after_the_answer(world: ParkingWorld) -> None:
    """The agent gets a handle at once, sees that the call waits, and at the end its result."""
    told = (await world.pay()).json["result"]
    assert (told["resultType"], told["status"]) == ("task", "working")
    handle = told["taskId"]
    assert f"remit approve {handle}" in told["statusMessage"]
    assert f"/console/approvals/{handle}" in told["statusMessage"]
    assert "rent" not in told["statusMessage"]
    assert (await world.get(handle))["status"] == "working"
    assert world.paid == []
    await world.answer(handle)
    done = await world.get(handle)
    assert (done["status"], done["taskId"]) == ("completed", handle)
    assert done["result"]["structuredContent"]["arguments"] == PAY
    assert done["result"]["resultType"] == "complete"
    assert await world.get(handle) == done
    assert world.paid == [PAY]
    assert await world.asked() == 1


async def test_a_parked_call_holds_nothing(world: ParkingWorld) -> None:
    """No place among the calls of its task, no reservation, and nothing in this process."""
    await world.park()
    live = world.services.tasks.live.get(world.gateway.task)
    assert (live.open_calls, len(live.in_hand), len(world.services.mediation.parked)) == (0, 0, 0)


async def test_the_same_call_gets_the_same_handle(world: ParkingWorld) -> None:
    """Asking again notifies no person twice."""
    assert await world.park() == await world.park()
    assert await world.asked() == 1


async def test_a_look_can_wait_for_the_answer(world: ParkingWorld) -> None:
    """With the header by which calls wait, it hears the answer at once."""
    handle = await world.park()
    looking = asyncio.create_task(world.get(handle, headers={"remit-wait": "300"}))
    await asyncio.sleep(0.05)
    assert not looking.done()
    await world.answer(handle)
    assert (await looking)["status"] == "completed"
    assert world.paid == [PAY]


async def test_a_denial_is_the_result(world: ParkingWorld) -> None:
    """As the refusal that every client reads."""
    handle = await world.park()
    await world.answer(handle, approve=False)
    assert ended(await world.get(handle))["code"] == "denied"
    assert world.paid == []


async def test_a_narrower_call_is_told_or_made(world: ParkingWorld) -> None:
    """As for a call that is repeated: by the wish of the client that looks."""
    handle = await world.park()
    await world.answer(handle, narrow={"n": 500})
    told = ended(await world.get(handle))
    assert (told["code"], told["instead"]["arguments"]["n"]) == ("narrowed", 500)
    other = await world.park(PAY | {"n": 7000})
    await world.answer(other, narrow={"n": 700})
    made = await world.get(other, meta=KNOWS | {NARROWED: "make"})
    assert made["result"]["_meta"][NARROWED]["changed"] == ["n"]
    assert world.paid == [PAY | {"n": 700}]


async def test_no_answer_is_a_refusal_that_says_so(world: ParkingWorld) -> None:
    """It is recorded once, a further look says the same, and asks no second question."""
    handle = await world.park()
    world.gateway.clock.advance(901)
    token = await task_token(world.services, world.gateway.task)
    assert ended(await world.get(handle, token=token))["code"] == "unanswered"
    assert await world.state(handle) == "expired"
    world.gateway.clock.advance(KEPT_S)
    await world.services.mediation.parked.sweep()
    token = await task_token(world.services, world.gateway.task)
    assert ended(await world.get(handle, token=token))["code"] == "unanswered"
    assert await world.asked() == 1
    assert len(await world.gateway.facts(EventKind.APPROVAL_DECIDED)) == 1


# Clients that open addresses.


async def test_a_client_that_opens_pages_gets_the_question(world: ParkingWorld) -> None:
    """Once: after its person has seen it, the call goes on waiting."""
    told = (await world.pay(meta=OPENS)).json["result"]
    assert (told["resultType"], told["status"]) == ("task", "input_required")
    handle = told["taskId"]
    asked = (await world.get(handle, meta=OPENS))["inputRequests"][OWN_KEY]
    assert (asked["method"], asked["params"]["mode"]) == ("elicitation/create", "url")
    assert asked["params"]["url"].endswith(f"/console/approvals/{handle}")
    responses = {OWN_KEY: {"action": "accept"}}
    told = await world.ask("update", handle, meta=OPENS, params={"inputResponses": responses})
    assert told.json["result"] == {"resultType": "complete"}
    assert (await world.get(handle, meta=OPENS))["status"] == "working"
    assert await world.state(handle) == "pending"


async def test_an_answer_of_the_client_is_no_approval(world: ParkingWorld) -> None:
    """Whatever it says, also with content: nothing is decided by it."""
    handle = await world.park()
    responses: tuple[Json, ...] = (
        {"action": "accept", "content": {"approve": True}},
        {"approved": True},
        7,
        [],
    )
    for response in responses:
        params = {"inputResponses": {OWN_KEY: response}}
        await world.ask("update", handle, meta=OPENS, params=params)
    assert (await world.get(handle))["status"] == "working"
    assert refused(await world.ask("update", handle, params={}))[0] == -32602
    assert world.paid == []


async def test_the_open_questions_of_a_task_are_bounded(world: ParkingWorld) -> None:
    """However many calls an agent parks: further ones get no handle, and nothing grows here."""
    for number in range(MAX_PENDING):
        await world.park(PAY | {"n": number + 1})
    told = [failure((await world.pay(PAY | {"n": 6000 + number})).json) for number in range(5)]
    assert {one["status"] for one in told} == {"busy"}
    assert await world.asked() == MAX_PENDING
    assert len(world.services.mediation.parked) == 0


# Who may.


@pytest.mark.parametrize("method", ["get", "cancel", "update"])
async def test_a_handle_is_worth_nothing_in_another_task(world: ParkingWorld, method: str) -> None:
    """Shown in another task, or at another address, it is one that never was; so is one that is guessed."""
    handle = await world.park()
    await world.answer(handle)
    _, token = await world.gateway.open()
    params: Json = {"inputResponses": {}}
    made_up = [
        refused(await world.ask(method, one, params=params)) for one in ("apr_aaaaaaaaaaaaaaaa", "a" * 99)
    ]
    for told in (
        await world.ask(method, handle, token=token, params=params),
        await world.ask(method, handle, path="/mcp/files", params=params),
    ):
        assert [refused(told)] * 2 == made_up == [(-32602, "unknown-task")] * 2
    assert world.paid == []
    assert await world.state(handle) == "approved"


async def test_only_who_knows_the_extension_gets_a_handle(world: ParkingWorld) -> None:
    """All others read text, which names the page."""
    told = (await world.pay(meta={})).json
    said = failure(told)
    assert said["code"] == "approval-required"
    assert said["page"].endswith(f"/console/approvals/{said['approval']}")
    assert said["page"] in told["result"]["content"][0]["text"]
    assert refused(await world.ask("get", said["approval"], meta={}))[0] == -32021


async def test_a_token_that_is_over_looks_at_nothing(world: ParkingWorld) -> None:
    """The call outlives the token that made it, but a look needs a valid one."""
    handle = await world.park()
    world.gateway.clock.advance(600)
    await world.answer(handle)
    assert (await world.ask("get", handle)).status == 401
    assert world.paid == []
    world.gateway.token = await task_token(world.services, world.gateway.task)
    assert (await world.get(handle))["status"] == "completed"


async def test_a_hidden_argument_is_not_parked(tmp_path: Path) -> None:
    """The question holds its digest alone, so that the call could not be made from it."""
    async with parking_world(tmp_path, hidden=True) as world:
        said = failure((await world.pay()).json)
        assert said["code"] == "approval-required"
        assert refused(await world.ask("get", said["approval"])) == (-32602, "unknown-task")


# Decided again, and made once.


async def test_two_looks_at_once_make_one_call(world: ParkingWorld) -> None:
    """Both get its result."""
    handle = await world.park()
    await world.answer(handle)
    found = await asyncio.gather(*(world.get(handle) for _ in range(8)))
    assert {one["status"] for one in found} == {"completed"}
    assert world.paid == [PAY]


async def test_an_answer_that_comes_while_the_call_is_decided_counts(
    world: ParkingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the decision has looked for an answer and before it asks: it asks no second question."""
    handle = await world.park()
    approvals = world.services.decisions.approvals
    asking = approvals.asking

    async def late(*given: Json) -> Json:
        if await world.state(handle) == "pending":
            await world.answer(handle)
        return await asking(*given)

    monkeypatch.setattr(approvals, "asking", late)
    told = await world.pay()
    assert told.json["result"]["structuredContent"]["arguments"] == PAY
    assert await world.asked() == 1
    assert world.paid == [PAY]


async def test_a_look_and_a_repeated_call_make_one_call(world: ParkingWorld) -> None:
    """The approval is used up by the first; the other hears that, or asks again."""
    handle = await world.park()
    await world.answer(handle)
    await asyncio.gather(world.ask("get", handle), world.pay())
    assert world.paid == [PAY]
    assert (await world.get(handle))["status"] == "completed"
    assert world.paid == [PAY]


async def test_a_bounded_answer_makes_one_call_of_a_handle(world: ParkingWorld) -> None:
    """Also after this process has forgotten what came of it."""
    handle = await world.park()
    await world.answer(handle)
    await world.get(handle)
    world.gateway.clock.advance(KEPT_S)
    await world.services.mediation.parked.sweep()
    token = await task_token(world.services, world.gateway.task)
    assert ended(await world.get(handle, token=token))["code"] == "approval-used"
    assert world.paid == [PAY]


@pytest.mark.parametrize("answered", [True, False])
async def test_a_parked_call_survives_a_restart(world: ParkingWorld, answered: bool) -> None:
    """The question in the store is all that there is of it, before its answer and after."""
    handle = await world.park()
    if answered:
        await world.answer(handle)
    await world.restart()
    if not answered:
        assert (await world.get(handle))["status"] == "working"
        await world.answer(handle)
    assert (await world.get(handle))["status"] == "completed"
    assert world.paid == [PAY]


async def test_a_call_that_was_made_before_a_restart_is_not_made_again(world: ParkingWorld) -> None:
    """Its agent reads that the outcome is to be checked."""
    handle = await world.park()
    await world.answer(handle)
    await world.get(handle)
    await world.restart()
    assert ended(await world.get(handle))["code"] == "approval-used"
    assert world.paid == [PAY]


async def test_what_was_lowered_meanwhile_counts(world: ParkingWorld) -> None:
    """After the answer everything is decided again: here the rule has become a plain refusal."""
    handle = await world.park()
    await world.answer(handle)
    await change_rules(world, '@otherwise("approval")\n', "")
    told = ended(await world.get(handle))
    assert (told["status"], told["rule"]) == ("refused", "ask-for-money")
    assert world.paid == []


async def test_an_approver_who_is_none_any_more_has_not_answered(world: ParkingWorld) -> None:
    """The call is not made, and waits for another answer."""
    handle = await world.park()
    await world.answer(handle)
    omar = msgspec.structs.replace(await world.services.identity.directory.person("omar"), roles=())
    await world.services.store.commit(Unit((PutPerson(omar),)))
    assert ended(await world.get(handle))["status"] == "waiting"
    assert world.paid == []


async def test_other_rules_ask_again(world: ParkingWorld) -> None:
    """The answer was to the rules that were shown."""
    handle = await world.park()
    await world.answer(handle)
    await change_rules(world, "moves money", "moves much money")
    told = ended(await world.get(handle))
    assert (told["status"], told["code"]) == ("waiting", "approval-required")
    assert told["approval"] != handle
    assert await world.state(handle) == "expired"
    assert world.paid == []


async def change_rules(world: ParkingWorld, old: str, new: str) -> None:
    """Change the text of the one policy."""
    bundle = world.services.policies.applied.bundle
    (base,) = bundle.policies
    assert old in base.text
    policies = (msgspec.structs.replace(base, text=base.text.replace(old, new)),)
    changed = msgspec.structs.replace(bundle, policies=policies, digest="sha256:other")
    await world.services.policies.apply(changed, by="remit")


# Endings.


async def test_the_end_of_the_task_ends_it(world: ParkingWorld) -> None:
    """The closure lists the question, and no look finds anything any more."""
    handle = await world.park()
    waiting = asyncio.create_task(world.ask("get", handle, headers={"remit-wait": "300"}))
    await asyncio.sleep(0.05)
    closure = await end(world)
    told = await waiting
    assert told.json["error"]["code"] == -31003
    assert await world.state(handle) == "expired"
    assert any(one.name == handle for one in closure.closings)
    assert world.paid == []


async def test_what_came_of_it_is_released_to_no_ended_task(world: ParkingWorld) -> None:
    """The result is kept for the agent, and forgotten with the task."""
    handle = await world.park()
    await world.answer(handle)
    await world.get(handle)
    await end(world)
    told = await world.ask("get", handle)
    assert told.json["error"]["code"] == -31003
    assert len(world.services.mediation.parked) == 0


async def test_who_cancels_withdraws_the_question(world: ParkingWorld) -> None:
    """It stands on no approver's screen any more, and an answer that comes later finds nothing."""
    handle = await world.park()
    assert (await world.ask("cancel", handle)).json["result"] == {"resultType": "complete"}
    assert (await world.get(handle))["status"] == "cancelled"
    found = await world.services.decisions.approvals.get(handle)
    assert (found.state, found.overtaken) == ("expired", "agent")
    (decided,) = await world.gateway.facts(EventKind.APPROVAL_DECIDED)
    assert (decided["state"], decided["overtaken"]) == ("withdrawn", "agent")
    with pytest.raises(Exception, match="already expired"):
        await world.answer(handle)


async def test_who_cancels_after_the_answer_gives_it_back(world: ParkingWorld) -> None:
    """An approval that its agent does not want permits nothing."""
    handle = await world.park()
    await asyncio.gather(world.answer(handle), world.ask("cancel", handle), return_exceptions=True)
    assert await world.state(handle) == "expired"
    assert (await world.get(handle))["status"] == "cancelled"
    assert world.paid == []


async def test_an_agent_cannot_ask_and_withdraw_without_end(world: ParkingWorld) -> None:
    """People are told of each question, also of those that are withdrawn."""
    for number in range(parked_calls.MAX_WITHDRAWN):
        handle = await world.park(PAY | {"n": number + 1})
        assert "result" in (await world.ask("cancel", handle)).json
    handle = await world.park()
    assert refused(await world.ask("cancel", handle)) == (-32000, "busy")
    assert await world.state(handle) == "pending"


# Calls that take long.


@pytest.fixture
async def under_way(world: ParkingWorld, monkeypatch: pytest.MonkeyPatch) -> str:
    """A call that was approved, and that its upstream does not answer."""
    monkeypatch.setattr(parked, "PATIENCE_S", 0.05)
    told = await world.gateway.call("hang", path=PATH, meta=KNOWS)
    handle: str = told.json["result"]["taskId"]
    await world.answer(handle)
    assert (await world.get(handle))["status"] == "working"
    async with asyncio.timeout(60):
        while not world.gateway.calls("notes"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return handle


async def test_a_call_outlives_the_look_that_made_it(world: ParkingWorld, under_way: str) -> None:
    """A further look sees it at work, and makes no second one."""
    assert (await world.get(under_way))["status"] == "working"
    assert len(world.gateway.calls("notes")) == 1
    assert await world.state(under_way) == "consumed"


async def test_who_cancels_a_call_under_way_breaks_it_off(world: ParkingWorld, under_way: str) -> None:
    """What it has done by then is unknown, and recorded so."""
    await world.ask("cancel", under_way)
    assert (await world.get(under_way))["status"] == "cancelled"
    await world.services.mediation.mediator.retry_late()
    (called,) = await world.gateway.facts(EventKind.TOOL_CALLED)
    assert called["outcome"] == "unknown"
    assert len(world.gateway.calls("notes")) == 1


async def test_an_end_cuts_a_call_under_way(world: ParkingWorld, under_way: str) -> None:
    """The closure lists it as indeterminate, and nothing of it is released."""
    closure = await end(world)
    assert [one.tool for one in closure.indeterminate] == ["notes/hang"]
    assert (await world.ask("get", under_way)).json["error"]["code"] == -31003
    assert len(world.services.mediation.parked) == 0


async def test_a_stop_breaks_it_off(world: ParkingWorld, under_way: str) -> None:
    """The next process knows only that its approval was used."""
    await world.services.mediation.parked.stop()
    world.services.mediation.parked._made.clear()
    told = ended(await world.get(under_way))
    assert (told["code"], len(world.gateway.calls("notes"))) == ("approval-used", 1)
