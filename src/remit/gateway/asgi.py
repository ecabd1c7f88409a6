# SPDX-License-Identifier: Apache-2.0
"""What all endpoints share of ASGI: whole responses, bounded bodies, and a limit on requests in progress."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any, Final

from remit.core.errors import Busy, Malformed
from remit.services.limits.client_address import PLACE, PROXIES, Proxies
from remit.services.limits.deadlines import Deadlines
from remit.services.limits.request_bodies import BODY, Bodies

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
HeaderLines = tuple[tuple[bytes, bytes], ...]

#: Scope key of a function that waits until the connection accepts more data, so that the next write happens
#: at once.
ROOM: Final = "remit.room"
#: Key under which the scope of a request may hold a `Transfer`, and one that it has once the connection has
#: gone.
TRANSFER: Final = "remit.transfer"
TRANSFERRED: Final = "remit.transferred"
Transfer = Callable[[str, Callable[[bytes], bytes]], Awaitable[bool]]
"""Has the worker of this machine at a socket serve a request, and all that follows on its connection; returns
whether it does. If not, nothing has changed. The second argument writes the header over the bytes that were
received since the request began.
"""
JSON_TYPE: Final = (b"content-type", b"application/json")
NO_STORE: Final = (b"cache-control", b"no-store")
#: Larger bodies are sent in pieces: the server accepts a piece of any size at once, and only the next piece
#: waits for the client. A piece that has been sent can no longer be withheld, even if the task ends.
PIECE_BYTES: Final = 65_536


async def respond(send: Send, status: int, body: bytes, headers: HeaderLines = ()) -> None:
    """Send one whole response; a body is JSON unless `headers` state another type."""
    head = [NO_STORE, (b"content-length", b"%d" % len(body)), *headers]
    if body and not any(name == b"content-type" for name, _ in headers):
        head.append(JSON_TYPE)
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send_body(send, body)


async def send_body(send: Send, body: bytes, before: bytes = b"", after: bytes = b"") -> None:
    """Send the body of a response at the client's pace: `before`, `body`, `after`."""
    if len(body) <= PIECE_BYTES:
        await send({"type": "http.response.body", "body": before + body + after})
        return
    if before:
        await send({"type": "http.response.body", "body": before, "more_body": True})
    for start in range(0, len(body), PIECE_BYTES):
        piece = body[start : start + PIECE_BYTES]
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        # A client that takes it at once leaves nothing to wait for.
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": after})


def refused_header(code: str) -> tuple[bytes, bytes]:
    """Return the header that only remit's own refusals have: no answer of an upstream is taken for one."""
    return b"remit-refused", code.encode("ascii", "replace")


def raw_path(scope: Scope) -> bytes:
    """Return the path exactly as it was sent, without the query."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    return path


def with_nonce(send: Send, nonce: bytes) -> Send:
    """Return a `send` that adds the nonce for the client's next proof to the answer (RFC 9449 section
    8.2).
    """

    async def told(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"dpop-nonce", nonce)]
        await send(message)

    return told


async def read_body(receive: Receive, *, max_bytes: int, timeout_s: float, alarms: Deadlines) -> bytes:
    """Read a request's body; raise `Malformed` with the code `too-large`, `body-timeout` or `broken-off`."""
    parts: list[bytes] = []
    size = 0
    try:
        # The timeout includes the first piece: an announced body may never arrive.
        with alarms.within(timeout_s):
            while True:
                if size > max_bytes:
                    raise too_large(max_bytes)
                part = await receive()
                if part["type"] == "http.disconnect":
                    raise Malformed("the request was aborted", code="broken-off")
                parts.append(part.get("body", b""))
                size += len(parts[-1])
                if not part.get("more_body", False):
                    break
    except TimeoutError:
        raise Malformed("the body did not arrive in time", code="body-timeout") from None
    if size > max_bytes:
        raise too_large(max_bytes)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def check_length(length: bytes, max_bytes: int) -> None:
    """Refuse a body whose announced length is over the limit; raise `Malformed`."""
    if length and (not length.isdigit() or int(length[:20]) > max_bytes):
        raise too_large(max_bytes)


def too_large(max_bytes: int) -> Malformed:
    """Return the error for a body that is over its limit."""
    return Malformed(
        f"the body is over the limit of {max_bytes} bytes",
        code="too-large",
        remediation="send less at once; `limits.max_request_bytes` in remit.yaml is the limit of calls",
    )


class RequestsInProgress:
    """Counts requests in progress over all endpoints that share it, so that one agent cannot block all
    others.
    """

    def __init__(self, *, most: int, most_of_agent: int) -> None:
        """Start with no arguments."""
        self._most = most
        self._most_of_agent = most_of_agent
        self.count = 0
        self._by_agent: Counter[str] = Counter()

    def check(self) -> None:
        """Raise `Busy` if there are too many."""
        if self.count > self._most:
            raise Busy("too many requests are in progress")

    def add(self, agent: str) -> None:
        """Count a request of an agent; raise `Busy` if it has too many. It is counted in either case."""
        self._by_agent[agent] += 1
        if self._by_agent[agent] > self._most_of_agent:
            raise Busy("this agent has too many requests in progress")

    def remove(self, agent: str) -> None:
        """Stop counting a request of an agent."""
        self._by_agent[agent] -= 1
        if not self._by_agent[agent]:
            del self._by_agent[agent]


def counting(inner: Application, bodies: Bodies, proxies: Proxies | None = None) -> Application:
    """Wrap all endpoints: record where requests come from, and count their bodies until the answer."""
    known = proxies or Proxies()

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await inner(scope, receive, send)
            return
        client = scope.get("client")
        place = scope[PLACE] = known.place(client[0] if client else "", scope["headers"])
        scope[PROXIES] = known
        body = scope[BODY] = bodies.begin(place)

        async def counted() -> MutableMapping[str, Any]:
            message = await receive()
            if piece := message.get("body"):
                body.arrived(piece)
            return message

        try:
            await inner(scope, counted, send)
        finally:
            body.end()

    return serve


def foreign(values: Mapping[str, str], twice: Collection[str], own: Collection[str]) -> bool:
    """Return whether a page of another origin made the request (DNS rebinding, cross-site calls).

    `own` are the permitted origins, or URLs below them.
    """
    origin = values.get("origin")
    return origin is not None and ("origin" in twice or origin.lower() not in {origin_of(one) for one in own})


def origin_of(url: str) -> str:
    """Return the origin of a URL."""
    scheme, _, rest = url.lower().partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"
