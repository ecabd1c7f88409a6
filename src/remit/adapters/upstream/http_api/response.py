# SPDX-License-Identifier: Apache-2.0
"""One call of an HTTP API and its answer: in pieces as they arrive, or as one MCP result."""

import base64
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

import msgspec

from remit.adapters.upstream.bounds import BufferBound, HeldBytes
from remit.adapters.upstream.http1 import Connection
from remit.core.decisions.mediation import Chunk, ChunkKind
from remit.core.errors import OutOfOrder, UpstreamFault, UpstreamUnreachable
from remit.core.flow.records.json_parsing import countless
from remit.core.json_value import Json
from remit.core.tools.http_api import ApiReply, ReplyPiece, Route, read_head
from remit.core.tools.http_api.response import complete
from remit.ports.runtime import Turns

Request = tuple[bytes, bytes, Sequence[tuple[bytes, bytes]], bytes]

#: Largest size of one event or line.
MAX_EVENT_BYTES = 1024 * 1024
#: Continuous text is returned in pieces of about this size.
WINDOW_BYTES = 128 * 1024
_CHALLENGES = (401, 407)


class ApiSide(Protocol):
    """The part of its upstream that an exchange uses."""

    name: str
    base: str
    bound: BufferBound

    def reached(self) -> None:
        """Record that the upstream answers."""
        ...


