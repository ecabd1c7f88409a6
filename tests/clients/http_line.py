# SPDX-License-Identifier: Apache-2.0
"""One HTTP/1.1 connection, spoken to by hand."""

import asyncio
import contextlib
import os
import socket
import ssl
from typing import Self


class Line:
    """One HTTP/1.1 connection, kept open. `pending` tells whether an answer lies in it unread."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._eye = socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno()))

    @classmethod
    async def to(cls, port: int, tls: ssl.SSLContext | None = None) -> Self:
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**24, ssl=tls))

    def pending(self) -> bool:
        """Return whether bytes have arrived that were not read yet."""
        if self._reader._buffer:  # type: ignore[attr-defined]
            return True
        with contextlib.suppress(BlockingIOError):
            return bool(self._eye.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        return False

    async def ask(
        self, method: str, path: str, headers: dict[str, str], content: bytes = b""
    ) -> tuple[int, bytes]:
        """Make one exchange; raises `OSError` or `EOFError` where the other side is gone."""
        given = {"host": "127.0.0.1", "content-length": str(len(content))} | headers
        head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        self._writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content)
        await self._writer.drain()
        first, *rest = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        told = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        status = int(first.split(" ")[1])
        if told.get("transfer-encoding") == "chunked":
            return status, await self._chunks()
        return status, await self._reader.readexactly(int(told.get("content-length", 0)))

    async def _chunks(self) -> bytes:
        out = b""
        while True:
            size = int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16)
            data = await self._reader.readexactly(size + 2)
            if not size:
                return out
            out += data[:-2]

    def close(self) -> None:
        """Hang up."""
        self._eye.close()
        self._writer.transport.abort()
