# SPDX-License-Identifier: Apache-2.0
"""A small HTTP server over TLS or plain, on this machine, that answers as a test says."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.worlds.attestation import WorldAuthority

Answer = Callable[[str], bytes]


@dataclass
class LocalServer:
    """Where it listens, and the requests that came."""

    port: int
    authority: WorldAuthority | None
    requests: list[str] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "localhost") -> str:
        """Return an address at this server."""
        return f"{'https' if self.authority else 'http'}://{host}:{self.port}{path}"


def reply(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return a whole answer."""
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def tls_context(chain: tuple[bytes, ...], key_pem: bytes) -> ssl.SSLContext:
    """Return a server's context."""
    pem = b"".join(x509.load_der_x509_certificate(one).public_bytes(Encoding.PEM) for one in chain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "both.pem"
        place.write_bytes(pem + key_pem)
        context.load_cert_chain(place)
    return context


@asynccontextmanager
async def local_server(
    answer: Answer, authority: WorldAuthority | None = None, *uris: str
) -> AsyncIterator[LocalServer]:
    """Serve `answer(path)` on a free port; over TLS, as `localhost` or with SPIFFE IDs, where there is an
    authority.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            server.requests.append(head)
            writer.write(answer(head.split(" ")[1]))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    context = None
    if authority is not None:
        options: dict[str, tuple[str, ...]] = {} if uris else {"dns": ("localhost",)}
        context = tls_context(*authority.svid_and_key(*uris, **options))
    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    server = LocalServer(listening.sockets[0].getsockname()[1], authority)
    try:
        yield server
    finally:
        listening.close()
