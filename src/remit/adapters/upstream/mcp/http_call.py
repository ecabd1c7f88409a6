# SPDX-License-Identifier: Apache-2.0
"""One call over HTTP: one POST, and the messages in its response."""

from collections.abc import Callable, Sequence
from typing import Protocol

from remit.adapters.upstream.bounds import BufferBound
from remit.adapters.upstream.http1 import Connection
from remit.adapters.upstream.mcp import protocol_versions
from remit.adapters.upstream.mcp.http_response import HttpAnswer, HttpRefused, SessionLost, session_lost
from remit.adapters.upstream.mcp.jsonrpc import (
    Message,
    RequestId,
    broken,
    notification_chunk,
    read_message,
    response_chunk,
    stream_ended,
    write_notification,
    write_response,
)
from remit.core.cooperative_steps import Steps, finish
from remit.core.decisions.mediation import Chunk, ChunkKind
from remit.core.errors import OutOfOrder, UpstreamUnreachable
from remit.ports.runtime import Turns

Headers = Sequence[tuple[bytes, bytes]]


class HttpSession:
    """A session of the legacy era; without `id` the server keeps none."""

    __slots__ = ("credential", "id", "log_level", "version")

    def __init__(self, version: str, id: bytes | None, credential: Headers) -> None:
        """Store the version, the session's id and the credential that opened it."""
        self.version = version
        self.id = id
        self.credential = credential
        self.log_level = ""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers of a message in this session, without a credential."""
        headers = [*protocol_versions.http_headers(self.version, "", {})]
        if self.id is not None:
            headers.append((protocol_versions.SESSION_HEADER, self.id))
        return headers


class Sender(Protocol):
    """The part of its upstream that an exchange uses."""

    name: str
    target: bytes

    def post_later(self, body: bytes, headers: Headers) -> None:
        """Send a message in the background, if possible; never raises."""
        ...

    def drain_later(self, answer: HttpAnswer, connection: Connection) -> None:
        """Read the rest of a stream in the background, then give its connection back."""
        ...

    def reached(self) -> None:
        """Record that the upstream answers."""
        ...

    def forget_session(self, session: HttpSession) -> None:
        """Make later calls open another session."""
        ...


class HttpExchange:
    """`ports.upstream.Exchange` over one connection."""

    __slots__ = (
        "_answer",
        "_body",
        "_cancelled",
        "_connection",
        "_ended",
        "_headers",
        "_released",
        "_request_id",
        "_sender",
        "_sent",
        "_session",
        "on_result",
    )

    def __init__(
        self,
        sender: Sender,
        connection: Connection,
        answer: HttpAnswer,
        request_id: RequestId,
        headers: Headers,
        body: bytes,
        session: HttpSession | None,
    ) -> None:
        """Store everything that the write needs."""
        self._sender = sender
        self._connection = connection
        self._answer = answer
        self._request_id = request_id
        self._headers = headers
        self._body = body
        self._session = session
        self._sent = False
        self._ended = False
        self._released = False
        self._cancelled = False
        self.on_result: Callable[[], None] | None = None

    def send(self) -> None:
        """Write the POST now."""
        if self._released:
            raise self._cut()
        self._connection.send(b"POST", self._sender.target, self._headers, self._body)
        self._sent = True
        self._body = b""

    async def receive(self, turns: Turns | None = None) -> Chunk:
        """Return the next message of this call."""
        self._check()
        sender = self._sender
        while True:
            try:
                pieces = await self._answer.next()
            except HttpRefused:
                self._look_at_session()
                raise
            except OutOfOrder as error:
                self._check(error)
                raise
            self._look_at_session()
            sender.reached()
            if pieces is None:
                raise stream_ended(sender.name)
            steps = self._read(pieces)
            if turns is None or sum(map(len, pieces)) <= BufferBound.UNCOUNTED_BYTES:
                chunk = finish(steps)
            else:
                chunk = await turns.take(steps, self._check, long=True)
            if chunk is not None:
                return chunk

    def respond(self, request_id: RequestId, body: bytes, *, error: bool = False) -> None:
        """Answer a server's request on another connection (2025-11-25: as a separate POST)."""
        if self._session is not None:
            self._sender.post_later(write_response(request_id, body, error=error), self._headers)

    def cancel(self, reason: str) -> None:
        """Cancel the call: by closing the response (2026-07-28), in legacy eras by a notification before."""
        if self._cancelled or self._ended or not self._sent:
            return
        self._cancelled = True
        if self._session is not None:
            params = {"requestId": self._request_id, "reason": reason}
            self._sender.post_later(write_notification(protocol_versions.CANCELLED, params), self._headers)
        self._connection.abort()

    def release(self) -> None:
        """Give the connection back; it is reused if the response was read to its end."""
        if self._released:
            return
        self._released = True
        self._answer.forget()
        if self._ended and self._answer.streaming:
            self._sender.drain_later(self._answer, self._connection)
        else:
            self._connection.release()

    def _look_at_session(self) -> None:
        session = self._session
        if session is not None and session.id is not None and session_lost(self._answer):
            self._sender.forget_session(session)
            raise SessionLost(self._sender.name)

    def _read(self, pieces: list[bytes]) -> Steps[Chunk | None]:
        text = b"".join(pieces)
        yield
        message = read_message(text, self._sender.name)
        yield
        return (yield from self._chunk(message))

    def _chunk(self, message: Message) -> Steps[Chunk | None]:
        """Return a message as a chunk; None for a request that this adapter answers itself."""
        if not message.method:
            assert self._answer.head is not None
            if message.id != self._request_id and not (message.error and self._answer.head.status != 200):
                raise broken(self._sender.name, "answered another request than it was sent")
            self._ended = True
            chunk = yield from response_chunk(message, self._sender.name, modern=self._session is None)
            if self.on_result is not None and chunk.kind is ChunkKind.RESULT:
                self.on_result()
            return chunk
        if message.id is not None:
            if self._session is None:
                # 2026-07-28: a server sends no requests.
                raise broken(self._sender.name, "sent a request that its protocol version does not permit")
            if message.method == protocol_versions.PING:
                self.respond(message.id, b"{}")
                return None
        return notification_chunk(message)

    def _check(self, error: OutOfOrder | None = None) -> None:
        if self._released:
            raise self._cut() from error

    def _cut(self) -> UpstreamUnreachable:
        return UpstreamUnreachable(
            f"the call to upstream `{self._sender.name}` was cancelled by remit",
            sent=self._sent,
            remediation="check the outcome at the upstream",
            code="upstream-cut",
        )


class ListenHttpExchange(HttpExchange):
    """`resources/subscribe` to a modern server: `subscriptions/listen`, answered once the server acknowledges
    it.

    The stream outlives the exchange: `keep` takes it over.
    """

    __slots__ = ("keep",)

    keep: Callable[[HttpAnswer, Connection], None]

    def _chunk(self, message: Message) -> Steps[Chunk | None]:
        if message.method == protocol_versions.LISTENING:
            return Chunk(ChunkKind.RESULT, b"{}")
        if message.method:
            return None
        chunk = yield from super()._chunk(message)
        if chunk is not None and chunk.kind is ChunkKind.RESULT:
            raise broken(self._sender.name, "ended a subscription before it began")
        return chunk

    async def receive(self, turns: Turns | None = None) -> Chunk:
        """Wait for the acknowledgement, then pass the stream on."""
        chunk = await super().receive(turns)
        if chunk.kind is ChunkKind.RESULT:
            self._released = self._ended = True
            self.keep(self._answer, self._connection)
        return chunk