class ReplyExchange:
    """The common part of both kinds of exchange: one request, and the head of its answer."""

    def __init__(
        self,
        side: ApiSide,
        connection: Connection,
        route: Route,
        request: Request,
        *,
        asked: str,
        max_result_bytes: int,
        task: str = "",
    ) -> None:
        """Store everything that the write needs."""
        self._side = side
        self._connection = connection
        self._route = route
        self._request = request
        self._asked = asked
        self._max = max_result_bytes
        self._hold = HeldBytes(side.bound, task)
        self._sent = False
        self._released = False
        self.reply: ApiReply | None = None

    def send(self) -> None:
        """Write the request now."""
        if self._released:
            raise self._cut()
        method, target, headers, body = self._request
        self._connection.send(method, target, headers, body)
        self._sent = True
        self._request = (method, target, (), b"")

    def respond(self, request_id: str | int, body: bytes, *, error: bool = False) -> None:
        """Do nothing: an HTTP API sends no requests to its client."""

    def cancel(self, reason: str) -> None:
        """Close the connection: HTTP has no other way to cancel."""
        if self._sent:
            self._connection.abort()

    def release(self) -> None:
        """Give the connection back; it is reused if the answer was read to its end."""
        if not self._released:
            self._released = True
            self._hold.release()
            self._connection.release()

    async def _head(self) -> ApiReply:
        """Wait for the head. A refused credential raises a fault, because the agent cannot correct it."""
        head = await self._connection.head()
        self._side.reached()
        if head.status in _CHALLENGES:
            raise UpstreamFault(
                f"upstream `{self._side.name}` refuses the credential ({head.status})",
                sent=True,
                remediation="check the upstream's credential and its scope",
                code="upstream-refused",
            )
        reply = read_head(
            head.status,
            head.headers,
            base=self._side.base,
            gives=self._route.gives,
            asked=self._asked,
        )
        self.reply = reply
        return reply

    def _keep(self, size_bytes: int, most: int) -> None:
        if size_bytes > most:
            raise UpstreamFault(
                f"the answer of upstream `{self._side.name}` exceeds {most} bytes",
                sent=True,
                remediation="ask for less, or raise `limits.max_result_bytes`",
                code="upstream-too-large",
            )
        self._hold.resize(size_bytes)

    async def _whole(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in self._connection.chunks():
            size += len(part)
            self._keep(size, self._max)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _cut(self) -> UpstreamUnreachable:
        return UpstreamUnreachable(
            f"the call to upstream `{self._side.name}` was cancelled by remit",
            sent=self._sent,
            remediation="check the outcome at the upstream",
            code="upstream-cut",
        )

    def _check(self) -> None:
        if self._released:
            raise self._cut()
        if not self._sent:
            raise OutOfOrder("no request was sent, so there is no answer", remediation="send the call first")


class PlainReplyExchange(ReplyExchange):
    """`ports.upstream.Exchange` that returns an answer unchanged: its head, then its body piece by piece.

    JSON is returned whole, because its fields cannot be read before. Events and lines are returned as soon as
    they are complete, text in windows, bytes as they arrive. The last piece is the result.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        """Start before the head."""
        super().__init__(*args, **more)
        self._pieces: AsyncIterator[Chunk] | None = None

    async def receive(self, turns: Turns | None = None) -> Chunk:
        """Return the head, then the body."""
        self._check()
        try:
            if self._pieces is None:
                reply = await self._head()
                self._pieces = self._body(reply)
                return Chunk(
                    ChunkKind.NOTIFICATION, msgspec.json.encode(reply.head), method=ReplyPiece.HEAD.value
                )
            return await anext(self._pieces)
        except OutOfOrder as error:
            if self._released:
                raise self._cut() from error
            raise

    def _chunk(self, piece: ReplyPiece, body: bytes, *, last: bool = False) -> Chunk:
        assert self.reply is not None
        kind = ChunkKind.RESULT if last else ChunkKind.NOTIFICATION
        failed = last and self.reply.head.status >= 400
        return Chunk(kind, body, method=piece.value, is_error=failed)

    async def _body(self, reply: ApiReply) -> AsyncIterator[Chunk]:
        piece = reply.piece
        if piece is ReplyPiece.JSON:
            yield self._chunk(piece, await self._whole(), last=True)
            return
        waiting = bytearray()
        async for part in self._connection.chunks():
            seen = len(waiting)
            waiting += part
            end = self._ready(piece, waiting, seen)
            if not end:
                self._keep(len(waiting), min(self._max, MAX_EVENT_BYTES))
                continue
            body = bytes(waiting[:end])
            del waiting[:end]
            self._hold.resize(len(waiting))
            yield self._chunk(piece, body)
        yield self._chunk(piece, bytes(waiting), last=True)

    def _ready(self, piece: ReplyPiece, waiting: bytearray, seen: int) -> int:
        """Return how many of the waiting bytes can be returned now; `seen` of them had arrived earlier."""
        if piece is ReplyPiece.TEXT:
            if len(waiting) < WINDOW_BYTES:
                return 0
            return complete(piece, waiting) or len(waiting)
        return complete(piece, waiting, seen)


class McpReplyExchange(ReplyExchange):
    """`ports.upstream.Exchange` that returns an answer as a tool result in MCP's format."""

    async def receive(self, turns: Turns | None = None) -> Chunk:
        """Return the only result."""
        self._check()
        try:
            reply = await self._head()
            body = await self._whole()
        except OutOfOrder as error:
            if self._released:
                raise self._cut() from error
            raise
        result = _result(reply, body, self._asked)
        return Chunk(ChunkKind.RESULT, msgspec.json.encode(result), is_error=reply.head.status >= 400)


def _result(reply: ApiReply, body: bytes, asked: str) -> dict[str, Json]:
    head = reply.head
    told: dict[str, Json] = {"status": head.status}
    if head.location:
        told["location"] = head.location
    result: dict[str, Json] = {"content": [], "_meta": {"remit/http": told}}
    if head.status >= 400:
        result["isError"] = True
    if not body:
        return result
    if reply.piece is ReplyPiece.BYTES:
        media = head.headers.get("content-type", "application/octet-stream")
        blob = base64.b64encode(body).decode("ascii")
        resource = {"uri": f"http-api:{asked}", "mimeType": media, "blob": blob}
        result["content"] = [{"type": "resource", "resource": resource}]
        return result
    text = body.decode("utf-8", "replace")
    result["content"] = [{"type": "text", "text": text}]
    if reply.piece is ReplyPiece.JSON and not countless(body):
        try:
            value = msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError):
            return result
        if isinstance(value, dict):
            result["structuredContent"] = value
    return result
