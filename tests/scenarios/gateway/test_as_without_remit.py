# SPDX-License-Identifier: Apache-2.0
"""What a client hears through remit is what it would hear without it, but for what is refused.

The threat: people whose tools work worse behind remit take it away.
"""

from pathlib import Path
from typing import Any

from tests.servers.scripted_mcp import ScriptedServer
from tests.worlds.mcp_endpoint import LEGACY, GatewayWorld, gateway_world

Json = Any


class Shown(ScriptedServer):
    """A server whose tool `shown` has `_meta`, and what it says of it can change."""

    def __init__(self, era: str, **capabilities: Json) -> None:
        super().__init__(era)
        self.given = capabilities
        self.offer({"type": "object", "properties": {"old": {"type": "string"}}})

    def offer(self, schema: Json) -> None:
        """Say of `shown` that it takes arguments of this schema."""
        meta = {"ui": {"resourceUri": "ui://clock"}}
        self.extra_tools = [{"name": "shown", "inputSchema": schema, "_meta": meta}]

    def capabilities(self) -> Json:
        """What the test says, before what every scripted server has."""
        return super().capabilities() | self.given


async def shown(world: GatewayWorld) -> Json:
    """Return the tool `shown` as a client sees it."""
    tools = (await world.modern("tools/list")).json["result"]["tools"]
    return next((tool for tool in tools if tool["name"] == "shown"), None)


async def look(world: GatewayWorld) -> None:
    """Have remit see what the upstream offers now."""
    await world.services.tools.registry.learned("files", await world.services.upstreams["files"].catalogue())


async def test_where_nothing_is_refused_tools_are_shown_as_their_server_has_them(tmp_path: Path) -> None:
    """`_meta` comes with them, and a server that was upgraded is used as it is now, not as it was."""
    server = Shown("modern")
    async with gateway_world(tmp_path, server=server, observed=frozenset({"files"})) as world:
        assert await shown(world) == server.extra_tools[0]
        schema = {"type": "object", "properties": {"fresh": {"type": "string", "x-mcp-header": "Fresh"}}}
        server.offer(schema)
        await look(world)
        assert await shown(world) == server.extra_tools[0]
        # A client repeats arguments in headers as the schema says that it was shown.
        call = {"name": "shown", "arguments": {"fresh": "a"}}
        told = await world.modern("tools/call", call, headers={"mcp-param-fresh": "b"})
        assert told.json["error"]["code"] == -32020
        told = await world.modern("tools/call", call, headers={"mcp-param-fresh": "a"})
        assert told.json["error"]["code"] != -32020
        assert world.calls()[-1]["arguments"] == {"fresh": "a"}


async def test_where_remit_enforces_tools_are_shown_as_they_were_reviewed(tmp_path: Path) -> None:
    """`_meta` was not looked at, and a schema that changed hides its tool."""
    server = Shown("modern")
    server.extra_tools = []
    async with gateway_world(tmp_path, server=server) as world:
        before = (await world.modern("tools/list")).json["result"]["tools"]
        server.extra_tools = [{"name": "echo", "inputSchema": before[0]["inputSchema"], "_meta": {"a": 1}}]
        await look(world)
        assert (await world.modern("tools/list")).json["result"]["tools"] == before


async def test_subscribing_is_offered_where_the_upstream_offers_it(tmp_path: Path) -> None:
    """A client that is told so subscribes, and gets an error from a server that cannot."""
    cannot = {"subscribe": False, "listChanged": True}
    async with gateway_world(tmp_path, server=Shown("modern", resources=cannot)) as world:
        for path, said in (("/mcp/files", False), ("/mcp/notes", True), ("/mcp", True)):
            told = await world.modern("server/discover", path=path)
            assert told.json["result"]["capabilities"]["resources"]["subscribe"] is said
        params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
        told = await world.legacy("initialize", params)
        assert told.json["result"]["capabilities"]["resources"]["subscribe"] is False


async def test_log_messages_are_announced_where_they_come(tmp_path: Path) -> None:
    """Both eras say that there is logging where an upstream has it, so that clients ask for a level."""
    async with gateway_world(tmp_path, server=Shown("modern")) as world:
        told = await world.modern("server/discover")
        assert told.json["result"]["capabilities"]["logging"] == {}
