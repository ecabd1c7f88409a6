# SPDX-License-Identifier: Apache-2.0
"""A task sees only what it may call; all else does not exist for it, and only the evidence knows better."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.evidence.event import EventKind
from tests.refusals import failure
from tests.worlds.mcp_endpoint import GatewayWorld, gateway_world
from tests.worlds.services import Told

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GatewayWorld]:
    """The endpoint and its gateway."""
    async with gateway_world(tmp_path) as world:
        yield world


def names(told: Told) -> list[str]:
    """Return the names of listed tools."""
    return [tool["name"] for tool in told.json["result"]["tools"]]


async def test_a_tool_that_was_not_granted_is_one_that_does_not_exist(world: GatewayWorld) -> None:
    """Calls of an ungranted tool and of no tool at all get the same bytes but for the name, in both eras."""
    session = await world.session()

    async def answers(name: str) -> list[tuple[int, dict[str, str], bytes]]:
        told = [
            await world.call(name),
            await world.call(f"files__{name}", path="/mcp"),
            await world.legacy("tools/call", {"name": name}, session=session),
        ]
        # Each answer names its own decision, by an ID that says nothing.
        same = [re.sub(rb"dec_[0-9a-z]+", b"dec_?", one.content.replace(name.encode(), b"?")) for one in told]
        return [(one.status, one.headers, content) for one, content in zip(told, same, strict=True)]

    granted_to_nobody, no_tool = await answers("crash"), await answers("xrash")
    assert granted_to_nobody == no_tool
    assert world.calls() == []


async def test_the_evidence_has_the_reason(world: GatewayWorld) -> None:
    """What the wire does not say stands in the decision's event."""
    await world.call("crash")
    (decision,) = await world.facts(EventKind.DECISION_MADE)
    assert decision["tool"] == "files/crash"
    assert [reason["code"] for reason in decision["reasons"]] == ["not-granted"]


async def test_lists_show_what_is_granted(world: GatewayWorld) -> None:
    """Two tasks at one address see two lists; neither sees what neither may call."""
    _, little = await world.open("little")
    assert names(await world.modern("tools/list", token=little)) == ["echo"]
    assert names(await world.modern("tools/list", token=little, path="/mcp")) == ["files__echo"]
    # Where it was granted nothing, its token is of no use at all.
    assert (await world.modern("tools/list", token=little, path="/mcp/notes")).status == 401
    shown = names(await world.modern("tools/list"))
    assert "echo" in shown
    assert not {"crash", "spawn", "resources:read"} & set(shown)


async def test_lists_of_resources_follow_the_grant(world: GatewayWorld) -> None:
    """A task that may not read resources is shown none, and told of no such capability."""
    _, little = await world.open("little")
    for method, key in (("resources/list", "resources"), ("resources/templates/list", "resourceTemplates")):
        assert (await world.modern(method, token=little)).json["result"][key] == []
    told = await world.modern("server/discover", token=little)
    assert set(told.json["result"]["capabilities"]) == {"tools", "logging", "extensions"}
    assert len((await world.modern("resources/list")).json["result"]["resources"]) == 1
    gone = await world.modern("resources/read", {"uri": "note://1"}, token=little)
    assert gone.json["error"]["message"] == "Resource not found: note://1"


async def test_lists_are_private(world: GatewayWorld) -> None:
    """What one task is shown may not be kept for another."""
    for method in (
        "tools/list",
        "resources/list",
        "prompts/list",
        "resources/templates/list",
        "server/discover",
    ):
        told = await world.modern(method)
        assert told.json["result"]["cacheScope"] == "private"
        assert told.json["result"]["resultType"] == "complete"
        assert told.headers["cache-control"] == "no-store"


async def test_what_a_list_spares_a_model_is_measured(world: GatewayWorld) -> None:
    """Of each task's first list: what it was shown, beside what its upstream offers."""
    _, little = await world.open("little")
    for _ in range(2):
        await world.modern("tools/list", token=little)
    sizes = world.services.mediation.lists.sizes
    assert sizes.tasks == 1
    assert 0 < sizes.shown_bytes < sizes.offered_bytes / 2
    offered = sizes.offered_bytes
    await world.modern("tools/list")
    assert (sizes.tasks, sizes.offered_bytes) == (2, 2 * offered)


async def test_a_changed_tool_is_hidden_until_it_is_accepted(world: GatewayWorld) -> None:
    """A tool whose description changed is not listed; once accepted it is, as it was accepted."""
    catalogue = await world.services.upstreams["files"].catalogue()
    tools = tuple(
        {**tool, "description": "now with poison"} if tool["name"] == "echo" else tool
        for tool in catalogue.tools
    )
    await world.services.tools.registry.learned("files", msgspec.structs.replace(catalogue, tools=tools))
    told = await world.modern("tools/list")
    assert "echo" not in names(told)
    assert b"poison" not in told.content
    called = await world.call("echo", {"text": "ok"}, headers={"mcp-param-text": "ok"})
    assert failure(called.json)["code"] == "tool-suspended"
    assert world.calls() == []
    pin, _ = world.services.tools.registry.diff("files/echo")
    await world.services.tools.registry.accept("files/echo", digest=pin.offered_digest, by="lena")
    assert "echo" in names(await world.modern("tools/list"))


async def test_an_upstreams_own_words_about_itself_are_not_shown(world: GatewayWorld) -> None:
    """Instructions that no person reviewed do not reach an agent."""
    session = await world.legacy("initialize", {"protocolVersion": "2025-11-25"})
    for told in (await world.modern("server/discover"), session):
        assert b"be kind" not in told.content


async def test_an_observed_upstream_shows_everything(tmp_path: Path) -> None:
    """Where nothing is refused, nothing is hidden."""
    async with gateway_world(tmp_path, observed=frozenset({"files"})) as world:
        assert {"echo", "crash", "spawn"} <= set(names(await world.modern("tools/list")))


async def test_a_deferred_call_names_its_approval(world: GatewayWorld) -> None:
    """A deferred call says which approval it waits for, until when, and what to do."""
    told = await world.call("error")
    asked = failure(told.json)
    assert (told.status, asked["status"], asked["code"]) == (200, "waiting", "approval-required")
    assert asked["approval"].startswith("apr_")
    assert asked["rule"] == "ask-for-money"
    text = told.json["result"]["content"][0]["text"]
    by = f"remit approve {asked['approval']}"
    for needed in (by, asked["expires"], "ask-for-money", "same call again"):
        assert needed in text
    assert world.calls() == []
