# SPDX-License-Identifier: Apache-2.0
"""Envoy's HTTP form of a check (`http_service`): it repeats the client's request, and the response decides.

The form knows less than gRPC: repeated headers arrive joined, the client's address not at all, and status 200
is always a permit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import httptools

from remit.core.errors import RemitError
from remit.gateway.asgi import HeaderLines
from remit.gateway.ext_authz.check_request import CheckedRequest, read_http
from remit.gateway.ext_authz.check_response import AnsweredRequest, PassedRequest, written_http
from remit.gateway.ext_authz.endpoint import unreadable

#: What every connection of HTTP/2 begins with, and none of HTTP/1.1.
HTTP2: Final = b"PRI"


class HttpChecks(asyncio.Protocol):
    """One connection of HTTP/1.1, which carries one check after the other."""

    def __init__(
        self,
        transport: asyncio.Transport,
        check: Callable[[CheckedRequest], Awaitable[PassedRequest | AnsweredRequest]],
        max_message_bytes: int,
    ) -> None:
        """Serve `transport` until it is closed."""
        self._transport = transport
        self._check = check
        self._most = max_message_bytes
        self._parser = httptools.HttpRequestParser(self)
        self._received = 0
        self._has_head = False
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._answering: asyncio.Task[None] | None = None

    @property
    def too_large(self) -> bool:
        """Whether the request exceeds its limit."""
        return self._received > self._most

    def data_received(self, data: bytes) -> None:
        """Take in a part of a request; raises an error of the parser for anything that is none."""
        self._received += len(data)
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the check in progress: a call that it has permitted counts as sent, as for every permit."""
        if self._answering is not None:
            self._answering.cancel()

    # Called by the parser.

    def on_message_begin(self) -> None:
        """Begin a check."""
        if self._answering is not None:
            raise ValueError("a request before the answer to the one before it")
        self._has_head = False
        self._target, self._headers, self._body = b"", [], bytearray()

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; drop a trailer."""
        if not self._has_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Take no more headers."""
        self._has_head = True

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Check the request."""
        self._received = 0
        asked = self._parser.get_method(), self._target, self._headers, bytes(self._body)
        self._answering = asyncio.ensure_future(self._answer(*asked, self._parser.should_keep_alive()))

    async def _answer(
        self,
        method: bytes,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        keep_alive: bool,
    ) -> None:
        asked = None
        try:
            asked = read_http(method, target, headers, body)
        except RemitError as error:
            outcome: PassedRequest | AnsweredRequest = unreadable(error)
        else:
            outcome = await self._check(asked)
        self._answering = None
        status, lines, content = written_http(outcome, asked)
        self._transport.write(_response(status, lines, content, whole=method != b"HEAD"))
        if not keep_alive:
            self._transport.close()


def _response(status: int, headers: HeaderLines, body: bytes, *, whole: bool) -> bytes:
    """Return the bytes of a response; without `whole` the body is only announced (RFC 9110 section 9.3.2)."""
    lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
    lines += [b"%s: %s" % line for line in (*headers, (b"content-length", b"%d" % len(body)))]
    return b"\r\n".join((*lines, b"", body if whole else b""))
