# SPDX-License-Identifier: Apache-2.0
"""The agent's side of one API call: the response head is held back until the first part of the body is
released.

So the status remains available for a refusal as long as possible. A whole answer is sent with its length, an
answer in pieces as they arrive. An answer that is cut ends without its terminator, so that no client takes a
part for the whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec

from remit.core.decisions.mediation import Delivery
from remit.core.errors import Busy
from remit.core.tools.http_api import ReplyHead, ReplyPiece
from remit.gateway.asgi import NO_STORE, Receive, Send

#: Larger bodies are sent in pieces.
PIECE_BYTES: Final = 65_536
#: An API's answer is not a page of this host: no browser may sniff, run or frame it.
_GUARDS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
)
_BODILESS: Final = frozenset({204, 304})


class ApiAnswer:
    """Receives the released pieces of one call (`services.mediation.mediator.Sink`)."""

    __slots__ = ("_head", "_locate", "_patience_s", "_send", "begun", "done", "gone")

    def __init__(self, send: Send, locate: Callable[[str], str], *, patience_s: float = 60.0) -> None:
        """Keep where to send; `locate` returns the agent's URL for a path below the API.

        An agent that accepts no data for `patience_s` seconds is disconnected.
        """
        self._patience_s = patience_s
        self._send = send
        self._locate = locate
        self._head = ReplyHead(502)
        self.begun = False
        self.done = False
        self.gone = False

    async def release(self, chunk: Delivery) -> None:
        """Send a piece to the agent; wait while the connection is full."""
        if chunk.method == ReplyPiece.HEAD:
            self._head = msgspec.json.decode(chunk.body, type=ReplyHead)
            return
        if not self.begun and (chunk.last or chunk.body):
            await self._begin(len(chunk.body) if chunk.last else None)
        if not self.begun:
            return
        body = b"" if self._head.status in _BODILESS else chunk.body
        for start in range(0, len(body), PIECE_BYTES):
            await self._piece(body[start : start + PIECE_BYTES], more=True)
        if chunk.last:
            self.done = True
            await self._piece(b"", more=False)

    async def _begin(self, size_bytes: int | None) -> None:
        self.begun = True
        head = self._head
        bodiless = head.status in _BODILESS
        lines: list[tuple[bytes, bytes]] = [NO_STORE, *_GUARDS]
        lines += [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in head.headers.items()
            if not (bodiless and name == "content-type")
        ]
        if head.location:
            lines.append((b"location", self._locate(head.location).encode("latin-1")))
        if head.left_out:
            lines.append((b"remit-left-out", ", ".join(head.left_out).encode("latin-1")))
        if size_bytes is not None and not bodiless:
            lines.append((b"content-length", b"%d" % size_bytes))
        await self._send({"type": "http.response.start", "status": head.status, "headers": lines})

    async def _piece(self, data: bytes, *, more: bool) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                await self._send({"type": "http.response.body", "body": data, "more_body": more})
        except TimeoutError:
            # The connection to the API is held in the meantime, and others wait for a connection.
            raise Busy("the agent does not read its answer", code="slow-reader") from None

    async def watch(self, receive: Receive, call: asyncio.Task[Any]) -> None:
        """Cancel `call` once the agent has disconnected."""
        while (await receive())["type"] != "http.disconnect":
            pass
        if not self.done:
            self.gone = True
            call.cancel()
