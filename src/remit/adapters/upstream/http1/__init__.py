# SPDX-License-Identifier: Apache-2.0
"""An HTTP/1.1 client in two phases: first a connection in hand, then one synchronous write.

Step 6 of a call looks at the fence once more when the connection is in hand, with nothing awaited before the
write. So `Pool.acquire` waits for everything that can be waited for, and `Connection.send` waits for nothing:

    connection = await pool.acquire()
    try:
        ...                                   # the last look at the fence
        connection.send(b"POST", b"/mcp", headers, body)
        head = await connection.head()
        body = await connection.body()
    finally:
        connection.release()

A request is written at most once. No retry, redirect, proxy, cookie or content coding.
Why a client of its own: docs/adr/0005-upstream-http-client.md.
"""

from remit.adapters.upstream.http1.address import Limits, Origin, split_base_url
from remit.adapters.upstream.http1.connection import Connection
from remit.adapters.upstream.http1.pool import Pool
from remit.adapters.upstream.http1.request import SteadyHeaders
from remit.adapters.upstream.http1.response import ResponseHead
from remit.adapters.upstream.http1.sse import EventStream, ServerSentEvent

__all__ = [
    "Connection",
    "EventStream",
    "Limits",
    "Origin",
    "Pool",
    "ResponseHead",
    "ServerSentEvent",
    "SteadyHeaders",
    "split_base_url",
]
