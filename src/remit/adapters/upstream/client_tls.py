# SPDX-License-Identifier: Apache-2.0
"""Connections that present a task's client certificate: one pool per task and certificate, cut when the task
ends.

A connection keeps the identity with which it was made. No connection is passed from one task to another.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from remit.adapters.upstream.http1 import Limits, Origin, Pool
from remit.core.errors import UpstreamUnreachable
from remit.core.keys.certificate import ClientCertificate

#: Returns a context that verifies the server and has no client certificate.
MakeTls = Callable[[], ssl.SSLContext]
#: Number of ended tasks that are remembered.
MAX_ENDED: Final = 4096


class ClientCertificatePools:
    """The client certificate pools of one upstream. For one event loop."""

    def __init__(self, origin: Origin, limits: Limits, tls: MakeTls) -> None:
        """Start without connections."""
        self._origin = origin
        self._limits = limits
        self._tls = tls
        self._pools: dict[str, dict[str, Pool]] = {}
        # Ended tasks: a call that arrives here after the end of its task creates no pool.
        self._ended: dict[str, None] = {}

    async def of(self, task: str, lease: str, certificate: ClientCertificate) -> Pool:
        """Return the pool of a task whose connections present this certificate."""
        if task in self._ended:
            raise _over(task)
        pools = self._pools.setdefault(task, {})
        if lease not in pools:
            # In a thread, because it reads the system's CA certificates.
            context = await asyncio.to_thread(showing, self._tls, certificate)
            if self._pools.get(task) is not pools:
                raise _over(task)
            if lease not in pools:
                pools[lease] = Pool(self._origin, limits=self._limits, ssl_context=context)
        return pools[lease]

    async def end_task(self, task: str) -> None:
        """Cut all connections of a task."""
        self._ended[task] = None
        if len(self._ended) > MAX_ENDED:
            del self._ended[next(iter(self._ended))]
        for pool in self._pools.pop(task, {}).values():
            await pool.close()

    async def close(self) -> None:
        """Cut all connections."""
        for task in list(self._pools):
            await self.end_task(task)


def _over(task: str) -> UpstreamUnreachable:
    return UpstreamUnreachable(f"task `{task}` has ended", sent=False, remediation="open another task")


def showing(tls: MakeTls, certificate: ClientCertificate) -> ssl.SSLContext:
    """Return a context that verifies the server and presents a certificate. Blocks: run it in a thread."""
    context = tls()
    pem = f"{certificate.chain}{certificate.key}".encode()
    if hasattr(os, "memfd_create"):
        # OpenSSL loads the certificate from a path; this path is in memory, not on disk.
        held = os.memfd_create("certificate", os.MFD_CLOEXEC)
        try:
            os.write(held, pem)
            context.load_cert_chain(f"/proc/self/fd/{held}")
        finally:
            os.close(held)
        return context
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "certificate.pem")
        place.touch(mode=0o600)
        place.write_bytes(pem)
        context.load_cert_chain(place)
    return context
