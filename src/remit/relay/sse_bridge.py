# SPDX-License-Identifier: Apache-2.0
"""A program that carries MCP between standard streams and a server of the SSE transport.

    python -P -m remit.relay.sse_bridge [URL]

The SSE transport (revision 2024-11-05) was replaced in March 2025, and some servers still have no other one.
remit starts this program as their upstream. Without `URL`, the variable `SSE_URL` has the address; variables
`HEADER_NAME` become headers of its requests: values of the environment are no arguments, which other users of
the machine could read. The program ends with the connection; remit starts it again.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any, Final

from mcp.client.sse import sse_client
from mcp.server.stdio import stdio_server

_HEADER: Final = "HEADER_"
_URL: Final = "SSE_URL"
#: Servers send a comment every few seconds; one that is silent for a day is gone.
_SILENCE_S: Final = 86_400.0
_CONNECT_S: Final = 30.0


async def carry(url: str, headers: dict[str, str]) -> None:
    """Carry messages in both directions until one side ends."""
    async with (
        sse_client(url, headers, timeout=_CONNECT_S, sse_read_timeout=_SILENCE_S) as (from_server, to_server),
        stdio_server() as (from_remit, to_remit),
    ):

        async def pass_on(source: Any, target: Any) -> None:
            async for message in source:
                if isinstance(message, Exception):
                    raise message
                await target.send(message)

        out = asyncio.create_task(pass_on(from_remit, to_server))
        back = asyncio.create_task(pass_on(from_server, to_remit))
        await asyncio.wait({out, back}, return_when=asyncio.FIRST_COMPLETED)
        if back.done():
            # The server is gone. Closing the input would wait for a line that may never come.
            os._exit(1)
        back.cancel()
        await asyncio.gather(back, return_exceptions=True)


def main() -> None:
    """Carry messages of the server whose address is the only argument, or a variable."""
    headers = {
        name.removeprefix(_HEADER): value for name, value in os.environ.items() if name.startswith(_HEADER)
    }
    asyncio.run(carry(sys.argv[1] if sys.argv[1:] else os.environ[_URL], headers))


if __name__ == "__main__":
    main()
