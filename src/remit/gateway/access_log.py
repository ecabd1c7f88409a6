# SPDX-License-Identifier: Apache-2.0
"""One line of the log for each HTTP request: method, place, status, milliseconds and sender.

A path may hold ids, and at HTTP upstreams the values of arguments; a query may hold secrets. So only the
beginning of a path is written. What a call did is in the line of the call, with the id of its decision.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any, Final

from remit.gateway.asgi import TRANSFERRED, Application, Receive, Scope, Send
from remit.ports.runtime import Clock
from remit.services.limits.client_address import seen_from

#: The logger of requests.
ACCESS: Final = "remit.access"
_MOST: Final = 100
_log = logging.getLogger(ACCESS)


def logging_requests(inner: Application, clock: Clock) -> Application:
    """Wrap all endpoints; without a reader of the log, return them as they are."""
    if not _log.isEnabledFor(logging.INFO):
        return inner

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        began_s, status = clock.boot_s(), 0

        async def answered(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await inner(scope, receive, answered)
        finally:
            if scope["type"] == "http" and TRANSFERRED not in scope:
                ms = round((clock.boot_s() - began_s) * 1000, 1)
                _log.info(
                    {
                        "method": scope["method"],
                        "place": place_in(scope["path"]),
                        "status": status,
                        "ms": ms,
                        "from_address": seen_from(scope),
                    }
                )

    return serve


def place_in(path: str) -> str:
    """Return the beginning of a path: an upstream, or a kind of resource, and no id below it."""
    parts = path.split("/")
    depth = 4 if parts[1:2] == ["api"] else 3
    return "/".join(parts[:depth])[:_MOST] + ("/..." if len(parts) > depth else "")
