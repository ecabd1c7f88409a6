# SPDX-License-Identifier: Apache-2.0
"""The routes of shared signals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from remit.api.ssf.push import PUSH_PATH, push
from remit.services.house import House

Serve = Callable[[Request], Awaitable[Response]]


def routes(house: House) -> tuple[tuple[str, dict[str, Serve]], ...]:
    """Give every path of shared signals, with what answers each method there."""

    async def take(request: Request) -> Response:
        return await push(request, house)

    return ((PUSH_PATH, {"POST": take}),)
