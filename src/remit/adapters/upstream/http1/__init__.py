# SPDX-License-Identifier: Apache-2.0
"""An HTTP/1.1 client in two phases: acquire a connection, then make one synchronous write.

Step 6 of a call checks the fence again when the connection is acquired, with no await before the write. So
`Pool.acquire` performs every wait, and `Connection.send` waits for nothing:

    connection = await pool.acquire()
    try:
        ...                                   # the last check of the fence
        connection.send(b"POST", b"/mcp", headers, body)
        head = await connection.head()
        body = await connection.body()
    finally:
        connection.release()

A request is written at most once. No retry, redirect, proxy, cookie or content coding. Why remit has its own
client: docs/adr/0005-upstream-http-client.md.
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
