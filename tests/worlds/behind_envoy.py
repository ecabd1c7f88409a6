# SPDX-License-Identifier: Apache-2.0
"""The world of the MCP endpoint with a listener for Envoy, and upstreams to which Envoy sends requests."""

import json
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from grpclib.client import Channel, UnaryUnaryMethod

from remit.api.spiffe.socket_path import MODES, bind
from remit.gateway.ext_authz.assembly import ext_authz_listener
from remit.gateway.ext_authz.messages import CHECK, message
from remit.gateway.mcp import McpLimits
from remit.services.authzen.declared_mapping import NoExpressions
from tests.worlds.mcp_endpoint import BASIC, LEGACY, GatewayWorld, gateway_world

Json = Any


@asynccontextmanager
async def asked_world(folder: Path, **settings: Json) -> AsyncIterator[tuple[GatewayWorld, Path]]:
    """Open the world with its listener; gives the world and the listener's socket."""
    limits = settings.pop("limits", None) or McpLimits()
    http = settings.pop("http", False)
    resources, expressions = settings.pop("resources", ()), settings.pop("expressions", NoExpressions())
    # The path of a socket is short.
    place = Path(tempfile.mkdtemp(prefix="remit-envoy-"))
    try:
        async with gateway_world(folder, limits, **settings) as world:
            listener = ext_authz_listener(
                world.services,
                ("files", "notes"),
                resources,
                expressions=expressions,
                limits=limits,
                http=http,
            )
            await listener.on_socket(bind(place / "ask.sock", MODES["user"]))
            try:
                yield world, place / "ask.sock"
            finally:
                await listener.close()
    finally:
        shutil.rmtree(place)


def upstream_ports(world: GatewayWorld) -> dict[str, int]:
    """Return the ports of the world's upstreams."""
    found = {name: urlsplit(app.url).port for name, app in (("files", world.files), ("notes", world.notes))}
    return {name: port for name, port in found.items() if port is not None}


def a_call(arguments: Json = None, name: str = "echo", **more: Json) -> Json:
    """Return a call of a tool as a client of 2025-11-25 makes it."""
    params = {"name": name, "arguments": {"text": "ok"} if arguments is None else arguments}
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params, **more}


class Asked:
    """A proxy that asks on a socket, whatever it was sent; without a proxy's own checks."""

    def __init__(self, token: str, place: Path | tuple[str, int], tls: ssl.SSLContext | None = None) -> None:
        self._token = token
        if isinstance(place, Path):
            self._channel = Channel(path=str(place))
        else:
            self._channel = Channel(*place, ssl=tls)
        self._method: Any = UnaryUnaryMethod(
            self._channel, CHECK, message("CheckRequest"), message("CheckResponse")
        )

    async def __call__(
        self,
        content: Json = None,
        headers: dict[str, str] | None = None,
        *,
        raw: list[tuple[str, str]] | None = None,
        path: str = "/mcp/files",
        method: str = "POST",
        size: int = 0,
        pinned: str = "",
        within_s: float = 30,
    ) -> Json:
        """Ask about one request; `raw` are headers that may repeat. Gives the `CheckResponse`."""
        body = content if isinstance(content, bytes) else json.dumps(content or a_call()).encode()
        asked = message("CheckRequest")()
        http = asked.attributes.request.http
        http.method, http.path, http.raw_body, http.size = method, path, body, size
        given = {
            **BASIC,
            "authorization": f"Bearer {self._token}",
            "content-length": str(len(body)),
            "mcp-protocol-version": LEGACY,
            "x-envoy-auth-partial-body": "false",
        } | (headers or {})
        for name, value in [*given.items(), *(raw or [])]:
            if value:
                http.header_map.headers.add(key=name, raw_value=value.encode("latin-1"))
        if pinned:
            asked.attributes.context_extensions["upstream"] = pinned
        return await self._method(asked, timeout=within_s)

    def close(self) -> None:
        """Hang up."""
        self._channel.close()


def said(answer: Json) -> tuple[int, int, str]:
    """Return the HTTP status, the JSON-RPC code and remit's code of a refusal; raise for a permit."""
    assert answer.status.code, answer
    error = json.loads(answer.denied_response.body)["error"]
    return answer.denied_response.status.code, error["code"], error["data"]["code"]
