# SPDX-License-Identifier: Apache-2.0
"""The answer to one HTTP request of MCP: one JSON message, or a stream of events with one message each."""

import asyncio
import logging
import re
from collections import deque
from collections.abc import AsyncIterator

from remit.adapters.upstream.bounds import BufferBound, HeldBytes
from remit.adapters.upstream.http1 import Connection, EventStream, ResponseHead
from remit.adapters.upstream.mcp import protocol_versions
from remit.adapters.upstream.mcp.jsonrpc import broken, read_message, too_large
from remit.core.errors import ConfigInvalid, UpstreamFault

log = logging.getLogger(__name__)

_JSON, _EVENTS = b"application/json", b"text/event-stream"
_MAX_REFUSAL_BYTES = 64 * 1024
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _REDIRECTS = 401, 403, 404, range(300, 400)

_LEADS_TO = re.compile(
    rb"(?:https?://[^/?#]{1,255})?(/(?!/)[A-Za-z0-9._~/-]{0,120})(?:[?#]|\Z)", re.IGNORECASE
)

# Headers that only this adapter may write; a credential may not set them.
_OWN_HEADERS = frozenset(
    (
        b"accept",
        b"content-type",
        b"last-event-id",
        b"mcp-method",
        b"mcp-name",
        b"mcp-protocol-version",
        b"mcp-session-id",
    )
)


class HttpRefused(UpstreamFault):
    """An HTTP status other than success, without a JSON-RPC error in the body."""

    code = "upstream-refused"

    def __init__(self, name: str, status: int) -> None:
        """Describe what the status means for the call."""
        if status in (_UNAUTHORIZED, _FORBIDDEN):
            what, remediation = (
                "refuses the credential",
                "check the upstream's credential and its scope",
            )
        elif status in _REDIRECTS:
            what = "redirects, and remit does not follow redirects"
            remediation = "give the final address as the `url`; remit's log shows the target"
        else:
            what, remediation = "refused the request", "check the upstream's `url` and its log"
        super().__init__(
            f"upstream `{name}` {what} (HTTP status {status})", sent=True, remediation=remediation
        )
        self.status = status


class SessionLost(UpstreamFault):
    """The server has forgotten the session; the next call opens another. The current call is not sent
    again.
    """

    code = "upstream-session-lost"

    def __init__(self, name: str) -> None:
        """Describe the fault; the agent decides whether to call again."""
        super().__init__(
            f"upstream `{name}` has lost the session of this task",
            sent=True,
            remediation="call again: a new session is opened",
        )


