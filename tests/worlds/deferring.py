# SPDX-License-Identifier: Apache-2.0
"""The MCP endpoint before a server that defers its calls, and an agent that looks after them."""

from __future__ import annotations

import asyncio
from typing import Any

from remit.core.evidence.event import EventKind
from tests.refusals import failure
from tests.servers.deferring_mcp import ABLE, DeferringServer
from tests.worlds.mcp_endpoint import GatewayWorld
from tests.worlds.services import Told

Json = Any


class DeferringWorld:
    """The endpoint before a server that defers."""

    def __init__(self, gateway: GatewayWorld, server: DeferringServer) -> None:
        self.gateway = gateway
        self.server = server
        self.services = gateway.services

    async def begin(self, name: str = "slow", arguments: Json = None, **more: Json) -> str:
        """Make a call that is deferred; gives its handle."""
        told = await self.gateway.call(name, arguments, meta=ABLE, **more)
        handle: str = told.json["result"]["taskId"]
        return handle

    async def ask(self, method: str, handle: str, meta: Json = ABLE, **more: Json) -> Told:
        """Ask for a call that goes on; enough time has passed for the upstream's pace."""
        self.gateway.clock.advance(1)
        params: Json = {"taskId": handle, "_meta": meta, **more.pop("params", {})}
        return await self.gateway.modern(f"tasks/{method}", params, **more)

    async def get(self, handle: str, **more: Json) -> Json:
        """Return how a call stands."""
        told = await self.ask("get", handle, **more)
        assert told.status == 200, told.content
        return told.json["result"]

    async def outcomes(self) -> list[tuple[str, str]]:
        """Return how the calls ended, and what ended them."""
        await self.settled()
        called = await self.gateway.facts(EventKind.TOOL_CALLED)
        return [(one["outcome"], one.get("ended_by", "")) for one in called]

    async def settled(self) -> None:
        """Wait until what is written behind answers has been written."""
        for _ in range(50):
            await asyncio.sleep(0.002)

    async def reached(self) -> None:
        """Wait until the upstream has been asked how a call stands."""
        while not self.server.asked("tasks/get"):  # noqa: ASYNC110 - the server only keeps what it saw
            await asyncio.sleep(0.005)

    @property
    def in_hand(self) -> int:
        """How many calls of the task are in hand."""
        live = self.services.tasks.live.get(self.gateway.task)
        return len(live.in_hand) if live is not None else 0


def refused(told: Told) -> tuple[int | str, str]:
    """Return number and code of an error; of a failed call of a tool, its status and code."""
    values = failure(told.json)
    return told.json["error"]["code"] if "error" in told.json else values["status"], values["code"]
