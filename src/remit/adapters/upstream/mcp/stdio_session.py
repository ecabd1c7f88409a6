# SPDX-License-Identifier: Apache-2.0
"""The conversation with one process, from its start to its end: numbering requests and routing answers."""

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Protocol

from remit.adapters.upstream.bounds import BufferBound
from remit.adapters.upstream.mcp import protocol_versions
from remit.adapters.upstream.mcp.jsonrpc import (
    NOT_OFFERED,
    Message,
    RequestId,
    guess_id,
    notification_chunk,
    read_message,
    read_value,
    too_large,
    write_notification,
    write_request,
    write_response,
)
from remit.adapters.upstream.processes.supervisor import ChildProcess, Clean, as_it_is
from remit.core.decisions.mediation import Chunk
from remit.core.errors import UpstreamFault, UpstreamUnreachable
from remit.core.json_value import Json
from remit.ports.upstream import LIST_CHANGED

#: With more unread bytes than this, the process is sent nothing more.
MAX_UNWRITTEN_BYTES = 1024 * 1024
#: A process that writes more malformed lines than this is not, or no longer, an MCP server.
MAX_MALFORMED = 1_000


class WaitingCall(Protocol):
    """The interface of a pending call for the session."""

    wants_progress: bool

    def take_response(self, message: Message) -> None:
        """Store the last message of the call."""
        ...

    def take_notification(self, chunk: Chunk) -> None:
        """Store a notification, unless its reader is too far behind."""
        ...

    def take_listening(self) -> None:
        """Handle the acknowledgement of a subscription."""
        ...

    def fail(self, fault: UpstreamUnreachable) -> None:
        """End with a fault."""
        ...


