# SPDX-License-Identifier: Apache-2.0
"""What an agent reads of a call that a person has narrowed, and what a client gets that asks for it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.decisions.approval import Approval
from remit.core.identity.principals import Role
from remit.core.tools.tool import Argument, ArgumentRole
from remit.gateway.mcp.call_failures import NARROWED
from remit.services.identity.directory import NewPerson
from tests.refusals import failure, own_failure
from tests.worlds.mcp_endpoint import GatewayWorld, a_bundle, a_tool, gateway_world

Json = Any
PATH = "/mcp/notes"
WIDE, LESS = {"n": 5000, "text": "rent"}, {"n": 500, "text": "rent"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GatewayWorld]:
    """A gateway at which `notes/echo` pays, and `omar` has narrowed a payment of 5000 to 500."""
    bundle = a_bundle()
    told = {"n": Argument(ArgumentRole.AMOUNT), "text": Argument()}
    pays = a_tool("notes", "echo", financial=True, arguments=told)
    bundle = msgspec.structs.replace(bundle, tools={**bundle.tools, "notes/echo": pays})
    async with gateway_world(tmp_path, bundle=bundle) as made:
        await made.services.identity.directory.add_person(
            NewPerson(name="omar", roles=(Role.APPROVER,)), by="remit"
        )
        yield made


async def narrow(world: GatewayWorld) -> Approval:
    """Make the call, and let omar permit less."""
    asked = failure((await world.call("echo", WIDE, path=PATH)).json)
    omar = await world.services.identity.directory.person("omar")
    return await world.services.decisions.approvals.answer(
        asked["approval"], omar, approve=True, narrow={"n": 500}
    )


async def test_the_answer_to_the_wider_call_says_how_to_make_the_narrower_one(world: GatewayWorld) -> None:
    """As text for a model, and as values for a program; that call passes, once."""
    given = await narrow(world)
    told = (await world.call("echo", WIDE, path=PATH)).json
    said = failure(told)
    assert (said["status"], said["code"]) == ("narrowed", "narrowed")
    assert said["instead"]["arguments"] == LESS
    assert (said["instead"]["approval"], said["instead"]["changed"]) == (given.id, ["n"])
    text = told["result"]["content"][0]["text"]
    assert "Permitted instead, once" in text
    assert '{"n":500,"text":"rent"}' in text
    assert "gets the same answer" not in text
    assert world.calls("notes") == []
    assert not own_failure((await world.call("echo", said["instead"]["arguments"], path=PATH)).json)
    assert [one["arguments"] for one in world.calls("notes")] == [LESS]
    assert own_failure((await world.call("echo", LESS, path=PATH)).json)


@pytest.mark.parametrize("modern", [True, False])
async def test_a_client_that_asks_for_it_gets_the_narrower_call_made(
    world: GatewayWorld, modern: bool
) -> None:
    """Its result says so, in a place where no upstream can say it."""
    given = await narrow(world)
    if modern:
        told = await world.call("echo", WIDE, path=PATH, meta={NARROWED: "make"})
    else:
        session = await world.session(path=PATH)
        params = {"name": "echo", "arguments": WIDE, "_meta": {NARROWED: "make"}}
        told = await world.legacy("tools/call", params, session=session, path=PATH)
    result = told.json["result"]
    assert [one["arguments"] for one in world.calls("notes")] == [LESS]
    assert result["structuredContent"]["arguments"] == LESS
    assert result["_meta"][NARROWED]["approval"] == given.id
    assert result["_meta"][NARROWED]["arguments"] == LESS
    again = await world.call("echo", WIDE, path=PATH, meta={NARROWED: "make"})
    assert failure(again.json)["code"] == "narrowed"
    assert len(world.calls("notes")) == 1


async def test_a_client_that_asks_for_it_gets_its_own_call_where_nothing_was_narrowed(
    world: GatewayWorld,
) -> None:
    """The wish alone changes nothing."""
    told = await world.call("echo", WIDE, path=PATH, meta={NARROWED: "make"})
    assert failure(told.json)["code"] == "approval-required"
    assert world.calls("notes") == []
