# SPDX-License-Identifier: Apache-2.0
"""The MCP endpoint before a hostile server of each era, whose every word remit takes in (`hostile_mcp`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from remit.core.flow.justification import Provenance
from remit.core.label import Audience, Label, Trust
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import Budgets, TaskType
from remit.core.tools.tool import INPUT, Argument, ArgumentRole, Effect
from tests.servers.hostile_mcp import Canaries, HostileServer
from tests.worlds.mcp_endpoint import ANY, PERMIT, GatewayWorld, a_tool, gateway_world
from tests.worlds.services import Told

Json = Any

#: What everything that the hostile server gives is described to carry.
CARRIES = Label("confidential", trust=Trust.UNTRUSTED)
OPERATIONS = ("resources:read", "resources:subscribe", "prompts:get", "completion:complete")
LISTS = {
    "tools/list": "tools",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
    "prompts/list": "prompts",
}
#: What an agent asks for, by method.
ASKED: dict[str, Json] = {
    "tools/call": {"name": "echo", "arguments": {}},
    "resources/read": {"uri": "note://1"},
    "prompts/get": {"name": "hello"},
    "completion/complete": {
        "ref": {"type": "ref/prompt", "name": "hello"},
        "argument": {"name": "a", "value": "b"},
    },
}
UPSTREAMS = {"modern": "files", "legacy": "notes"}
#: All that a client can answer: everything may be asked of it.
ABLE: Json = {"elicitation": {"form": {}, "url": {}}, "sampling": {"tools": {}, "context": {}}, "roots": {}}


def a_bundle(
    *,
    described: bool = True,
    carries: Label = CARRIES,
    policies: tuple[PolicySource, ...] = (PolicySource("base.cedar", PERMIT),),
    **budgets: int,
) -> Bundle:
    """Return a bundle that grants everything, and says that all of it is confidential and others write it."""
    tools = [
        a_tool(upstream, name, label=carries)
        for upstream in UPSTREAMS.values()
        for name in ("echo", *OPERATIONS)
    ]
    grants = [GrantTemplate(tool.id, {INPUT: ANY}, other_arguments=True) for tool in tools]
    to = {"to": Argument(ArgumentRole.DESTINATION)}
    changing = [
        a_tool("files", "mail", effect=Effect.IRREVERSIBLE, audience=Audience("external"), arguments=to),
        a_tool("files", "note", effect=Effect.REVERSIBLE, audience=Audience("internal")),
    ]
    work = TaskType(
        name="work",
        purpose="Do",
        run_by=("bot",),
        requested_by=("group:staff",),
        grants=(*grants, *(GrantTemplate(tool.id, other_arguments=True) for tool in changing)),
        budgets=Budgets(**budgets),
    )
    return Bundle(
        tools={tool.id: tool for tool in (*tools, *changing)} if described else {},
        task_types={"work": work},
        policies=policies,
        digest="sha256:hostile",
    )


class HostileWorld:
    """An endpoint with a hostile server of each era behind it."""

    def __init__(self, world: GatewayWorld, servers: dict[str, HostileServer]) -> None:
        self.world = world
        self.servers = servers
        self.canaries = Canaries()
        self.token = self.task = ""

    async def begin(self, goal: str = "") -> None:
        """Begin a task that has read nothing."""
        self.task, self.token = await self.world.open(goal=goal)

    async def ask(self, era: str, method: str, params: Json, *, agent: str = "modern") -> Told:
        """Ask the server of an era for something, as an agent of either era."""
        path = f"/mcp/{UPSTREAMS[era]}"
        meta: Json = {"progressToken": "mine"}
        if agent == "legacy":
            session = await self.world.session(path=path, token=self.token)
            return await self.world.legacy(
                method, {**params, "_meta": meta}, session=session, path=path, token=self.token
            )
        meta |= {
            "io.modelcontextprotocol/logLevel": "debug",
            "io.modelcontextprotocol/clientCapabilities": ABLE,
        }
        return await self.world.modern(method, {**params, "_meta": meta}, path=path, token=self.token)

    async def learn(self, era: str) -> None:
        """Ask a server for what it offers now, as remit does when it says that its lists have changed."""
        name = UPSTREAMS[era]
        await self.world.services.tools.registry.learned(
            name, await self.world.services.upstreams[name].catalogue()
        )

    def check(self, told: Told, *, rises: bool = True) -> int:
        """Hold what an agent was told against what its task knows of it; gives how much it was told."""
        heads = repr(sorted(told.headers.items())).encode()
        found = self.canaries.within(heads + told.content)
        live = self.world.services.tasks.live.get(self.task)
        assert live is not None
        for text in found:
            assert live.index.judge(text).provenance is Provenance.UNTRUSTED, (text, told.content)
        if found and rises:
            assert live.label == CARRIES, told.content
        return len(found)


@asynccontextmanager
async def hostile_world(folder: Path, **more: Json) -> AsyncIterator[HostileWorld]:
    """Open one."""
    servers = {era: HostileServer(era) for era in UPSTREAMS}
    servers["modern"].extra_tools = [
        {"name": name, "inputSchema": {"type": "object"}} for name in ("mail", "note")
    ]
    more.setdefault("bundle", a_bundle())
    async with gateway_world(folder, server=servers["modern"], legacy=servers["legacy"], **more) as world:
        yield HostileWorld(world, servers)
