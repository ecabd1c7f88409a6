# SPDX-License-Identifier: Apache-2.0
"""What bare connections of the bench have in common: they collect the body of each HTTP message."""

import asyncio
from typing import Generic, TypeVar, cast

import httptools

Parser = TypeVar("Parser", httptools.HttpRequestParser, httptools.HttpResponseParser)


class Bodies(asyncio.Protocol, Generic[Parser]):
    """A connection whose messages are read by a parser that calls it back."""

    transport: asyncio.Transport

    def __init__(self, parser: type[Parser]) -> None:
        """Read requests, or responses."""
        self._parser: Parser = parser(self)
        self._pieces: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio)."""
        # uvloop's transports are not subclasses of asyncio's.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser (asyncio)."""
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Keep a piece (httptools)."""
        self._pieces.append(body)

    def body(self) -> bytes:
        """Return the body of the message that is complete, and begin the next one."""
        whole = b"".join(self._pieces)
        self._pieces.clear()
        return whole
