# SPDX-License-Identifier: Apache-2.0
"""An HTTP API at an address: one request for each call, written from the decided arguments.

The API does not describe itself: its OpenAPI document, which belongs to the bundle, describes its operations.
No retries, no redirects, no cookies.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from remit.adapters.upstream.bounds import BufferBound, OnState, Reachability
from remit.adapters.upstream.client_tls import ClientCertificatePools, MakeTls
from remit.adapters.upstream.http1 import Connection, Limits, Pool, split_base_url
from remit.adapters.upstream.http_api.response import McpReplyExchange, PlainReplyExchange
from remit.adapters.upstream.mcp.http_response import credential
from remit.core.errors import Conflict, Malformed, NotFound, UpstreamUnreachable
from remit.core.json_value import Json
from remit.core.keys.sigv4 import Sign
from remit.core.tools.http_api import REQUEST, Api, WrittenRequest, write_request
from remit.ports.upstream import Call, Catalogue, Exchange, offered

log = logging.getLogger(__name__)

#: A download may be larger than what remit holds of it at any time; the call's time bounds its duration.
MAX_STREAMED_BYTES = 64 * 1024**3
_STOP_S = 2.0
#: W3C Trace Context: the only metadata of a call that remit forwards.
_TRACE = ("traceparent",)


class HttpApi:
    """`ports.upstream.HttpUpstream` over HTTP/1.1.

    `on_state(name, up)` is called when the upstream becomes unreachable, and when it answers again. Times in
    seconds: `call_timeout_s` bounds the silence of a call. `tls` verifies the server of an https address. A
    call carries the credential of its lease, and no other.
    """

    def __init__(
        self,
        name: str,
        url: str,
        api: Api,
        *,
        bound: BufferBound,
        max_result_bytes: int = 64 * 1024 * 1024,
        max_connections: int = 64,
        connect_timeout_s: float = 10.0,
        call_timeout_s: float = 300.0,
        tls: MakeTls | None = None,
        on_state: OnState | None = None,
    ) -> None:
        """Start without connections; raises `ConfigInvalid` for an unusable address."""
        self.name = name
        self.bound = bound
        origin, path = split_base_url(url)
        self._below = path.rstrip(b"/")
        self.base = f"{origin}{self._below.decode('ascii')}"
        limits = Limits(
            max_body_bytes=MAX_STREAMED_BYTES,
            connect_timeout_s=connect_timeout_s,
            header_timeout_s=call_timeout_s,
            idle_timeout_s=call_timeout_s,
            max_connections=max_connections,
        )
        self._pool = Pool(origin, limits=limits, ssl_context=tls() if tls is not None else None)
        self._shown = ClientCertificatePools(origin, limits, tls) if tls is not None else None
        self._max_result_bytes = max_result_bytes
        self._reachability = Reachability(name, on_state)
        self.api = api
        self.offer(api)

    def offer(self, api: Api) -> None:
        """Offer the operations of another document from now on."""
        self.api = api
        for what in api.left_out:
            log.warning("upstream `%s` does not offer an operation of its document: %s", self.name, what)

    async def start(
        self, on_change: Callable[[], None], on_notification: Callable[[str, Json], None]
    ) -> None:
        """Do nothing: the first call connects."""

    async def catalogue(self) -> Catalogue:
        """Return the operations of the document as tools."""
        return offered(self.api, self.name)

    async def prepare(self, call: Call, headers: dict[str, str]) -> Exchange:
        """Write a call and acquire a connection for it.

        Raises `NotFound` for an unknown operation, and `Malformed` for arguments that its request cannot
        carry.
        """
        route = self.api.routes.get(str(call.params.get("name")))
        if route is None or call.method not in (REQUEST, "tools/call"):
            raise NotFound(
                f"`{self.name}` does not have this operation",
                code="unknown-route",
                remediation="call an operation of its OpenAPI document",
            )
        if call.surface and call.surface != route.digest:
            # INVARIANT: a call decided under one document is never written under another.
            raise Conflict(
                f"`{self.name}/{route.name}` has changed since the decision",
                code="tool-changed",
                remediation="call again",
            )
        arguments = call.params.get("arguments", {})
        written = write_request(self.api, route, arguments)
        sent = list(written.headers)
        sent += [
            (name.encode("ascii"), value.encode("ascii"))
            for name in _TRACE
            if isinstance(value := call.meta.get(name), str)
        ]
        lease = credential(headers) if headers else []
        if call.sign is not None:
            lease += credential(self._signed(call.sign, written))
        own = {name.lower() for name, _ in lease}
        if taken := [name for name, _ in sent if name in own]:
            # INVARIANT: no argument takes the place of the credential.
            raise Malformed(
                f"`{taken[0].decode('ascii')}` carries the credential of the upstream",
                code="credential-header",
                remediation="remove it from the OpenAPI document",
            )
        self.bound.admit()
        connection = await self._acquire(call)
        kind = PlainReplyExchange if call.method == REQUEST else McpReplyExchange
        return kind(
            self,
            connection,
            route,
            (written.method, self._below + written.target, [*sent, *lease], written.body),
            asked=written.target.partition(b"?")[0].decode("ascii"),
            max_result_bytes=self._max_result_bytes,
            task=call.task,
        )

    def _signed(self, sign: Sign, written: WrittenRequest) -> dict[str, str]:
        meant = {
            name.decode("ascii"): value.decode("latin-1")
            for name, value in written.headers
            if name.startswith(b"x-amz-")
        }
        url = self.base + written.target.decode("ascii")
        return sign(written.method.decode("ascii"), url, meant, written.body)

    async def _acquire(self, call: Call) -> Connection:
        pool = self._pool
        if call.certificate is not None:
            if self._shown is None:
                raise UpstreamUnreachable(
                    f"upstream `{self.name}` has no TLS for the client certificate",
                    remediation="use an https `url`",
                )
            pool = await self._shown.of(call.task, call.lease, call.certificate)
        try:
            return await pool.acquire()
        except UpstreamUnreachable as fault:
            self._reachability.tell(False, fault)
            raise

    def reached(self) -> None:
        """Record that the upstream answers."""
        self._reachability.tell(True)

    async def end_task(self, task: str) -> None:
        """Cut the connections that present the task's certificate."""
        if self._shown is not None:
            await self._shown.end_task(task)

    async def stop(self) -> None:
        """Cut every connection."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await self._pool.close()
                if self._shown is not None:
                    await self._shown.close()
