# SPDX-License-Identifier: Apache-2.0
"""Upstreams under test, over each transport and in each protocol era, with real servers behind them."""

import asyncio
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.runtime.system import SystemEntropy
from remit.adapters.upstream.bounds import BufferBound
from remit.adapters.upstream.http_api.api import HttpApi
from remit.adapters.upstream.mcp.http import McpHttp
from remit.adapters.upstream.mcp.stdio import McpStdio
from remit.core.decisions.mediation import Chunk
from remit.ports.upstream import Call, Exchange, Upstream
from tests.servers.scripted_mcp import ScriptedHttp, scripted_http
from tests.servers.scripted_rest import scripted_api, scripted_rest

ROOT = Path(__file__).parents[2]
SCRIPTED = str(ROOT / "tests/servers/scripted_mcp.py")
KINDS = ["stdio-modern", "stdio-legacy", "http-modern", "http-legacy"]
#: With the adapter of HTTP APIs, which speaks no MCP: of what the port says of calls alone.
CALLABLE = [*KINDS, "api-http1"]
VERSIONS = {"modern": "2026-07-28", "legacy": "2025-11-25"}
MAX_RESULT_BYTES = 1024 * 1024


class Told:
    """What an upstream told beside its calls."""

    def __init__(self) -> None:
        self.changes = 0
        self.notifications: list[tuple[str, Any]] = []
        self.states: list[bool] = []

    def on_change(self) -> None:
        """Count a change of the lists."""
        self.changes += 1

    def on_notification(self, method: str, params: Any) -> None:
        """Keep a notification."""
        self.notifications.append((method, params))

    def on_state(self, name: str, up: bool, why: str) -> None:
        """Keep a change of state."""
        self.states.append(up)


class Subject:
    """An upstream under test, with what is known of its server."""

    def __init__(
        self, kind: str, upstream: McpStdio | McpHttp | HttpApi, told: Told, http: ScriptedHttp | None = None
    ) -> None:
        self.transport, self.era = kind.split("-")
        self.upstream: Upstream = upstream
        self.bound = upstream.bound
        self.told = told
        self.http = http

    def over(self, transport: str) -> bool:
        """Whether it is spoken to over this transport."""
        return self.transport == transport


async def until(true: Callable[[], Any]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - what is waited for is a plain value
            await asyncio.sleep(0.01)


def settings(told: Told, **more: Any) -> dict[str, Any]:
    """What both adapters are given."""
    common = {
        "entropy": SystemEntropy(),
        "bound": BufferBound(8 * MAX_RESULT_BYTES),
        "max_result_bytes": MAX_RESULT_BYTES,
        "on_state": told.on_state,
    }
    return {**common, **more}


@asynccontextmanager
async def example_url(server: str, folder: Path) -> AsyncIterator[str]:
    """The address of an example server that runs while the block does."""
    argv = [str(ROOT / "examples" / "servers" / f"{server}.py"), str(folder), "--http", "0"]
    process = await asyncio.create_subprocess_exec(sys.executable, *argv, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    try:
        async for line in process.stderr:
            if found := re.search(rb"http://127\.0\.0\.1:\d+", line):
                yield found[0].decode() + "/mcp"
                break
        else:
            pytest.fail(f"`{server}` ended before it said where it listens")
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def contracts_upstream(kind: str, tmp_path: Path) -> AsyncIterator[Subject]:
    """The contracts server of the examples, which speaks both eras."""
    told = Told()
    folder = Path(shutil.copytree(ROOT / "examples" / "story" / "legal", tmp_path / "legal"))
    probe = kind.endswith("modern")
    async with AsyncExitStack() as stack:
        upstream: McpStdio | McpHttp
        if kind.startswith("stdio"):
            argv = [sys.executable, str(ROOT / "examples" / "servers" / "contracts.py"), str(folder)]
            upstream = McpStdio("contracts", argv, probe=probe, **settings(told))
        else:
            url = await stack.enter_async_context(example_url("contracts", folder))
            upstream = McpHttp("contracts", url, probe=probe, **settings(told))
        await upstream.start(told.on_change, told.on_notification)
        stack.push_async_callback(upstream.stop)
        yield Subject(kind, upstream, told)


@asynccontextmanager
async def scripted_upstream(kind: str) -> AsyncIterator[Subject]:
    """The server that breaks on request, which speaks one era alone."""
    transport, era = kind.split("-")
    told = Told()
    async with AsyncExitStack() as stack:
        http = None
        upstream: McpStdio | McpHttp | HttpApi
        if transport == "api":
            url = await stack.enter_async_context(scripted_rest())
            known = {name: value for name, value in settings(told).items() if name != "entropy"}
            upstream = HttpApi("scripted", url, scripted_api(), **known)
        elif transport == "stdio":
            fast = {"restart_base_s": 0.05, "restart_max_s": 0.1, "grace_s": 0.5}
            upstream = McpStdio("scripted", [sys.executable, SCRIPTED, era], **settings(told, **fast))
        else:
            http = await stack.enter_async_context(scripted_http(era))
            upstream = McpHttp("scripted", http.url, retry_base_s=0.05, retry_max_s=0.1, **settings(told))
        await upstream.start(told.on_change, told.on_notification)
        stack.push_async_callback(upstream.stop)
        yield Subject(kind, upstream, told, http)


def tool(name: str, *, task: str = "t1", meta: dict[str, Any] | None = None, **arguments: Any) -> Call:
    """A call of a tool."""
    return Call(
        method="tools/call", params={"name": name, "arguments": arguments}, task=task, meta=meta or {}
    )


def asking(name: str, **more: Any) -> Call:
    """A call of a tool without arguments, with more of what the port lets a call say."""
    return Call(method="tools/call", params={"name": name, "arguments": {}}, task="t1", **more)


async def to_end(exchange: Exchange) -> list[Chunk]:
    """Every chunk of an exchange that has been sent."""
    chunks: list[Chunk] = []
    async with asyncio.timeout(60):
        while not chunks or not chunks[-1].last:
            chunks.append(await exchange.receive())
    return chunks


async def run(subject: Subject, call: Call, headers: dict[str, str] | None = None) -> list[Chunk]:
    """Every chunk of a call."""
    exchange = await subject.upstream.prepare(call, headers or {})
    try:
        exchange.send()
        return await to_end(exchange)
    finally:
        exchange.release()


def nothing(*_: Any) -> None:
    """Take any notification."""


async def call(upstream: Upstream, name: str, **arguments: Any) -> Any:
    """The result of a call that is answered at once."""
    exchange = await upstream.prepare(tool(name, **arguments), {})
    try:
        exchange.send()
        async with asyncio.timeout(60):
            return json.loads((await exchange.receive()).body)
    finally:
        exchange.release()
