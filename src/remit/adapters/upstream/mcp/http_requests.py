# SPDX-License-Identifier: Apache-2.0
"""HTTP requests to an upstream beside its calls: remit's own requests, background messages, followed
streams.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from itertools import count
from typing import Any

from remit.adapters.upstream.bounds import BufferBound, Reachability
from remit.adapters.upstream.http1 import Connection, Limits, Origin, Pool, ResponseHead
from remit.adapters.upstream.mcp import protocol_versions
from remit.adapters.upstream.mcp.http_call import Headers, HttpSession
from remit.adapters.upstream.mcp.http_response import HttpAnswer, HttpRefused, SessionLost, session_lost
from remit.adapters.upstream.mcp.jsonrpc import (
    NOT_OFFERED,
    Message,
    broken,
    read_message,
    read_value,
    stream_ended,
    write_request,
    write_response,
)
from remit.core.errors import RemitError, UpstreamFault, UpstreamUnreachable
from remit.core.json_value import Json
from remit.ports.upstream import LIST_CHANGED

log = logging.getLogger(__name__)

MAX_BACKGROUND = 256
#: The largest notification that is accepted outside of a call.
MAX_EVENT_BYTES = 1024 * 1024
_DRAIN_S = 1.0
# A stream has no size limit; its silence is bounded, so that a dead stream is detected.
_STREAM_BYTES = 2**62
_STREAM_SILENCE_S = 3600.0


class HttpPosts:
    """One endpoint: its connections, and the requests that are not an agent's calls."""

    def __init__(
        self,
        name: str,
        origin: Origin,
        target: bytes,
        *,
        credential: Headers,
        limits: Limits,
        stream_limits: Limits,
        tls: Any,
        bound: BufferBound,
        max_result_bytes: int,
        ask_timeout_s: float,
        reachability: Reachability,
    ) -> None:
        """Start without connections."""
        self.name = name
        self.target = target
        self.bound = bound
        self.max_result_bytes = max_result_bytes
        self.counts: Counter[str] = Counter()
        self.ids = count(1)
        self.credential = credential
        self.reachability = reachability
        self.on_change: Callable[[], None] = lambda: None
        self.on_notification: Callable[[str, Json], None] = lambda method, params: None
        self.on_lost: Callable[[], None] = lambda: None
        self._ask_timeout_s = ask_timeout_s
        self.pool = Pool(origin, limits=limits, ssl_context=tls)
        self.streams = Pool(origin, limits=stream_limits, ssl_context=tls)
        self._background: set[asyncio.Task[None]] = set()
        self.followed: dict[tuple[str, str], asyncio.Task[None]] = {}

    def reached(self) -> None:
        """Record that the upstream answers."""
        if not self.reachability.up:
            self.reachability.tell(True)

    async def acquire(self, pool: Pool) -> Connection:
        """Acquire a connection; record the upstream as unreachable if that fails."""
        try:
            return await pool.acquire()
        except UpstreamUnreachable as fault:
            self.reachability.tell(False, fault)
            self.on_lost()
            raise

    def answer(self, connection: Connection) -> HttpAnswer:
        """Return a reader for the response on a connection."""
        return HttpAnswer(connection, self.name, self.bound, self.max_result_bytes)

    async def ask(
        self,
        method: str,
        params: dict[str, Json],
        version: str,
        session: HttpSession | None,
        credential: Headers,
    ) -> tuple[Message, ResponseHead]:
        """Send one of remit's own requests.

        Raises `UpstreamUnreachable`, with code `upstream-timeout` after the time limit.
        """
        request_id = next(self.ids)
        headers = [*protocol_versions.http_headers(version, method, params), *credential]
        if session is not None and session.id is not None:
            headers.append((protocol_versions.SESSION_HEADER, session.id))
        body = write_request(request_id, method, params)
        try:
            async with asyncio.timeout(self._ask_timeout_s):
                return await self._ask(body, request_id, headers, session)
        except TimeoutError:
            raise UpstreamUnreachable(
                f"upstream `{self.name}` did not answer `{method}` within {self._ask_timeout_s:g} s",
                sent=True,
                remediation="check its log",
                code="upstream-timeout",
            ) from None

    async def _ask(
        self, body: bytes, request_id: int, headers: Headers, session: HttpSession | None
    ) -> tuple[Message, ResponseHead]:
        connection = await self.acquire(self.pool)
        answer = self.answer(connection)
        try:
            connection.send(b"POST", self.target, headers, body)
            while True:
                try:
                    pieces = await answer.next()
                except HttpRefused:
                    self._look_at_session(answer, session)
                    raise
                self._look_at_session(answer, session)
                assert answer.head is not None
                self.reached()
                if pieces is None:
                    raise stream_ended(self.name)
                message = read_message(b"".join(pieces), self.name)
                if not message.method:
                    if message.id != request_id and not (message.error and answer.head.status != 200):
                        raise broken(self.name, "answered another request than it was sent")
                    if answer.streaming:
                        with contextlib.suppress(RemitError):
                            async with asyncio.timeout(_DRAIN_S):
                                await answer.drain()
                    return message, answer.head
                self.notified(message, session)
        finally:
            answer.forget()
            connection.release()

    def _look_at_session(self, answer: HttpAnswer, session: HttpSession | None) -> None:
        if session is not None and session.id is not None and session_lost(answer):
            raise SessionLost(self.name)

    def notified(self, message: Message, session: HttpSession | None) -> None:
        """Handle a message that belongs to no call: pass notifications on, refuse requests."""
        method = message.method
        if message.id is not None:
            if session is not None:
                ping = method == protocol_versions.PING
                body = write_response(message.id, b"{}" if ping else NOT_OFFERED, error=not ping)
                self.post_later(body, [*session.headers(), *session.credential])
        elif method in LIST_CHANGED:
            self.on_notification(method, {})
            self.on_change()
        elif method == protocol_versions.RESOURCE_UPDATED:
            with contextlib.suppress(UpstreamFault):
                self.on_notification(
                    method, protocol_versions.without_meta(read_value(message.params, self.name))
                )
        else:
            self.counts["unattributed"] += 1

    # Background work.

    def post_later(self, body: bytes, headers: Headers) -> None:
        """Send a notification or a response in the background, if possible."""
        self.later(self.post(body, headers))

    async def post(self, body: bytes, headers: Headers, method: bytes = b"POST") -> int:
        """Send a message that has no answer; return the HTTP status."""
        async with asyncio.timeout(self._ask_timeout_s):
            connection = await self.acquire(self.pool)
            try:
                connection.send(method, self.target, headers, body)
                head = await connection.head()
                await connection.body()
                return head.status
            finally:
                connection.release()

    def drain_later(self, answer: HttpAnswer, connection: Connection) -> None:
        """Read the rest of a stream in the background, then give its connection back."""

        async def drain() -> None:
            try:
                async with asyncio.timeout(_DRAIN_S):
                    await answer.drain()
            finally:
                connection.release()

        if not self.later(drain()):
            connection.release()

    def later(self, work: Coroutine[Any, Any, object]) -> bool:
        """Run work in the background; its failures are only logged. Returns False if too much is running
        already.
        """
        if len(self._background) >= MAX_BACKGROUND:
            self.counts["dropped"] += 1
            work.close()
            return False

        async def run() -> None:
            try:
                await work
            except (RemitError, TimeoutError) as fault:
                log.debug("upstream %s: %s", self.name, fault)

        task = asyncio.create_task(run())
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return True

    # Streams.

    async def follow(self, answer: HttpAnswer, connection: Connection, session: HttpSession | None) -> None:
        """Handle notifications from a stream until it ends; raises the fault that ends it out of order."""
        try:
            while (pieces := await answer.next()) is not None:
                self.reached()
                message = read_message(b"".join(pieces), self.name)
                if not message.method:
                    return  # a modern server ends a subscription with a response
                self.notified(message, session)
        finally:
            answer.forget()
            connection.release()

    async def open_stream(
        self, method: bytes, headers: Headers, body: bytes = b""
    ) -> tuple[HttpAnswer, Connection] | None:
        """Open a stream of notifications; return None if the server offers none. Raises `SessionLost`."""
        connection = await self.acquire(self.streams)
        kept = False
        try:
            answer = HttpAnswer(connection, self.name, self.bound, MAX_EVENT_BYTES)
            connection.send(method, self.target, headers, body)
            head = await connection.head()
            self.reached()
            kind = head.get(b"content-type") or b""
            if head.status == 200 and kind.lower().startswith(b"text/event-stream"):
                kept = True
                return answer, connection
            return None
        finally:
            if not kept:
                connection.release()

    def keep_following(self, key: tuple[str, str], follow: Callable[[], Awaitable[object]]) -> None:
        """Follow a stream for a task; it replaces the stream that was followed under this key."""
        self.unfollow(key)

        async def run() -> None:
            with contextlib.suppress(RemitError):
                await follow()

        def forget(ended: asyncio.Task[None]) -> None:
            if self.followed.get(key) is ended:
                del self.followed[key]

        task = self.followed[key] = asyncio.create_task(run())
        task.add_done_callback(forget)

    def unfollow(self, key: tuple[str, str]) -> None:
        """Stop following the stream under this key."""
        task = self.followed.pop(key, None)
        if task is not None:
            task.cancel()

    async def close(self, patience_s: float) -> None:
        """Wait up to `patience_s` for background work, then cut every connection."""
        if self._background:
            _, late = await asyncio.wait(tuple(self._background), timeout=patience_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self.pool.close()
        await self.streams.close()


def stream_limits(limits: Limits, max_streams: int) -> Limits:
    """Return the limits for streams that are followed until they end."""
    return Limits(
        max_body_bytes=_STREAM_BYTES,
        connect_timeout_s=limits.connect_timeout_s,
        header_timeout_s=_STREAM_SILENCE_S,
        idle_timeout_s=_STREAM_SILENCE_S,
        max_connections=max_streams,
    )
