# SPDX-License-Identifier: Apache-2.0
"""An MCP server of one protocol era that breaks on request, over stdio and over HTTP.

    python scripted_mcp.py modern|legacy [die-at-discover] [die-at-start-once FILE]

Its tools are named after what they do to the call.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

Json = Any
Emit = Callable[[bytes], None]

MODERN, LEGACY = "2026-07-28", "2025-11-25"
FORM = {"type": "object", "properties": {"word": {"type": "string"}}}
TOOLS = [
    "echo",
    "fail",
    "error",
    "progress",
    "ask",
    "ping",
    "crash",
    "hang",
    "malformed",
    "overlong",
    "big",
    "change",
    "log",
    "spawn",
]


class Crash(Exception):
    """The server ends in the middle of this call."""


class Hang(Exception):
    """The server never answers this call."""


class ScriptedServer:
    """What the server says to one message; `seen` keeps every message."""

    def __init__(self, era: str) -> None:
        self.era = era
        self.seen: list[Json] = []
        self.extra_tools: list[Json] = []

    def answer(self, message: Json, emit: Emit) -> Json | None:
        """Return the response to a message, having emitted what comes before it."""
        self.seen.append(message)
        if "id" not in message or "method" not in message:
            return None
        request_id, method, params = message["id"], message["method"], message.get("params", {})
        found = getattr(self, "on_" + method.replace("/", "_"), None)
        if found is None:
            return failure(request_id, -32601, "not known")
        outcome = found(params, request_id, emit)
        if outcome is None or "jsonrpc" in outcome:
            return outcome
        if self.era == "modern":
            outcome = {"resultType": "complete", **outcome}
        return {"jsonrpc": "2.0", "id": request_id, "result": outcome}

    def capabilities(self) -> Json:
        """Every list, each of which can change."""
        return {
            "tools": {"listChanged": True},
            "resources": {"subscribe": True, "listChanged": True},
            "prompts": {},
            "logging": {},
        }

    def on_server_discover(self, params: Json, request_id: Json, emit: Emit) -> Json:
        """Known to the modern era alone."""
        if self.era == "legacy":
            return failure(request_id, -32601, "not known")
        return {"supportedVersions": [MODERN], "capabilities": self.capabilities(), "instructions": "be kind"}

    def on_initialize(self, params: Json, request_id: Json, emit: Emit) -> Json:
        """Known to the legacy era alone."""
        if self.era == "modern":
            return failure(request_id, -32022, "too old", {"supported": [MODERN]})
        return {
            "protocolVersion": LEGACY,
            "capabilities": self.capabilities(),
            "serverInfo": {"name": "scripted", "version": "1"},
            "instructions": "be kind",
        }

    def on_tools_list(self, params: Json, request_id: Json, emit: Emit) -> Json:
        """Two pages."""
        schema = {
            "type": "object",
            "properties": {"text": {"type": "string", "x-mcp-header": "Text"}, "n": {"type": "integer"}},
        }
        tools = [{"name": name, "inputSchema": schema} for name in TOOLS] + self.extra_tools
        if "cursor" not in params:
            return {"tools": tools[:5], "nextCursor": "more"}
        return {"tools": tools[5:]}

    def on_resources_list(self, params: Json, request_id: Json, emit: Emit) -> Json:
        """One resource."""
        return {"resources": [{"uri": "note://1", "name": "note"}]}

    def on_prompts_list(self, params: Json, request_id: Json, emit: Emit) -> Json:
        """No prompt."""
        return {"prompts": []}

    def on_logging_setLevel(self, params: Json, request_id: Json, emit: Emit) -> Json:  # noqa: N802 - the wire's name
        """Take any level."""
        return {}

    def on_resources_subscribe(self, params: Json, request_id: Json, emit: Emit) -> Json:
        """Take any subscription."""
        return {}

    def on_subscriptions_listen(self, params: Json, request_id: Json, emit: Emit) -> Json:
        """Acknowledge, tell of each wanted resource once, and stay open."""
        meta = {"io.modelcontextprotocol/subscriptionId": request_id}
        wanted = params["notifications"]
        emit(
            notification("notifications/subscriptions/acknowledged", {"notifications": wanted, "_meta": meta})
        )
        for uri in wanted.get("resourceSubscriptions", []):
            emit(notification("notifications/resources/updated", {"uri": uri, "_meta": meta}))
        raise Hang

    def on_tools_call(self, params: Json, request_id: Json, emit: Emit) -> Json:
        """Do what the tool's name says."""
        name, arguments = params["name"], params.get("arguments", {})
        act = getattr(self, "do_" + name, None)
        if act is None:
            return failure(request_id, -32602, "no such tool")
        return act(arguments, params.get("_meta", {}), request_id, emit)

    # The tools.

    def do_echo(self, arguments: Json, meta: Json, request_id: Json, emit: Emit) -> Json:
        """Return the arguments and `_meta` back."""
        return {"content": [], "structuredContent": {"arguments": arguments, "meta": meta}}

    def do_fail(self, arguments: Json, meta: Json, request_id: Json, emit: Emit) -> Json:
        """Fail as a tool fails."""
        return {"content": [{"type": "text", "text": "no"}], "isError": True}

    def do_error(self, arguments: Json, meta: Json, request_id: Json, emit: Emit) -> Json:
        """Fail as a protocol fails."""
        return failure(request_id, -32603, "broken inside")

    def do_progress(self, arguments: Json, meta: Json, request_id: Json, emit: Emit) -> Json:
        """Tell of progress, if asked to."""
        for step in range(2):
            if "progressToken" in meta:
                told = {"progressToken": meta["progressToken"], "progress": step}
                emit(notification("notifications/progress", told))
        return {"content": [], "padding": "x" * arguments.get("n", 0)}

    def do_log(self, arguments: Json, meta: Json, request_id: Json, emit: Emit) -> Json:
        """Log something."""
        emit(notification("notifications/message", {"level": "info", "data": "secret of another task"}))
        return {"content": []}

    def do_change(self, arguments: Json, meta: Json, request_id: Json, emit: Emit) -> Json:
        """Say that the tools have changed."""
        emit(notification("notifications/tools/list_changed", {}))
        return {"content": []}

    def do_ask(self, arguments: Json, meta: Json, request_id: Json, emit: Emit) -> Json:
        """Ask the user something, as each era does."""
        if "inputResponses" in (params := self.seen[-1]["params"]):
            return {"content": [], "structuredContent": params}
        if self.era == "modern":
            question = {"method": "elicitation/create", "params": {"message": "?", "requestedSchema": FORM}}
            asked = {"inputRequests": {"a": question}, "requestState": "state of this call"}
            return {"resultType": "input_required", **asked}
        emit(
            dumps({"jsonrpc": "2.0", "id": "q1", "method": "elicitation/create", "params": {"message": "?"}})
        )
        return {"content": []}

    def do_ping(self, arguments: Json, meta: Json, request_id: Json, emit: Emit) -> Json:
        """Ask whether the client is there (legacy)."""
        emit(dumps({"jsonrpc": "2.0", "id": "p1", "method": "ping"}))
        return {"content": []}

    def do_big(self, arguments: Json, meta: Json, request_id: Json, emit: Emit) -> Json:
        """Return a result of about `n` bytes."""
        return {"content": [{"type": "text", "text": "x" * arguments["n"]}]}

    def do_overlong(self, arguments: Json, meta: Json, request_id: Json, emit: Emit) -> Json:
        """Return a result whose id comes last."""
        body = {"jsonrpc": "2.0", "result": {"content": [{"type": "text", "text": "x" * arguments["n"]}]}}
        return {**body, "id": request_id}

    def do_spawn(self, arguments: Json, meta: Json, request_id: Json, emit: Emit) -> Json:
        """Start a process that leaves the group and ignores being asked to end."""
        code = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
        # S603: a test server's own child.
        child = subprocess.Popen(
            [sys.executable, "-c", code], start_new_session=True, stdin=subprocess.DEVNULL
        )
        return {"content": [], "structuredContent": {"pids": [os.getpid(), child.pid]}}

    def do_deaf(self, arguments: Json, meta: Json, request_id: Json, emit: Emit) -> Json:
        """Read nothing more."""
        time.sleep(600)

    def do_flood(self, arguments: Json, meta: Json, request_id: Json, emit: Emit) -> Json:
        """Write what is no message, without end."""
        while True:
            emit(b"Traceback (most recent call last):")

    def do_crash(self, arguments: Json, meta: Json, request_id: Json, emit: Emit) -> Json:
        """End."""
        raise Crash

    def do_hang(self, arguments: Json, meta: Json, request_id: Json, emit: Emit) -> Json:
        """Say nothing."""
        raise Hang

    def do_malformed(self, arguments: Json, meta: Json, request_id: Json, emit: Emit) -> Json:
        """Answer with what is not JSON-RPC."""
        emit(b'{"jsonrpc":"2.0","id":%d,"result":{"content":[}}' % request_id)
        raise Hang


