# SPDX-License-Identifier: Apache-2.0
"""The official MCP client on one side of a pipe, our stdio bridge on the other, any MCP server behind it.

    official client -> pipe -> remit's bridge -> remit's OAuth client -> server

So what is tried is what carries an agent's messages in `remit connect` (headers, sessions, streams) and what
gets tokens in the SDK; only where they lead to is the suite's server in place of the gateway.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from remit.relay.bridge import Bridge
from remit.relay.stdio import Lines, LineWriter
from remit_sdk.gateway_client import GatewayReply
from remit_sdk.oauth import OAuthClient

Json = Any


class DirectGateway:
    """What the bridge sends through, to one address."""

    def __init__(self, client: OAuthClient, url: str) -> None:
        """Take who sends, and where to."""
        self._client = client
        self._url = url

    async def send(
        self, method: str, upstream: str, headers: Mapping[str, str], body: bytes | None
    ) -> GatewayReply:
        """Send one request."""
        return GatewayReply(await self._client.send(method, self._url, headers=headers, body=body))


@asynccontextmanager
async def piped(client: OAuthClient, url: str) -> AsyncIterator[Any]:
    """Provide the client's end of the pipe, as a transport of the official client."""
    to_bridge, from_client = os.pipe()
    to_client, from_bridge = os.pipe()
    gateway: Any = DirectGateway(client, url)
    bridge = Bridge(gateway, Lines(to_bridge), LineWriter(from_bridge))
    heard_in, heard_out = anyio.create_memory_object_stream[SessionMessage | Exception](16)
    said_in, said_out = anyio.create_memory_object_stream[SessionMessage](16)

    async def carry() -> None:
        await bridge.run()
        os.close(from_bridge)

    async def hear() -> None:
        async with heard_in:
            async for line in Lines(to_client):
                if isinstance(line, bytes):
                    message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                    with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                        await heard_in.send(SessionMessage(message))

    async def say() -> None:
        writer = LineWriter(from_client)
        async with said_out:
            async for one in said_out:
                await writer.write(one.message.model_dump_json(by_alias=True, exclude_unset=True).encode())
        os.close(from_client)

    tasks = [asyncio.create_task(one()) for one in (carry, hear, say)]
    try:
        yield heard_out, said_in
    finally:
        await said_in.aclose()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                await asyncio.gather(*tasks, return_exceptions=True)
        await heard_out.aclose()
        os.close(to_bridge)
        os.close(to_client)
