# SPDX-License-Identifier: Apache-2.0
"""The connections of an agent: each new one is checked before any data is written to it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

import aiohttp

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

#: Below the five seconds after which common servers close an idle connection. So no request is sent into a
#: connection that is being closed, where the client could not know whether it was executed.
IDLE_S: Final = 2

#: Takes the socket of a connection; raises `AgentFault` if no data may be written to it.
Look = Callable[[Any], None]


class AgentConnector(aiohttp.TCPConnector):
    """An unlimited pool. `look` checks each new connection that is not authenticated by TLS."""

    def __init__(self, tls: ssl.SSLContext | bool, look: Look | None = None) -> None:
        """Keep the TLS settings and the check."""
        super().__init__(ssl=tls, limit=0, keepalive_timeout=IDLE_S)
        self._look = look
        self._looked_at: WeakSet[aiohttp.client_proto.ResponseHandler] = WeakSet()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - named by aiohttp
    ) -> Connection:
        """Return a pooled or a new connection."""
        connection = await super().connect(req, traces, timeout)
        protocol, transport = connection.protocol, connection.transport
        if self._look is None or req.is_ssl() or protocol is None or protocol in self._looked_at:
            return connection
        try:
            if transport is not None:
                self._look(transport.get_extra_info("socket"))
        except BaseException:
            connection.close()
            raise
        self._looked_at.add(protocol)
        return connection
