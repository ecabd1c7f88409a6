# SPDX-License-Identifier: Apache-2.0
"""A tool's `x-authzen-mapping` adds decisions to its call and can take none away."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.adapters.expressions.cel import CelExpressions
from remit.core.evidence.event import EventKind
from remit.core.policy.bundle import Bundle
from remit.core.tasks.grant import GrantTemplate
from tests.servers.scripted_mcp import ScriptedServer
from tests.worlds.behind_envoy import Asked, a_call, asked_world, said
from tests.worlds.mcp_endpoint import GatewayWorld, a_bundle, a_tool

Json = Any
World = tuple[GatewayWorld, Asked]

MAPPING: Json = {
    "evaluations": {
        "subject": {"type": "identity", "id": "$token.sub"},
        "evaluations": [
            {"action": {"name": "debit"}, "resource": {"type": "account", "id": "$params.arguments.source"}},
            {"action": {"name": "credit"}, "resource": {"type": "account", "id": "$params.arguments.target"}},
        ],
    }
}
#: What a server would like to be asked instead: something that the task may do anyway.
EASY: Json = {"evaluation": {"action": {"name": "debit"}, "resource": {"type": "account", "id": "a-1"}}}


def server() -> ScriptedServer:
    """Return a server with tools that declare mappings."""
    made = ScriptedServer("modern")
    schema = {"type": "object", "properties": {"source": {"type": "string"}, "target": {"type": "string"}}}
    for name, mapping in (("transfer", MAPPING), ("erase", EASY)):
        made.extra_tools.append({"name": name, "inputSchema": {**schema, "x-authzen-mapping": mapping}})
    return made


def bundle() -> Bundle:
    """Return a bundle whose task may transfer between its accounts, and erase nothing."""
    known = a_bundle()
    tools = [a_tool("files", "transfer"), a_tool("files", "erase")]
    tools += [a_tool("account", name) for name in ("debit", "credit")]
    grants = (
        GrantTemplate("files/transfer", other_arguments=True),
        GrantTemplate("account/debit", {"id": {"prefix": "a-"}}),
        GrantTemplate("account/credit", {"id": {"prefix": "a-"}}),
    )
    work = known.task_types["work"]
    work = msgspec.structs.replace(work, grants=(*work.grants, *grants))
    return msgspec.structs.replace(
        known,
        tools={**known.tools, **{tool.id: tool for tool in tools}},
        task_types={**known.task_types, "work": work},
    )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The world, and a proxy that asks."""
    settings = {
        "server": server(),
        "bundle": bundle(),
        "resources": ("account",),
        "expressions": CelExpressions(),
    }
    async with asked_world(tmp_path, **settings) as (world, place):
        await world.services.tools.registry.described()
        proxy = Asked(world.token, place)
        yield world, proxy
        proxy.close()


async def decided(world: GatewayWorld) -> list[tuple[str, str]]:
    """Return tools and outcomes of all decisions."""
    return [(one["tool"], one["outcome"]) for one in await world.facts(EventKind.DECISION_MADE)]


async def test_call_passes_if_each_of_its_evaluations_does(world: World) -> None:
    """The mapping's evaluations are decided in their order, and the call itself last."""
    gateway, ask = world
    answer = await ask(a_call({"source": "a-1", "target": "a-2"}, name="transfer"))
    assert answer.status.code == 0
    permitted = ["account/debit", "account/credit", "files/transfer"]
    assert await decided(gateway) == [(name, "permit") for name in permitted]


async def test_one_denied_evaluation_denies_the_call(world: World) -> None:
    """The permit before it ends unused, and the call is not even decided."""
    gateway, ask = world
    answer = await ask(a_call({"source": "a-1", "target": "b-2"}, name="transfer"))
    assert said(answer)[:2] == (200, -32001)
    assert await decided(gateway) == [("account/debit", "permit"), ("account/credit", "deny")]
    called = await gateway.facts(EventKind.TOOL_CALLED)
    assert [(one["tool"], one["outcome"]) for one in called] == [("account/debit", "not-sent")]


async def test_mapping_makes_no_call_easier(world: World) -> None:
    """A tool that the task was not granted stays unknown, whatever its mapping asks about instead."""
    answer = await world[1](a_call({"source": "a-1"}, name="erase"))
    assert said(answer)[1:] == (-32001, "unknown-tool")


async def test_mapping_that_cannot_be_resolved_is_an_invalid_call(world: World) -> None:
    """A missing argument is a mapping error: -32602, and nothing is decided."""
    gateway, ask = world
    assert said(await ask(a_call({"source": "a-1"}, name="transfer")))[1:] == (-32602, "mapping")
    assert await decided(gateway) == []