class StdioSession:
    """Numbers requests, routes answers, and ends every pending call when the process ends."""

    def __init__(
        self,
        name: str,
        *,
        max_result_bytes: int,
        bound: BufferBound,
        counts: Counter[str],
        on_change: Callable[[], None],
        on_notification: Callable[[str, Json], None],
        clean: Clean = as_it_is,
    ) -> None:
        """Start without a running process."""
        self.name = name
        self.bound = bound
        self.counts = counts
        self.max_result_bytes = max_result_bytes
        self.child = ChildProcess(
            name, max_result_bytes + 4096, self._on_line, self._on_overlong, self.end, clean
        )
        self.handshake: protocol_versions.Handshake | None = None
        self.stamp = protocol_versions.Stamp("")
        self.ids = count(1)
        self.calls: dict[RequestId, WaitingCall] = {}
        self._asked: dict[RequestId, asyncio.Future[Message]] = {}
        self._listening: set[RequestId] = set()
        self._malformed = 0
        self._on_change = on_change
        self._on_notification = on_notification

    async def ask(self, method: str, params: dict[str, Json], version: str, *, timeout_s: float) -> Message:
        """Send one of remit's own requests.

        Raises `UpstreamUnreachable`, with code `upstream-timeout` after the time limit.
        """
        if not self.child.alive:
            raise self.gone(sent=False)
        request_id = next(self.ids)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._asked[request_id] = answer
        try:
            self.child.write(write_request(request_id, method, params))
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            raise UpstreamUnreachable(
                f"upstream `{self.name}` did not answer `{method}` within {timeout_s:g} s",
                sent=True,
                remediation="check its log",
                code="upstream-timeout",
            ) from None
        finally:
            self._asked.pop(request_id, None)

    def tell(self, method: str, params: dict[str, Json]) -> None:
        """Send a notification, if the process is alive."""
        if self.child.alive:
            self.child.write(write_notification(method, params))

    def listen(self, wanted: dict[str, Json], request_id: RequestId) -> None:
        """Ask a modern server for notifications; the response arrives only when the subscription ends."""
        assert self.handshake is not None
        params = protocol_versions.stamped({"notifications": wanted}, self.handshake.version)
        self._listening.add(request_id)
        self.child.write(write_request(request_id, protocol_versions.LISTEN, params))

    def unlisten(self, request_id: RequestId) -> None:
        """Cancel the subscription with this request id."""
        if request_id in self._listening:
            self._listening.discard(request_id)
            self.tell(protocol_versions.CANCELLED, {"requestId": request_id})

    def end(self) -> None:
        """End every pending call and request: the process is gone."""
        for call in tuple(self.calls.values()):
            call.fail(self.gone(sent=True))
        self.calls.clear()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(self.gone(sent=True))

    def gone(self, *, sent: bool) -> UpstreamUnreachable:
        """Return the fault of a process that has ended."""
        return UpstreamUnreachable(
            f"the process of upstream `{self.name}` has ended",
            sent=sent,
            remediation="check the outcome at the upstream; remit restarts it" if sent else "try again",
            debug=" | ".join(self.child.last_words),
        )

    # Messages from the process.

    def _on_line(self, line: bytes) -> None:
        try:
            message = read_message(line, self.name)
        except UpstreamFault as fault:
            self._on_malformed(line[:256], line[-256:], fault)
            return
        if message.method:
            if message.id is None:
                self._on_notified(message)
            else:
                self._on_question(message.id, message)
            return
        assert message.id is not None or message.error
        call = self.calls.pop(message.id, None) if message.id is not None else None
        if call is not None:
            self._listening.discard(message.id)
            call.take_response(message)
            return
        answer = self._asked.get(message.id) if message.id is not None else None
        if answer is not None:
            if not answer.done():
                answer.set_result(message)
        elif message.id in self._listening:
            self._listening.discard(message.id)
        else:
            # Late, after a cancel or a time-out, or with an unknown id.
            self.counts["late"] += 1

    def _on_notified(self, message: Message) -> None:
        method = message.method
        if method in LIST_CHANGED:
            self._on_notification(method, {})
            self._on_change()
            return
        if method == protocol_versions.LOG_MESSAGE:
            # It names no call, so the owner of its data is unknown and no agent sees it.
            self.counts["unattributed"] += 1
            return
        try:
            params = read_value(message.params, self.name)
        except UpstreamFault as fault:
            self._on_malformed(b"", b"", fault)
            return
        if method == protocol_versions.PROGRESS:
            call = self._call(params.get("progressToken"))
            if call is not None and call.wants_progress:
                call.take_notification(notification_chunk(message))
            else:
                self.counts["unattributed"] += 1
        elif method == protocol_versions.RESOURCE_UPDATED:
            self._on_notification(method, protocol_versions.without_meta(params))
        elif method == protocol_versions.LISTENING:
            call = self._call(protocol_versions.subscription_of(params))
            if call is not None:
                call.take_listening()
        else:
            self.counts["unattributed"] += 1

    def _call(self, request_id: Json) -> "WaitingCall | None":
        # `True` equals 1 as a key; remit's own ids are always integers.
        return self.calls.get(request_id) if type(request_id) is int else None

    def _on_question(self, request_id: RequestId, message: Message) -> None:
        """Answer a server's request here: over stdio it does not name the call that it belongs to."""
        if self.child.alive and self.child.unwritten_bytes < MAX_UNWRITTEN_BYTES:
            ping = message.method == protocol_versions.PING
            body = b"{}" if ping else NOT_OFFERED
            self.child.write(write_response(request_id, body, error=not ping))

    def _on_overlong(self, head: bytes, tail: bytes) -> None:
        self._on_malformed(head, tail, too_large(self.name, self.max_result_bytes))

    def _on_malformed(self, head: bytes, tail: bytes, fault: UpstreamFault) -> None:
        """Count a malformed message; if it was the answer to a call, that call fails."""
        self.counts["malformed"] += 1
        self._malformed += 1
        request_id = guess_id(head, tail)
        call = self.calls.pop(request_id, None) if request_id is not None else None
        if call is not None:
            call.fail(fault)
        answer = self._asked.get(request_id) if request_id is not None else None
        if answer is not None and not answer.done():
            answer.set_exception(fault)
        if self._malformed > MAX_MALFORMED:
            self.child.cut()