def dumps(message: Json) -> bytes:
    """One message as bytes."""
    return json.dumps(message).encode()


def notification(method: str, params: Json) -> bytes:
    """A notification as bytes."""
    return dumps({"jsonrpc": "2.0", "method": method, "params": params})


def failure(request_id: Json, code: int, message: str, data: Json = None) -> Json:
    """An error response."""
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message, "data": data}}


class ScriptedHttp:
    """The server as an ASGI application. A legacy one opens a session for each `initialize`."""

    def __init__(self, era: str, server: ScriptedServer | None = None) -> None:
        self.server = server or ScriptedServer(era)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.sessions: list[str] = []
        self.ended: list[str] = []
        self.status, self.location = 0, "https://elsewhere.example/"
        self.url = ""

    async def __call__(self, scope: Json, receive: Any, send: Any) -> None:
        """Answer one request."""
        headers = {key.decode(): value.decode("latin-1") for key, value in scope["headers"]}
        self.requests.append((scope["method"], headers))
        body = b""
        while True:
            event = await receive()
            body += event.get("body", b"")
            if not event.get("more_body"):
                break
        if self.status:
            await plain(send, self.status, {"location": self.location})
        elif scope["method"] == "POST":
            await self.post(json.loads(body), headers, receive, send)
        elif scope["method"] == "DELETE":
            self.ended.append(headers["mcp-session-id"])
            await plain(send, 200)
        else:
            await plain(send, 405)

    async def post(self, message: Json, headers: dict[str, str], receive: Any, send: Any) -> None:
        """Answer as JSON, or as a stream where something comes before the answer."""
        extra = {}
        session = headers.get("mcp-session-id")
        if self.server.era == "legacy":
            if message.get("method") == "initialize":
                self.sessions.append(f"s{len(self.sessions)}")
                extra = {"mcp-session-id": self.sessions[-1]}
            elif session is None and message.get("method") != "server/discover":
                await plain(send, 400)
                return
            elif session is not None and (session not in self.sessions or session in self.ended):
                await plain(send, 404)
                return
        emitted: list[bytes] = []
        try:
            answer = self.server.answer(message, emitted.append)
        except Crash:
            await begin(send, 200, {"content-type": "application/json"})
            await send({"type": "http.response.body", "body": b'{"jsonrpc"', "more_body": True})
            raise RuntimeError("as scripted") from None
        except Hang:
            if emitted and emitted[0].endswith(b"[}}"):
                await begin(send, 200, {"content-type": "application/json"})
                await send({"type": "http.response.body", "body": emitted[0]})
                return
            if emitted:
                await begin(send, 200, {"content-type": "text/event-stream"})
                await events(send, emitted)
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        if answer is None:
            await plain(send, 202)
        elif emitted:
            await begin(send, 200, {"content-type": "text/event-stream", **extra})
            await events(send, [*emitted, dumps(answer)])
            await send({"type": "http.response.body", "body": b""})
        else:
            await begin(send, 200, {"content-type": "application/json", **extra})
            await send({"type": "http.response.body", "body": json.dumps(answer, indent=1).encode()})


