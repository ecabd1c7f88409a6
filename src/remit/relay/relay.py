# SPDX-License-Identifier: Apache-2.0
"""The local relay: the gateway's endpoints on the loopback interface, without a secret, for one process tree.

A request is forwarded only if all conditions hold: the connection comes from a descendant of this process (if
the system can tell), `Host` names this address and no `Origin` names another (DNS rebinding), and the path is
the one given to the child. It is then sent to the gateway with the task's token. An Authorization header of
the child is never forwarded.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import re
import secrets
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from aiohttp import web

from remit.relay import process_tree
from remit.relay.api import pour, read_whole, relay_api
from remit.relay.usage import PATH, relay_usage
from remit_sdk.errors import AgentFault, GatewayRefused
from remit_sdk.gateway_client import REFUSED, WAIT_HEADER, GatewayClient, GatewayReply

Json = Any

HOST: Final = "127.0.0.1"
#: Kept in memory to send it again after a refused token; the gateway's limit is lower.
MAX_REQUEST_BYTES: Final = 16 * 1024 * 1024
#: Seconds that open answers get before they are cut; 0 would wait for their end.
CUT_S: Final = 0.1
METHODS: Final = ("GET", "POST", "DELETE")
#: Request headers to forward to the gateway, besides `Mcp-*`.
PASSED_ON: Final = frozenset({"accept", "content-type", "last-event-id", WAIT_HEADER})
#: Answer headers to return to the child, besides `Mcp-*`; not `WWW-Authenticate`, or the client would start a
#: login.
PASSED_BACK: Final = frozenset(
    {"content-type", "content-encoding", "cache-control", "allow", "retry-after", REFUSED.lower()}
)
_UPSTREAM: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class Relay:
    """A listening relay. It calls `notice` once for each kind of refusal, with one line for people."""

    def __init__(
        self,
        gateway: GatewayClient,
        *,
        only_descendants: bool,
        upstream: str = "",
        notice: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Keep the gateway client; with `upstream` only that upstream is served."""
        self._gateway = gateway
        self._guarded = only_descendants and process_tree.CAN_TELL
        self._upstream = upstream
        self._notice = notice
        self._noticed: set[str] = set()
        self._known: WeakKeyDictionary[asyncio.BaseTransport, bool] = WeakKeyDictionary()
        self._path = secrets.token_hex(16)
        self._web = web.Server(self._serve, handler_cancellation=True, access_log=None, auto_decompress=False)
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """The URL for the child; a process that knows it and passes the other checks acts as the task."""
        return f"http://{HOST}:{self._port}/{self._path}/mcp"

    @property
    def api_url(self) -> str:
        """The URL for the child below which HTTP APIs are, each under the name of its upstream."""
        return f"http://{HOST}:{self._port}/{self._path}/http"

    @property
    def usage_url(self) -> str:
        """The URL for the child to which it reports its model calls: OTLP over HTTP, traces."""
        return f"http://{HOST}:{self._port}/{self._path}/{PATH}"

    async def start(self) -> str:
        """Listen, and return the URL."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._web, HOST, 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self.url

    async def close(self) -> None:
        """Stop listening and cut open answers."""
        if self._server is not None:
            self._server.close()
        await self._web.shutdown(CUT_S)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        refusal = self._refusal(request)
        if refusal is not None:
            status, why = refusal
            self._tell(why)
            return _error(status, "relay", why)
        if (asked := self._asked_api(request.raw_path)) is not None:
            return await relay_api(self._gateway, request, *asked, self.api_url)
        if self._is_usage(request.path):
            return await relay_usage(self._gateway, request)
        upstream = self._wanted(request.path)
        if upstream is None:
            what = "no resource at this path; use the given address, or `/UPSTREAM` below it"
            return _error(404, "no-such-path", what)
        if request.method not in METHODS:
            return _error(405, "method", "use GET, POST or DELETE")
        if request.headers.get("Content-Encoding", "identity") != "identity":
            return _error(415, "content-encoding", "the body is compressed; send it uncompressed")
        body = await read_whole(request, MAX_REQUEST_BYTES)
        if body is None:
            return _error(413, "too-large", f"the body is over {MAX_REQUEST_BYTES} bytes; send less at once")
        try:
            headers = _passed_on(request)
            answer = await self._gateway.send(request.method, upstream, headers, body or None)
        except GatewayRefused as fault:
            return _error(fault.status if fault.status in (401, 403, 404) else 403, fault.code, str(fault))
        except AgentFault as fault:
            # Whether the gateway received the call is unknown, so it is not sent again.
            return _error(502, "gateway-unreachable", str(fault))
        return await _give_back(request, answer)

    def _refusal(self, request: web.BaseRequest) -> tuple[int, str] | None:
        """Return the reason to refuse a request regardless of its path; None if there is none."""
        hosts = {f"{name}:{self._port}" for name in (HOST, "localhost")}
        if request.headers.getall("Host", []) not in [[host] for host in hosts]:
            return 421, "the Host header names another host"
        origins = request.headers.getall("Origin", [])
        if any(origin not in {f"http://{host}" for host in hosts} for origin in origins):
            return 403, "the request comes from another origin"
        if self._guarded and not self._from_descendant(request.transport):
            return 403, "the connection is not from the process that remit started, nor from a child of it"
        return None

    def _from_descendant(self, transport: asyncio.BaseTransport | None) -> bool:
        if transport is None:
            return False
        known = self._known.get(transport)
        if known is None:
            peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
            known = bool(peer and own) and process_tree.descends(os.getpid(), peer, own)
            self._known[transport] = known
        return known

    def _is_usage(self, path: str) -> bool:
        first, _, rest = path.removeprefix("/").partition("/")
        return rest == PATH and hmac.compare_digest(first.encode(), self._path.encode())

    def _wanted(self, path: str) -> str | None:
        """Return the upstream that a path names (empty: all), or None for a path that is not the relay's."""
        first, _, rest = path.removeprefix("/").partition("/")
        if not hmac.compare_digest(first.encode(), self._path.encode()):
            return None
        if rest == "mcp":
            return self._upstream
        name = rest.removeprefix("mcp/")
        if name == rest or not _UPSTREAM.fullmatch(name) or (self._upstream and name != self._upstream):
            return None
        return name

    def _asked_api(self, target: str) -> tuple[str, str] | None:
        """Return the upstream of an HTTP API that a target names, and the rest of the target as it was
        sent.
        """
        first, _, rest = target.removeprefix("/").partition("/")
        if not hmac.compare_digest(first.encode(), self._path.encode()) or not rest.startswith("http/"):
            return None
        name = re.split(r"[/?]", rest.removeprefix("http/"), maxsplit=1)[0]
        if not _UPSTREAM.fullmatch(name) or (self._upstream and name != self._upstream):
            return None
        return name, rest.removeprefix(f"http/{name}") or "/"

    def _tell(self, why: str) -> None:
        if why not in self._noticed:
            self._noticed.add(why)
            self._notice(f"the relay refused a request: {why}")


