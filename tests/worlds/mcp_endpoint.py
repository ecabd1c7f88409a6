# SPDX-License-Identifier: Apache-2.0
"""The MCP endpoint before all services: real adapters, one upstream of each protocol era.

Upstream `files` is of 2026-07-28, `notes` of 2025-11-25; both are the scripted server, whose tools are named
after what they do. The task type `work` grants some of them.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from remit.adapters.upstream.bounds import BufferBound
from remit.adapters.upstream.mcp.http import McpHttp
from remit.core.evidence.event import EventKind
from remit.core.identity.workload import KeyBinding
from remit.core.label import Audience, Label
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import TaskType
from remit.core.tools.tool import INPUT, Effect, Tool
from remit.gateway.endpoints import mcp_endpoint
from remit.gateway.mcp import McpEndpoint, McpLimits
from remit.ports.store.units import Unit
from remit.ports.telemetry.tracer import Tracer
from remit.services.assembly.services import Services
from remit.services.identity.directory import NewAgent, NewPerson
from remit.services.tasks.tasks import Opening
from tests.samples.tokens import task_token
from tests.servers.scripted_mcp import ScriptedHttp, ScriptedServer, scripted_http
from tests.worlds.services import Told, exchange, make_services
from tests.worlds.values import WorldClock, WorldEntropy

Json = Any

MODERN, LEGACY = "2026-07-28", "2025-11-25"
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
NAMED_BY = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    **dict.fromkeys(("tasks/get", "tasks/update", "tasks/cancel"), "taskId"),
}
BASIC = {"content-type": "application/json", "accept": "application/json, text/event-stream"}

PERMIT = '@id("permit-granted")\n@reason("granted")\npermit (principal, action, resource);\n'
ASK = (
    '@id("ask-for-money")\n@reason("`{tool}` moves money")\n@otherwise("approval")\n'
    "forbid (principal, action, resource) when { resource.financial };\n"
)
#: A constraint that lets any value through.
ANY: Json = {"anything": {}}
GRANTED = ("echo", "progress", "hang", "big", "log", "fail", "error", "ask", "change")


def a_tool(upstream: str, name: str, **changes: Json) -> Tool:
    """Return a described tool that reads."""
    known: dict[str, Json] = {
        "upstream": upstream,
        "name": name,
        "effect": Effect.NONE,
        "audience": Audience("self"),
        "label": Label(),
        "described": True,
    }
    return Tool(**(known | changes))


def a_bundle() -> Bundle:
    """Return a bundle in which `files/error` needs an approval, and no agent is granted `crash`."""
    operations = ("resources:read", "resources:subscribe")
    tools = [a_tool(upstream, name) for upstream in ("files", "notes") for name in (*GRANTED, *operations)]
    tools.append(a_tool("files", "error", financial=True))
    grants = [GrantTemplate(f"files/{name}", other_arguments=True) for name in GRANTED if name != "echo"]
    grants.append(GrantTemplate("files/echo", {"text": {"prefix": "ok"}}, other_arguments=True))
    grants += [GrantTemplate(f"notes/{name}", other_arguments=True) for name in GRANTED]
    grants += [
        GrantTemplate(f"{upstream}/{name}", {"uri": {"prefix": "note://"}})
        for upstream in ("files", "notes")
        for name in operations
    ]
    types = [
        TaskType(
            name="work", purpose="Do", run_by=("bot",), requested_by=("group:staff",), grants=tuple(grants)
        ),
        TaskType(
            name="little",
            purpose="Do less",
            run_by=("bot",),
            requested_by=("group:staff",),
            grants=(GrantTemplate("files/echo", other_arguments=True),),
        ),
        # May be asked something by the one tool, and by the other not.
        TaskType(
            name="asked",
            purpose="Answer",
            run_by=("bot",),
            requested_by=("group:staff",),
            grants=(
                GrantTemplate("files/ask", {INPUT: ANY, "n": ANY}),
                GrantTemplate("files/fail", {"n": ANY}),
            ),
        ),
        TaskType(
            name="unasked",
            purpose="Answer nothing",
            run_by=("bot",),
            requested_by=("group:staff",),
            grants=(GrantTemplate("files/ask", {"n": ANY}),),
        ),
    ]
    return Bundle(
        tools={tool.id: tool for tool in tools},
        task_types={one.name: one for one in types},
        policies=(PolicySource("base.cedar", PERMIT + ASK),),
        digest="sha256:gateway",
    )


@dataclass
class GatewayWorld:
    """The endpoint, what stands behind it, and a task's token."""

    services: Services
    endpoint: McpEndpoint
    clock: WorldClock
    files: ScriptedHttp
    notes: ScriptedHttp
    token: str = ""
    task: str = ""
    folder: Path = field(default_factory=Path)

    async def open(self, task_type: str = "work", agent: str = "bot", goal: str = "") -> tuple[str, str]:
        """Open a task; gives its id and a token."""
        person = await self.services.store.person(self.services.tenant, "lena")
        opening = Opening(agent=agent, task_type=task_type, goal=goal)
        task = await self.services.tasks.tasks.open(opening, person=person)
        token = await task_token(self.services, task.id)
        return task.id, token

    async def send(
        self,
        content: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        path: str = "/mcp/files",
        token: str | None = None,
        method: str = "POST",
    ) -> Told:
        """Send raw bytes to the endpoint."""
        given = dict(BASIC)
        bearer = self.token if token is None else token
        if bearer:
            given["authorization"] = f"Bearer {bearer}"
        given |= dict(headers or {})
        return await exchange(self.endpoint, method, path, list(given.items()), content, "127.0.0.1")

    async def modern(
        self,
        method: str,
        params: Json = None,
        *,
        path: str = "/mcp/files",
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Told:
        """Send a request of 2026-07-28 with the headers that it should have."""
        params = dict(params or {})
        params["_meta"] = {**ENVELOPE, **params.get("_meta", {})}
        given = {"mcp-protocol-version": MODERN, "mcp-method": method}
        if (named := params.get(NAMED_BY.get(method, ""))) is not None:
            given["mcp-name"] = named
        if method == "tools/call" and "text" in params.get("arguments", {}):
            given["mcp-param-text"] = str(params["arguments"]["text"])
        given |= dict(headers or {})
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        return await self.send(json.dumps(body).encode(), given, path=path, token=token)

    async def call(self, name: str, arguments: Json = None, **more: Json) -> Told:
        """Call a tool as 2026-07-28 does."""
        meta = more.pop("meta", {})
        return await self.modern(
            "tools/call", {"name": name, "arguments": arguments or {}, "_meta": meta}, **more
        )

    async def legacy(
        self,
        method: str,
        params: Json = None,
        *,
        session: str = "",
        path: str = "/mcp/files",
        token: str | None = None,
        id: Json = 7,
    ) -> Told:
        """Send a request of 2025-11-25."""
        body: dict[str, Json] = {"jsonrpc": "2.0", "method": method, "params": params or {}}
        if id is not None:
            body["id"] = id
        headers = {"mcp-protocol-version": LEGACY} | ({"mcp-session-id": session} if session else {})
        return await self.send(json.dumps(body).encode(), headers, path=path, token=token)

    async def session(self, *, path: str = "/mcp/files", token: str | None = None) -> str:
        """Open a session."""
        params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
        told = await self.legacy("initialize", params, path=path, token=token)
        assert told.status == 200, told.content
        return told.headers["mcp-session-id"]

    async def facts(self, kind: EventKind) -> list[Json]:
        """Return the facts of all events of a kind so far, once what is under way has been written."""
        await asyncio.sleep(0)
        await self.services.store.commit(Unit(tenant=self.services.tenant))
        entries = await self.services.evidence.log.pages(limit=1000)
        return [json.loads(entry.leaf)["facts"] for entry in entries if entry.kind == kind.value]

    def calls(self, upstream: str = "files") -> list[Json]:
        """Return the params of the tool calls that reached an upstream."""
        server = (self.files if upstream == "files" else self.notes).server
        return [one["params"] for one in server.seen if one.get("method") == "tools/call"]


@asynccontextmanager
async def gateway_world(
    folder: Path,
    limits: McpLimits | None = None,
    *,
    constrained: bool = False,
    server: ScriptedServer | None = None,
    legacy: ScriptedServer | None = None,
    bundle: Bundle | None = None,
    observed: frozenset[str] = frozenset(),
    tracer: Tracer | None = None,
) -> AsyncIterator[GatewayWorld]:
    """Open the world, with a task of type `work`; bearer tokens do, unless `constrained` asks for more.

    `server` stands in for the scripted one of `files`, `legacy` for that of `notes`, `bundle` for the one
    above. `observed` are upstreams where nothing is refused.
    """
    # Upstreams and tokens live in the same time as the test's own sockets.
    clock = WorldClock(datetime.now(UTC))
    async with (
        scripted_http("modern", server=server) as files,
        scripted_http("legacy", server=legacy) as notes,
    ):
        upstreams = {
            name: McpHttp(name, app.url, entropy=WorldEntropy(name), bound=BufferBound(64 * 1024 * 1024))
            for name, app in (("files", files), ("notes", notes))
        }
        lowered = frozenset() if constrained else frozenset(upstreams)
        services = make_services(
            folder, clock, upstreams, unconstrained=lowered, observed=observed, tracer=tracer
        )
        await services.policies.apply(bundle or a_bundle(), by="remit")
        endpoint = mcp_endpoint(services, limits=limits)
        for name, upstream in upstreams.items():
            await upstream.start(
                lambda name=name: endpoint.changed(name),  # type: ignore[misc]
                lambda method, params, name=name: endpoint.notified(name, method, params),  # type: ignore[misc]
            )
            await services.tools.registry.learned(name, await upstream.catalogue())
        await services.identity.directory.add_person(NewPerson(name="lena", groups=("staff",)), by="remit")
        key = {"kty": "EC", "crv": "P-256"} | _POINT
        for name in ("bot",):
            new = NewAgent(name=name, owner="lena", purpose="works", bindings=(KeyBinding(key),))
            await services.identity.directory.register(new, by="root")
        world = GatewayWorld(services, endpoint, clock, files, notes, folder=folder)
        world.task, world.token = await world.open()
        try:
            yield world
        finally:
            for upstream in upstreams.values():
                await upstream.stop()
            await world.services.store.close()


# The example key of RFC 7517 appendix A.1.
_POINT = {
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}


@asynccontextmanager
async def served(endpoint: Any) -> AsyncIterator[str]:
    """Serve an ASGI application on this machine; gives its base URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(endpoint, lifespan="off", log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # pytest has them
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn offers nothing to wait for
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        server.force_exit = True
        await serving


def messages(told: Told) -> list[Json]:
    """Return the messages of a response, whether it is one JSON text or a stream."""
    if told.headers["content-type"] == "application/json":
        return [told.json]
    lines = told.content.decode().split("\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


class Line:
    """A connection of an agent that stays open until it hangs up."""

    def __init__(
        self, world: GatewayWorld, body: Json, headers: dict[str, str], method: str = "POST"
    ) -> None:
        self.sent: list[Json] = []
        self.hung_up = asyncio.Event()
        self._heard = asyncio.Event()
        self._content = json.dumps(body).encode() if body is not None else b""
        given = {
            "authorization": f"Bearer {world.token}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
        } | headers
        raw = [(name.encode(), value.encode()) for name, value in given.items()]
        scope = {"type": "http", "method": method, "path": "/mcp/files", "headers": raw}
        self.task = asyncio.create_task(world.endpoint(scope, self._receive, self._send))
        self._read = False

    async def _receive(self) -> dict[str, Json]:
        if not self._read:
            self._read = True
            return {"type": "http.request", "body": self._content, "more_body": False}
        await self.hung_up.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Json]) -> None:
        self.sent.append(message)
        self._heard.set()

    @property
    def messages(self) -> list[Json]:
        """The messages that came so far."""
        text = b"".join(one.get("body", b"") for one in self.sent).decode()
        return [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: ")]

    async def until(self, ready: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(60):
            while not ready():
                self._heard.clear()
                await asyncio.wait({asyncio.create_task(self._heard.wait())}, timeout=0.02)
