# SPDX-License-Identifier: Apache-2.0
"""An MCP client with several servers, as a separate process: it obeys one line of JSON after the other.

    {"open": [NAME, COMMAND, ...]}    starts a server and lists its tools
    {"call": [NAME, TOOL, {...}]}     calls a tool
    {"close": NAME}                   ends a server
    {"hook": [URL, {...}, {...}]}     sends an event to a hook's address, with headers

Each line is answered by one line: `{"ok": ...}` or `{"fault": "..."}`. Of a call it says whether it is an
error, its text, and the status that remit gives a call that it did not make. At the end of the input it exits
at once with all its servers, as a client that is closed does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from typing import Any

import httpx
from mcp import Client, StdioServerParameters

Json = Any


class Servers:
    """The servers of this client by name; each in an asyncio task that opens and closes it."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self._leave: dict[str, tuple[asyncio.Event, asyncio.Task[None]]] = {}

    async def obey(self, order: Json) -> Json:
        """Carry out one order."""
        if "all" in order:
            return await asyncio.gather(*(self.obey(one) for one in order["all"]))
        if "open" in order:
            name, *words = order["open"]
            ready: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
            leave = asyncio.Event()
            self._leave[name] = leave, asyncio.create_task(self._hold(name, words, ready, leave))
            return await ready
        if "call" in order:
            name, tool, arguments = order["call"]
            result = await self._clients[name].call_tool(tool, arguments)
            text = "".join(getattr(one, "text", "") for one in result.content)
            return [result.is_error, text, (result.meta or {}).get("remit/failure", {}).get("status", "")]
        if "hook" in order:
            url, headers, event = order["hook"]
            async with httpx.AsyncClient() as hooks:
                return (await hooks.post(url, headers=headers, json=event)).json()
        leave, holding = self._leave.pop(order["close"])
        leave.set()
        await holding
        return None

    async def _hold(
        self, name: str, words: list[str], ready: asyncio.Future[list[str]], leave: asyncio.Event
    ) -> None:
        start = StdioServerParameters(command=words[0], args=words[1:], env=dict(os.environ), cwd="/")
        try:
            async with Client(start, mode="legacy", read_timeout_seconds=120) as client:
                self._clients[name] = client
                ready.set_result([tool.name for tool in (await client.list_tools()).tools])
                await leave.wait()
        except Exception as fault:  # noqa: BLE001 - the test reads it
            if not ready.done():
                ready.set_exception(RuntimeError(repr(fault)))


async def main() -> None:
    """Obey until the input ends."""
    servers = Servers()
    while line := await asyncio.to_thread(sys.stdin.readline):
        said: Json
        try:
            said = {"ok": await servers.obey(json.loads(line))}
        except Exception as fault:  # noqa: BLE001 - the test reads it
            said = {"fault": repr(fault)}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
