# SPDX-License-Identifier: Apache-2.0
"""One call to a process that many calls share."""

import asyncio
from collections import deque

from remit.adapters.upstream.bounds import HeldBytes
from remit.adapters.upstream.mcp import protocol_versions
from remit.adapters.upstream.mcp.jsonrpc import (
    Message,
    RequestId,
    response_chunk,
    too_large,
    write_request,
    write_response,
)
from remit.adapters.upstream.mcp.stdio_session import StdioSession
from remit.core.cooperative_steps import finish
from remit.core.decisions.mediation import Chunk, ChunkKind
from remit.core.errors import OutOfOrder, UpstreamFault, UpstreamUnreachable
from remit.ports.runtime import Turns
from remit.ports.upstream import Call

MAX_WAITING_NOTIFICATIONS = 256


class StdioExchange:
    """`ports.upstream.Exchange` over the standard streams of a shared process."""

    __slots__ = (
        "_chunks",
        "_fault",
        "_hold",
        "_message",
        "_released",
        "_request_id",
        "_sent",
        "_session",
        "_waiter",
        "_waiting_bytes",
        "wants_progress",
    )

    def __init__(self, session: StdioSession, call: Call) -> None:
        """Number and serialise the call without writing it."""
        self._session = session
        self._request_id = next(session.ids)
        self._message = write_request(
            self._request_id, call.method, session.stamp.params(call, self._request_id)
        )
        self.wants_progress = call.wants_progress
        self._chunks: deque[Chunk] = deque()
        self._waiting_bytes = 0
        self._fault: UpstreamUnreachable | None = None
        self._hold = HeldBytes(session.bound, call.task)
        self._waiter: asyncio.Future[None] | None = None
        self._sent = False
        self._released = False

    def send(self) -> None:
        """Pass the line to the transport now."""
        if self._sent or self._released:
            raise OutOfOrder("a call is sent once", remediation="prepare another")
        if not self._session.child.alive:
            raise self._session.gone(sent=False)
        self._sent = True
        self._session.calls[self._request_id] = self
        self._session.child.write(self._message)
        self._message = b""

    async def receive(self, turns: Turns | None = None) -> Chunk:
        """Return the next message of this call."""
        if not self._sent:
            raise OutOfOrder("no request was sent, so there is no answer", remediation="send the call first")
        while True:
            if self._released:
                raise self._cut()
            if self._chunks:
                chunk = self._chunks.popleft()
                # A returned chunk stays counted until the next one is requested.
                self._hold.resize(self._waiting_bytes)
                self._waiting_bytes -= chunk.size
                return chunk
            if self._fault is not None:
                raise self._fault
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def respond(self, request_id: RequestId, body: bytes, *, error: bool = False) -> None:
        """Answer a server's request; over stdio no exchange returns one."""
        if self._session.child.alive:
            self._session.child.write(write_response(request_id, body, error=error))

    def cancel(self, reason: str) -> None:
        """Notify the process that a pending call is cancelled, at most once."""
        if self._session.calls.get(self._request_id) is self:
            del self._session.calls[self._request_id]
            self._session.tell(protocol_versions.CANCELLED, {"requestId": self._request_id, "reason": reason})

    def release(self) -> None:
        """Forget the call; a later answer is dropped."""
        if self._released:
            return
        self._released = True
        if self._session.calls.get(self._request_id) is self:
            del self._session.calls[self._request_id]
        self._chunks.clear()
        self._hold.release()
        self._wake()

    # The interface for the session.

    def take_response(self, message: Message) -> None:
        """Store the last message of the call."""
        handshake = self._session.handshake
        modern = handshake is not None and handshake.modern
        try:
            if len(message.result) > self._session.max_result_bytes:
                raise too_large(self._session.name, self._session.max_result_bytes)
            self._take(finish(response_chunk(message, self._session.name, modern=modern)))
        except UpstreamFault as fault:
            self.fail(fault)

    def take_notification(self, chunk: Chunk) -> None:
        """Store a notification, unless its reader is too far behind."""
        if len(self._chunks) >= MAX_WAITING_NOTIFICATIONS:
            self._session.counts["dropped"] += 1
            return
        try:
            self._take(chunk)
        except UpstreamFault:
            self._session.counts["dropped"] += 1

    def take_listening(self) -> None:
        """Do nothing: only a `ListenExchange` waits for this."""

    def fail(self, fault: UpstreamUnreachable) -> None:
        """End the call with a fault; chunks received before are still returned."""
        self._fault = fault
        self._wake()

    def _take(self, chunk: Chunk) -> None:
        self._hold.resize(self._waiting_bytes + chunk.size)
        self._waiting_bytes += chunk.size
        self._chunks.append(chunk)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _cut(self) -> UpstreamUnreachable:
        return UpstreamUnreachable(
            f"the call to upstream `{self._session.name}` was cancelled by remit",
            sent=self._sent,
            remediation="check the outcome at the upstream",
            code="upstream-cut",
        )


class ListenExchange(StdioExchange):
    """`resources/subscribe` to a modern process: `subscriptions/listen`, answered once the process
    acknowledges it.
    """

    __slots__ = ("_kept", "_wanted")

    def __init__(self, session: StdioSession, call: Call, kept: dict[tuple[str, str], RequestId]) -> None:
        """Store the task and resource of the subscription."""
        super().__init__(session, call)
        self._kept = kept
        self._wanted = (call.task, str(call.params.get("uri")))

    def send(self) -> None:
        """Start to listen; the subscription outlives the exchange."""
        if self._sent or self._released:
            raise OutOfOrder("a call is sent once", remediation="prepare another")
        if not self._session.child.alive:
            raise self._session.gone(sent=False)
        self._sent = True
        self._session.calls[self._request_id] = self
        self._session.listen({"resourceSubscriptions": [self._wanted[1]]}, self._request_id)

    def take_listening(self) -> None:
        """Complete the call: the acknowledgement is its answer."""
        del self._session.calls[self._request_id]
        before = self._kept.pop(self._wanted, None)
        if before is not None:
            self._session.unlisten(before)
        self._kept[self._wanted] = self._request_id
        self._take(Chunk(ChunkKind.RESULT, b"{}"))
