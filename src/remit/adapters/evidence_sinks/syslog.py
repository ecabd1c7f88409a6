# SPDX-License-Identifier: Apache-2.0
"""`ports.evidence.sinks.EvidenceSink` by syslog: RFC 5424 over TLS (RFC 5425) or TCP (RFC 6587).

Octets are counted. Syslog has no acknowledgment. So each batch has a separate connection, which is closed for
writing after it. The batch counts as taken once the receiver has closed its side in order, which it does when
it has read everything. Over TLS that is its close_notify, which RFC 5425 section 4.4 demands.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from remit.core.errors import SourceUnavailable
from remit.core.evidence.event import timestamp
from remit.core.evidence.ocsf import OWN_NAME, ExportLine

TIMEOUT_S: Final = 30.0
#: Facility "log audit" of RFC 5424.
_FACILITY: Final = 13
#: OCSF's severities in those of syslog: informational, notice, warning, error.
_SEVERITIES: Final = {1: 6, 2: 5, 3: 4, 4: 3}


class SyslogSink:
    """Sends each line as one message, its kind as MSGID."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: Callable[[], ssl.SSLContext] | None,
        timeout_s: float = TIMEOUT_S,
        hostname: str = "",
    ) -> None:
        """Take the receiver's address; without `tls` the messages are readable on the network."""
        self._host = host
        self._port = port
        self._tls = tls
        self._timeout_s = timeout_s
        self._hostname = hostname or _own_name()
        # A separate thread: a receiver that hangs delays this sink alone.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="export")

    async def send(self, lines: Sequence[ExportLine]) -> None:
        """Send a batch over one connection."""
        data = b"".join(self._message(line) for line in lines)
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._deliver, data)
        except OSError as fault:
            why = str(fault) or type(fault).__name__
            raise SourceUnavailable(
                f"`{self._host}:{self._port}` did not take the messages: {why}",
                code="export-refused",
                remediation="see that it listens for RFC 5424 with octet counting, and closes a connection "
                "that was closed for writing",
            ) from None

    def _deliver(self, data: bytes) -> None:
        # Blocking, because asyncio does not tell an orderly close of TLS from one that was cut off.
        with socket.create_connection((self._host, self._port), timeout=self._timeout_s) as plain:
            if self._tls is None:
                plain.sendall(data)
                plain.shutdown(socket.SHUT_WR)
                # What a receiver might say means nothing in syslog.
                ends = time.monotonic() + self._timeout_s
                while plain.recv(4096):
                    if time.monotonic() > ends:
                        raise TimeoutError("it does not close the connection")
                return
            with self._tls().wrap_socket(plain, server_hostname=self._host) as sealed:
                sealed.sendall(data)
                sealed.unwrap().close()

    def _message(self, line: ExportLine) -> bytes:
        priority = _FACILITY * 8 + _SEVERITIES[line.severity]
        head = f"<{priority}>1 {timestamp(line.at)} {self._hostname} {OWN_NAME} {os.getpid()} {line.kind} - "
        message = head.encode() + line.text
        return b"%d %b" % (len(message), message)


def _own_name() -> str:
    name = ""
    with contextlib.suppress(OSError):
        name = socket.gethostname()
    return "".join(one for one in name if "!" <= one <= "~")[:255] or "-"