class HttpAnswer:
    """Reads the messages of one response, holding at most one result of `max_result_bytes`."""

    __slots__ = (
        "_connection",
        "_events",
        "_hold",
        "_max_bytes",
        "_name",
        "_pieces",
        "_unread_bytes",
        "_waiting",
        "head",
    )

    def __init__(
        self, connection: Connection, name: str, bound: BufferBound, max_result_bytes: int, *, task: str = ""
    ) -> None:
        """Store a connection on which a task's request was sent, or will be."""
        self._connection = connection
        self._name = name
        self._hold = HeldBytes(bound, task)
        self._max_bytes = max_result_bytes
        self._events: EventStream | None = None
        self._pieces: AsyncIterator[bytes] | None = None
        self._waiting: deque[bytes] = deque()
        self._unread_bytes = 0
        self.head: ResponseHead | None = None

    async def next(self) -> list[bytes] | None:
        """Return the pieces of the next message, or None at the end of a stream; `application/json` has
        exactly one message.

        Raises `HttpRefused`, `UpstreamFault`, and the faults of the connection.
        """
        if self._events is None:
            if self.head is not None:
                return None
            head = self.head = await self._connection.head()
            kind, length = _type_and_length(head)
            if kind == _JSON and head.status == 200:
                return await self._whole(length, self._max_bytes)
            if kind != _EVENTS or head.status != 200:
                return await self._refusal(head, kind, length)
            self._events = EventStream(max_event_bytes=self._max_bytes + 4096)
            self._pieces = self._connection.chunks()
        return await self._next_event()

    @property
    def streaming(self) -> bool:
        """Whether the answer is a stream of events."""
        return self._events is not None

    async def drain(self) -> None:
        """Read a stream to its end after the response, so that its connection can be reused."""
        left = _MAX_REFUSAL_BYTES
        if self._pieces is not None:
            async for piece in self._pieces:
                left -= len(piece)
                if left < 0:
                    return

    def forget(self) -> None:
        """Release everything held."""
        self._waiting.clear()
        self._hold.release()

    async def _next_event(self) -> list[bytes] | None:
        assert self._events is not None
        assert self._pieces is not None
        if self._waiting:
            # One piece may contain thousands of messages: let other tasks run between them.
            await asyncio.sleep(0)
        while not self._waiting:
            try:
                piece = await anext(self._pieces)
            except StopAsyncIteration:
                return None
            self._unread_bytes += len(piece)
            self._hold.resize(self._unread_bytes)
            events = self._events.feed(piece)
            if events:
                # Events of another type than `message` do not belong to MCP; an event without data only
                # carries an id.
                self._waiting.extend(e.data for e in events if e.type == b"message" and e.data)
                # The incomplete event after them is at most as large as this piece.
                self._unread_bytes = sum(map(len, self._waiting)) + len(piece)
                self._hold.resize(self._unread_bytes)
        return [self._waiting.popleft()]

    async def _whole(self, length: int | None, limit: int) -> list[bytes]:
        """Read a body to its end; a long one counts towards the memory bound."""
        if length is not None and length <= BufferBound.UNCOUNTED_BYTES:
            return [await self._connection.body()]
        if length is not None and length > limit:
            raise too_large(self._name, limit)
        pieces, size = [], 0
        async for piece in self._connection.chunks():
            size += len(piece)
            if size > limit:
                raise too_large(self._name, limit)
            self._hold.resize(size)
            pieces.append(piece)
        return pieces

    async def _refusal(self, head: ResponseHead, kind: bytes, length: int | None) -> list[bytes]:
        """Return the JSON-RPC error in an error response, or raise a fault for the status."""
        if head.status < 300:
            raise broken(self._name, f"answered a request with HTTP status {head.status} and no JSON-RPC")
        if kind == _JSON and head.status not in (_UNAUTHORIZED, _FORBIDDEN, *_REDIRECTS):
            try:
                body = await self._whole(length, _MAX_REFUSAL_BYTES)
                error = read_message(b"".join(body), self._name).error
            except UpstreamFault as fault:
                raise HttpRefused(self._name, head.status) from fault
            if error:
                return body
        if path := path_led_to(head):
            # For an operator who reads the log. In a fault, the agent would take the path for remit's own
            # words.
            log.warning("upstream %s redirects to the path `%s`", self._name, path)
        raise HttpRefused(self._name, head.status)


def path_led_to(head: ResponseHead) -> str:
    """Return the path of a redirect, which mostly differs by a slash.

    The host is left out, because a reader could take it for remit's advice, and so is the query, which may
    contain a secret.
    """
    found = _LEADS_TO.match(head.get(b"location") or b"") if head.status in _REDIRECTS else None
    return found[1].decode("ascii") if found else ""


def session_lost(answer: HttpAnswer) -> bool:
    """Return whether a status means that the session is gone (2025-11-25, transports: after 404, open a new
    one).
    """
    return answer.head is not None and answer.head.status == _NOT_FOUND


def credential(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Return a leased credential as headers; raises `ConfigInvalid` for headers reserved to the adapter."""
    out = []
    for key, value in headers.items():
        name = key.lower().encode("utf-8")
        if name in _OWN_HEADERS or name.startswith(protocol_versions.PARAM_PREFIX):
            raise ConfigInvalid(
                f"a credential may not set the header `{key}`",
                remediation="use `authorization` or a custom header",
            )
        try:
            out.append((name, value.encode("latin-1")))
        except UnicodeEncodeError:
            raise ConfigInvalid(
                f"the credential for the header `{key}` has characters that are not permitted in a header"
            ) from None
    return out


def _type_and_length(head: ResponseHead) -> tuple[bytes, int | None]:
    kind, length = b"", None
    for name, value in head.headers:
        if name == b"content-type":
            kind = value if value == _JSON else value.partition(b";")[0].strip().lower()
        elif name == b"content-length":
            length = int(value)
    return kind, length
