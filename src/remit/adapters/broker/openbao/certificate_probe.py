# SPDX-License-Identifier: Apache-2.0
"""Probing a client certificate at a TLS server that is meant to refuse it once it is revoked."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from remit.core.keys.certificate import ClientCertificate
from remit.ports.broker import Probe

#: Returns a context that verifies the server and presents a certificate.
Showing = Callable[[ClientCertificate], ssl.SSLContext]

TRY_S: Final = 8.0
#: The alerts that concern the presented certificate (RFC 8446 section 6.2). In TLS 1.3 they arrive with the
#: first read, because the client finishes its handshake before the server has checked the certificate.
_NO: Final = re.compile(r"ALERT_(?:BAD_CERTIFICATE|CERTIFICATE_[A-Z_]+|UNKNOWN_CA|ACCESS_DENIED)")
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3})")


async def tried_at(url: str, certificate: ClientCertificate, showing: Showing) -> Probe:
    """GET an address over a connection that presents a certificate, and return the result."""
    try:
        async with asyncio.timeout(TRY_S):
            context = await asyncio.to_thread(showing, certificate)
            status = await _status(url, context)
    except ssl.SSLCertVerificationError:
        # The server's own certificate is invalid.
        return Probe.UNREACHABLE
    except ssl.SSLError as fault:
        return Probe.REFUSED if _NO.search(str(fault.reason)) else Probe.UNREACHABLE
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return Probe.UNREACHABLE
    if status in (401, 403):
        return Probe.REFUSED
    return Probe.ACCEPTED if 200 <= status < 300 else Probe.UNREACHABLE


async def _status(url: str, context: ssl.SSLContext) -> int:
    parts = urlsplit(url)
    host = parts.hostname or ""
    reader, writer = await asyncio.open_connection(host, parts.port or 443, ssl=context, server_hostname=host)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode("ascii"))
        await writer.drain()
        found = _STATUS.match(await reader.readuntil(b"\r\n"))
        return int(found[1]) if found else 0
    finally:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                await writer.wait_closed()
