# SPDX-License-Identifier: Apache-2.0
"""Waiting is not refusing: a call that waits for a person hears the answer at once, and is made then."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Role
from remit.core.tools.tool import Argument, ArgumentRole
from remit.gateway.mcp.call_failures import NARROWED
from remit.ports.store.changes import PutApproval
from remit.ports.store.units import Unit
from remit.services.identity.directory import NewPerson
from tests.refusals import failure, own_failure
from tests.worlds.mcp_endpoint import GatewayWorld, a_bundle, a_tool, gateway_world
from tests.worlds.services import Told

Json = Any
PATH = "/mcp/notes"
PAY = {"n": 5000, "text": "rent"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GatewayWorld]:
    """A gateway at which `notes/echo` pays, with an approver."""
    bundle = a_bundle()
    told = {"n": Argument(ArgumentRole.AMOUNT), "text": Argument()}
    pays = a_tool("notes", "echo", financial=True, arguments=told)
    bundle = msgspec.structs.replace(bundle, tools={**bundle.tools, "notes/echo": pays})
    async with gateway_world(tmp_path, bundle=bundle) as made:
        await made.services.identity.directory.add_person(
            NewPerson(name="omar", roles=(Role.APPROVER,)), by="remit"
        )
        yield made


async def pay(world: GatewayWorld, wait: str = "", **more: Json) -> Told:
    """Make the payment, ready to wait so many seconds."""
    headers = {"remit-wait": wait} if wait else {}
    return await world.call("echo", PAY, path=PATH, headers=headers, **more)


async def answer(world: GatewayWorld, **how: Json) -> str:
    """Let omar answer the one open question, once it is there; give its id."""
    approvals = world.services.decisions.approvals
    async with asyncio.timeout(60):
        while not (waiting := await approvals.listed()) or waiting[0].state != "pending":  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    omar = await world.services.identity.directory.person("omar")
    wanted: dict[str, Json] = {"approve": True} | how
    await approvals.answer(waiting[0].id, omar, **wanted)
    return waiting[0].id


async def both(world: GatewayWorld, act: Callable[[], Awaitable[Any]], **more: Json) -> Told:
    """Return what the waiting call gets while something else happens."""
    told, _ = await asyncio.gather(pay(world, "300", **more), act())
    return told


async def test_a_call_that_waits_is_made_when_it_is_approved(world: GatewayWorld) -> None:
    """Its agent makes one call, and reads one result."""
    told = await both(world, lambda: answer(world))
    assert told.json["result"]["structuredContent"]["arguments"] == PAY
    assert len(world.calls("notes")) == 1
    assert len(await world.facts(EventKind.APPROVAL_REQUESTED)) == 1


async def test_a_call_that_waits_hears_a_denial(world: GatewayWorld) -> None:
    """As a refusal, in place of the question."""
    told = await both(world, lambda: answer(world, approve=False))
    assert failure(told.json)["code"] == "denied"
    assert world.calls("notes") == []


async def test_a_call_that_waits_hears_what_was_permitted_instead(world: GatewayWorld) -> None:
    """And gets it made, if its client asks for that."""
    told = await both(world, lambda: answer(world, narrow={"n": 500}), meta={NARROWED: "make"})
    assert told.json["result"]["structuredContent"]["arguments"] == PAY | {"n": 500}
    assert told.json["result"]["_meta"][NARROWED]["changed"] == ["n"]


async def test_a_call_that_waits_ends_with_its_task(world: GatewayWorld) -> None:
    """The end of the task is its answer, and nothing is sent."""

    async def end() -> None:
        async with asyncio.timeout(60):
            while not await world.services.decisions.approvals.waiting():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        await world.services.endings.revocations.end_task(world.task, reason="enough", by="root")

    told = await both(world, end)
    assert own_failure(told.json)
    assert world.calls("notes") == []


async def test_several_calls_that_wait_ask_one_question(world: GatewayWorld) -> None:
    """One of them is made with the answer; the others ask again, and do not wait for ever."""
    calls = [pay(world, "1"), pay(world, "1"), pay(world, "1")]
    later = asyncio.create_task(_later(world))
    told = await asyncio.gather(*calls)
    await later
    made = [one for one in told if not own_failure(one.json)]
    assert len(made) == 1
    assert len(world.calls("notes")) == 1


async def _later(world: GatewayWorld) -> None:
    await answer(world)
    world.clock.advance(5)


async def test_not_decided_yet_is_an_answer_of_its_kind(world: GatewayWorld) -> None:
    """Without a wait, or when it is over, the call is neither made nor refused, and asks nothing twice."""
    for wait in ("", "0"):
        told = await pay(world, wait)
        said = failure(told.json)
        assert (said["status"], said["code"]) == ("waiting", "approval-required")
        assert "not decided yet" in told.json["result"]["content"][0]["text"]
    assert len(await world.facts(EventKind.APPROVAL_REQUESTED)) == 1


@pytest.mark.parametrize("wait", ["soon", "-1", "1.5", "9" * 40, "٣"])
async def test_an_unreadable_wait_is_refused(world: GatewayWorld, wait: str) -> None:
    """With what to write; nothing is asked."""
    told = await world.call("echo", PAY, path=PATH, headers={"remit-wait": wait.encode().decode("latin-1")})
    said = failure(told.json)
    assert said["code"] == "wait-form"
    assert said["remediation"]
    assert await world.facts(EventKind.APPROVAL_REQUESTED) == []


async def test_an_answer_that_another_replica_recorded_is_heard_too(world: GatewayWorld) -> None:
    """The one who waits looks at the store now and then."""
    asked = failure((await pay(world)).json)["approval"]
    approvals, store = world.services.decisions.approvals, world.services.store

    async def elsewhere() -> None:
        found = await approvals.get(asked)
        omar = await world.services.identity.directory.person("omar")
        denied = found.answered(omar, False, world.clock.now())
        await store.commit(Unit((PutApproval(denied, expected=found.state),)))

    heard, _ = await asyncio.gather(approvals.settled(asked, 300), elsewhere())
    assert heard is not None
    assert heard.state == "denied"