def _passed_on(request: web.BaseRequest) -> dict[str, str]:
    out: dict[str, str] = {}
    for name, value in request.headers.items():
        lower = name.lower()
        if lower in PASSED_ON or lower.startswith("mcp-"):
            if lower in out:
                # Two values are ambiguous: two parsers could read them differently.
                raise GatewayRefused(f"the header `{name[:60]}` is given twice", status=403, code="headers")
            out[lower] = value
    return out


async def _give_back(request: web.BaseRequest, answer: GatewayReply) -> web.StreamResponse:
    """Stream an answer to the child at the child's pace; a broken answer also ends incomplete for the
    child.
    """
    async with answer.response:
        if 300 <= answer.status < 400:
            return _error(502, "redirect", "the gateway answered with a redirect; use the final address")
        back = web.StreamResponse(status=answer.status)
        for name, value in answer.headers.items():
            if name.lower() in PASSED_BACK or name.lower().startswith("mcp-"):
                back.headers.add(name, value)
        if answer.body is not None:
            back.content_length = len(answer.body)
        elif "Content-Length" in answer.headers:
            back.content_length = int(answer.headers["Content-Length"])
        await pour(request, answer, back)
        return back


def _error(status: int, code: str, message: str) -> web.Response:
    """Return a JSON-RPC error without an ID, which MCP clients show as the reason."""
    error: Json = {"code": -32000, "message": message, "data": {"code": code}}
    text = json.dumps({"jsonrpc": "2.0", "id": None, "error": error})
    return web.Response(status=status, text=text, content_type="application/json")
