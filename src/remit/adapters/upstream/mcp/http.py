# SPDX-License-Identifier: Apache-2.0
"""An MCP server at an address, over streamable HTTP: one POST for each call.

A legacy server gets a session for each task; a modern one keeps none. See docs/explanation/upstreams.md.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable, Mapping

from remit.adapters.upstream.bounds import Backoff, BufferBound, OnState, Reachability
from remit.adapters.upstream.http1 import Connection, Limits, split_base_url
from remit.adapters.upstream.mcp import protocol_versions
from remit.adapters.upstream.mcp.catalogue import ask_for_all
from remit.adapters.upstream.mcp.http_call import Headers, HttpExchange, HttpSession, ListenHttpExchange
from remit.adapters.upstream.mcp.http_requests import stream_limits
from remit.adapters.upstream.mcp.http_response import HttpAnswer, SessionLost, credential
from remit.adapters.upstream.mcp.http_sessions import HttpSessions
from remit.adapters.upstream.mcp.jsonrpc import write_request
from remit.adapters.upstream.mcp.local_call import LocalExchange
from remit.core.errors import RemitError, UpstreamFault
from remit.core.json_value import Json
from remit.ports.runtime import Entropy
from remit.ports.upstream import Call, Catalogue, Exchange

log = logging.getLogger(__name__)

_STOP_S = 2.0


class McpHttp(HttpSessions):
    """`ports.upstream.Upstream` over streamable HTTP.

    `headers` is the credential for remit's own requests (handshake, lists, notifications); a call carries
    only the credential of its lease. `on_state(name, up)` is called when the upstream becomes unreachable,
    and when it answers again. Times in seconds: `call_timeout_s` bounds the silence of a call,
    `ask_timeout_s` a request of remit's own. With `probe=False` only the legacy handshake is tried.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        entropy: Entropy,
        bound: BufferBound,
        headers: Mapping[str, str] | None = None,
        max_result_bytes: int = 64 * 1024 * 1024,
        max_connections: int = 64,
        max_streams: int = 64,
        connect_timeout_s: float = 10.0,
        call_timeout_s: float = 300.0,
        ask_timeout_s: float = 30.0,
        retry_base_s: float = 0.5,
        retry_max_s: float = 60.0,
        ssl_context: ssl.SSLContext | None = None,
        probe: bool = True,
        on_state: OnState | None = None,
    ) -> None:
        """Start without connections; raises `ConfigInvalid` for an unusable address."""
        origin, target = split_base_url(url, query=True)
        limits = Limits(
            # A stream carries notifications beside its result; each event has its own bound.
            max_body_bytes=2 * max_result_bytes + 16 * 1024 * 1024,
            connect_timeout_s=connect_timeout_s,
            header_timeout_s=call_timeout_s,
            idle_timeout_s=call_timeout_s,
            max_connections=max_connections,
        )
        super().__init__(
            name,
            origin,
            target,
            credential=credential(dict(headers or {})),
            limits=limits,
            stream_limits=stream_limits(limits, max_streams),
            tls=ssl_context,
            bound=bound,
            max_result_bytes=max_result_bytes,
            ask_timeout_s=ask_timeout_s,
            reachability=Reachability(name, on_state),
        )
        self.probe = probe
        self._backoff = Backoff(entropy, base_s=retry_base_s, max_s=retry_max_s)
        self._watching: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._own_stream: Connection | None = None
        self.on_lost = self._wake

    async def start(
        self, on_change: Callable[[], None], on_notification: Callable[[str, Json], None]
    ) -> None:
        """Connect and negotiate the protocol version.

        If this raises, the upstream is down, and remit retries with back-off until `stop`.
        """
        self.on_change, self.on_notification = on_change, on_notification
        try:
            await self.connected()
        finally:
            if not self.stopped:
                self._watching = asyncio.create_task(self._watch(), name=f"upstream {self.name}")

    async def catalogue(self) -> Catalogue:
        """Read every list now; retry once in a new session if the server has forgotten ours."""
        for last in (False, True):
            known = await self.connected()
            try:
                asked = await ask_for_all(self.ask_own, known, self.name)
            except SessionLost:
                self.known = self.own = None
                self._woken.set()
                if last:
                    raise
                continue
            self.param_headers = asked.param_headers
            return asked.catalogue
        raise AssertionError("unreachable")

    async def prepare(self, call: Call, headers: dict[str, str]) -> Exchange:
        """Serialise a call and acquire a connection for it, opening the task's session if needed."""
        known = self.known or await self.connected()
        self.bound.admit()
        lease = credential(headers) if headers else ()
        session: HttpSession | None = None
        if not known.modern:
            session = self.sessions.get(call.task) or await self.session_of(call.task, lease)
            session.credential = lease
            if call.log_level and call.log_level != session.log_level and known.offers("logging"):
                await self._set_level(session, call.log_level)
        elif call.method == protocol_versions.SUBSCRIBE:
            return await self._prepare_listening(call, lease)
        elif call.method == protocol_versions.UNSUBSCRIBE:
            key = (call.task, str(call.params.get("uri")))
            return LocalExchange(lambda: self.unfollow(key))
        request_id = next(self.ids)
        params = self.stamp.params(call, request_id)
        body = write_request(request_id, call.method, params)
        repeated: protocol_versions.ParamHeaders = ()
        if session is None and call.method == "tools/call":
            if self.param_headers is None:
                await self.catalogue()
            repeated = (self.param_headers or {}).get(call.params.get("name", ""), ())
        sent = protocol_versions.http_headers(known.version, call.method, call.params, repeated)
        if lease:
            sent = [*sent, *lease]
        if session is not None and session.id is not None:
            sent = [*sent, (protocol_versions.SESSION_HEADER, session.id)]
        connection = await self.acquire(self.pool)
        answer = HttpAnswer(connection, self.name, self.bound, self.max_result_bytes, task=call.task)
        exchange = HttpExchange(self, connection, answer, request_id, sent, body, session)
        if session is not None and call.method == protocol_versions.SUBSCRIBE:
            listening = session
            exchange.on_result = lambda: self._follow_session(call.task, listening)
        return exchange

    async def _set_level(self, session: HttpSession, level: str) -> None:
        try:
            await self.ask(
                protocol_versions.SET_LEVEL, {"level": level}, session.version, session, session.credential
            )
        except SessionLost:
            self.forget_session(session)
            raise
        session.log_level = level

    async def end_task(self, task: str) -> None:
        """End the task's session and subscriptions; never raises."""
        for key in [key for key in self.followed if key[0] == task]:
            self.unfollow(key)
        opening = self.opening.get(task)
        if opening is not None:
            await asyncio.wait((opening,))
        session = self.sessions.pop(task, None)
        if session is not None and session.id is not None:
            with contextlib.suppress(RemitError, TimeoutError):
                await self.delete(session)

    async def stop(self) -> None:
        """End every session, then cut every connection."""
        self.stopped = True
        running = [self._watching, self.connecting, *self.opening.values(), *self.followed.values()]
        tasks = [task for task in running if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        sessions = {id(s): s for s in (self.own, *self.sessions.values()) if s is not None and s.id}
        for session in sessions.values():
            self.later(self.delete(session))
        self.sessions.clear()
        self.own = None
        await self.close(_STOP_S)

    # Streams: remit's own, that of a task's session, and those of a modern task's subscriptions.

    async def _prepare_listening(self, call: Call, lease: Headers) -> Exchange:
        uri = str(call.params.get("uri"))
        request_id = next(self.ids)
        assert self.known is not None
        version = self.known.version
        params = protocol_versions.stamped({"notifications": {"resourceSubscriptions": [uri]}}, version)
        headers = [*protocol_versions.http_headers(version, protocol_versions.LISTEN, params), *lease]
        connection = await self.acquire(self.streams)
        answer = HttpAnswer(connection, self.name, self.bound, self.max_result_bytes, task=call.task)
        body = write_request(request_id, protocol_versions.LISTEN, params)
        exchange = ListenHttpExchange(self, connection, answer, request_id, headers, body, None)

        def keep(kept: HttpAnswer, over: Connection) -> None:
            self.keep_following((call.task, uri), lambda: self.follow(kept, over, None))
            # The connection is closed at the end of the task, whether or not following began.
            self.followed[call.task, uri].add_done_callback(lambda _: over.abort())

        exchange.keep = keep
        return exchange

    def _follow_session(self, task: str, session: HttpSession) -> None:
        if session.id is not None and (task, "") not in self.followed:
            self.keep_following((task, ""), lambda: self._follow_get(session))

    async def _follow_get(self, session: HttpSession) -> bool:
        """Follow a session's own stream (2025-11-25) until it ends; return False if the server offers
        none.
        """
        headers = [pair for pair in session.headers() if pair[0] not in (b"content-type", b"accept")]
        opened = await self.open_stream(
            b"GET", [*headers, (b"accept", b"text/event-stream"), *session.credential]
        )
        if opened is None:
            return False
        await self._follow_stream(session, *opened)
        return True

    async def _follow_own(self, known: protocol_versions.Handshake) -> bool:
        """Follow the list changes, which belong to no task. Return False if the server does not report
        them.
        """
        if not known.modern:
            own = self.own
            return own is not None and own.id is not None and await self._follow_get(own)
        if not known.changes():
            return False
        params = protocol_versions.stamped({"notifications": known.changes()}, known.version)
        headers = [
            *protocol_versions.http_headers(known.version, protocol_versions.LISTEN, params),
            *self.credential,
        ]
        body = write_request(next(self.ids), protocol_versions.LISTEN, params)
        opened = await self.open_stream(b"POST", headers, body)
        if opened is None:
            return False
        await self._follow_stream(None, *opened)
        return True

    async def _follow_stream(
        self, session: HttpSession | None, answer: HttpAnswer, connection: Connection
    ) -> None:
        if session is self.own:
            self._own_stream = connection
        await self.follow(answer, connection, session)

    def _wake(self) -> None:
        """Make the watch check again; if the server accepts no connections, its open stream is dead."""
        self._woken.set()
        if self._own_stream is not None:
            self._own_stream.abort()
            self._own_stream = None

    async def _watch(self) -> None:
        """Stay connected: follow the lists where the server offers it, and reconnect with back-off."""
        loop = asyncio.get_running_loop()
        missed = False
        while True:
            self._woken.clear()
            began = loop.time()
            try:
                known = await self.connected()
                if missed:
                    self.on_change()  # lists may have changed while no stream was followed
                    missed = False
                if not await self._follow_own(known):
                    await self._woken.wait()
                    self.known = self.own = None
            except RemitError as fault:
                log.info("upstream %s: %s", self.name, fault)
                # The next server to answer may be another one, of another era.
                self.known = self.own = None
                if not isinstance(fault, UpstreamFault):
                    self.reachability.tell(False, fault)
            missed = True
            if loop.time() - began > self._backoff.max_s:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.next_s())
