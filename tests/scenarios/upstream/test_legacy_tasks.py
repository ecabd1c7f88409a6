# SPDX-License-Identifier: Apache-2.0
"""Threat: a tool that offers the tasks of 2025-11-25 returns a handle that no decision and no end covers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.refusals import own_failure
from tests.worlds.hostile_upstream import UPSTREAMS, a_bundle, hostile_world


@pytest.mark.parametrize("observed", [False, True])
async def test_no_session_offers_the_tasks_of_2025_11_25_and_calls_are_plain(
    tmp_path: Path, observed: bool
) -> None:
    """Neither as a capability nor at a tool; a client that asks for one all the same gets a plain result."""
    mode = frozenset({UPSTREAMS["legacy"]}) if observed else frozenset()
    async with hostile_world(tmp_path, bundle=a_bundle(), observed=mode) as world:
        server = world.servers["legacy"]
        entry = {
            "name": "echo",
            "inputSchema": {"type": "object"},
            "execution": {"taskSupport": "optional", "other": 1},
        }
        plain = {"content": [{"type": "text", "text": "done"}]}
        server.gives = {"tools/list": {"tools": [entry]}, "tools/call": plain}
        await world.learn("legacy")
        tools = world.world.services.tools.registry
        tool = f"{UPSTREAMS['legacy']}/echo"
        await tools.accept(tool, digest=tools._pins[tool].offered_digest, by="lena")
        await world.begin()
        (listed,) = (await world.ask("legacy", "tools/list", {}, agent="legacy")).json["result"]["tools"]
        assert listed["execution"] == {"other": 1}
        hello = {"protocolVersion": "2025-11-25", "capabilities": {"tasks": {}}, "clientInfo": {}}
        begun = await world.ask("legacy", "initialize", hello, agent="legacy")
        assert "tools" in begun.json["result"]["capabilities"]
        assert "tasks" not in begun.json["result"]["capabilities"]
        called = {"name": "echo", "arguments": {"text": "x"}, "task": {"ttl": 60_000}}
        answer = await world.ask("legacy", "tools/call", called, agent="legacy")
        assert not own_failure(answer.json), answer.json
        assert answer.json["result"]["content"] == plain["content"]
        (sent,) = [one for one in server.seen if one.get("method") == "tools/call"]
        assert "task" not in sent["params"]