async def plain(send: Any, status: int, headers: dict[str, str] | None = None) -> None:
    """Answer without a body."""
    await begin(send, status, {"content-length": "0", **(headers or {})})
    await send({"type": "http.response.body", "body": b""})


async def begin(send: Any, status: int, headers: dict[str, str]) -> None:
    """Send the head of a response."""
    raw = [(key.encode(), value.encode()) for key, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})


async def events(send: Any, messages: list[bytes]) -> None:
    """Send messages as events."""
    for message in messages:
        await send({"type": "http.response.body", "body": b"data: " + message + b"\n\n", "more_body": True})


@asynccontextmanager
async def scripted_http(era: str, port: int = 0, server: Any = None) -> AsyncIterator[ScriptedHttp]:
    """Serve it on this machine while the block lasts."""
    import uvicorn

    app = ScriptedHttp(era, server)
    listener = socket.create_server(("127.0.0.1", port))
    app.url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    # A slow machine may leave a connection unused for longer than the five seconds that uvicorn keeps one.
    config = uvicorn.Config(
        app, lifespan="off", log_level="critical", timeout_graceful_shutdown=1, timeout_keep_alive=600
    )
    serving_it = uvicorn.Server(config)
    serving_it.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # the test's are pytest's
    serving = asyncio.create_task(serving_it.serve(sockets=[listener]))
    try:
        while not serving_it.started:  # noqa: ASYNC110 - uvicorn offers nothing to wait for
            await asyncio.sleep(0.01)
        yield app
    finally:
        serving_it.should_exit = True
        serving_it.force_exit = True
        await serving


def serve_stdio(era: str, options: list[str]) -> None:
    """Serve it over standard streams until they end."""
    server = ScriptedServer(era)
    if options[:1] == ["die-at-start-once"] and not Path(options[1]).exists():
        Path(options[1]).touch()
        sys.exit("not yet")
    out = sys.stdout.buffer

    def emit(message: bytes) -> None:
        out.write(message + b"\n")
        out.flush()

    sys.stderr.write("ready\n")
    sys.stderr.flush()
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if options[:1] == ["die-at-discover"] and message.get("method") == "server/discover":
            sys.exit("what is that")
        if message.get("params", {}).get("name") == "malformed":
            emit(b"this server prints to its own standard output")
        try:
            answer = server.answer(message, emit)
        except Hang:
            continue
        except Crash:
            os._exit(3)
        if answer is not None:
            emit(dumps(answer))


if __name__ == "__main__":
    serve_stdio(sys.argv[1], sys.argv[2:])
