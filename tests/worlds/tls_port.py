# SPDX-License-Identifier: Apache-2.0
"""A TLS port that tells its clients what they have shown, and certificates to show there."""

from __future__ import annotations

import asyncio
import io
import ipaddress
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from remit.cli.serve.connections import BoundedConnection
from remit.cli.serve.tls import RenewedContext

Json = Any
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


async def echo(scope: Json, receive: Json, send: Json) -> None:
    """Tell what was shown, then give the body back."""
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    chain = [one.hex() for one in scope.get("remit.peer_certificate", [])]
    told = json.dumps({"scheme": scope["scheme"], "chain": chain}).encode()
    headers = [(b"x-told", told)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(context: RenewedContext) -> AsyncIterator[str]:
    """Serve under a context; gives the address."""
    sock = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        echo,
        http=BoundedConnection,
        lifespan="off",
        log_level="critical",
        ssl_context_factory=lambda *_: context,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined, unused-ignore]
    running = asyncio.create_task(server._serve([sock]))
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        yield f"https://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running


async def shown(
    url: str, trusted: Path, own: tuple[Path, Path] | None, body: bytes = b""
) -> tuple[Json, bytes]:
    """Send a body as a client with a certificate, or without; gives what the server saw, and the body."""
    context = ssl.create_default_context(cafile=trusted)
    context.check_hostname = False
    if own is not None:
        context.load_cert_chain(*own)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as http,
        http.post(url, data=io.BytesIO(body)) as answer,
    ):
        return json.loads(answer.headers["x-told"]), await answer.read()


def identity(
    folder: Path,
    name: str,
    *,
    host: str = "",
    key: ec.EllipticCurvePrivateKey | None = None,
    days: float = 0,
) -> tuple[Path, Path]:
    """Make a certificate that is signed by itself, for an address, over a key or a new one.

    It is valid around now, or `days` later. Gives the files of both.
    """
    key = key if key is not None else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC) + timedelta(days=days)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
    )
    if host:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
        builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files
