# SPDX-License-Identifier: Apache-2.0
"""The tool server as an oracle: the echo server, which also notes when each call reached it.

`python -m bench.oracle` prints its port. A GET gives what arrived since the last one, as JSON: pairs of the
text's number and the nanoseconds of the machine's monotonic clock, which its processes share.
"""

import re
import time
from typing import Any

import orjson

from bench.upstream import Receive, Scope, Send, app, serve

#: A gateway in between may write its own JSON.
CALL = re.compile(rb'"text":\s*"call (\d{8})')

_arrived: list[tuple[int, int]] = []


async def noting(scope: Scope, receive: Receive, send: Send) -> None:
    """Note a call before it is answered, or give what was noted."""
    if scope["method"] == "GET":
        body = orjson.dumps(_arrived)
        _arrived.clear()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
        return

    async def heard() -> Any:
        message = await receive()
        if found := CALL.search(message.get("body", b"")):
            _arrived.append((int(found[1]), time.monotonic_ns()))
        return message

    await app(scope, heard, send)


if __name__ == "__main__":
    serve(noting)
