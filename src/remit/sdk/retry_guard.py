# SPDX-License-Identifier: Apache-2.0
"""Nothing is sent twice. The HTTP client sends what it takes for repeatable again when a connection that was
kept breaks; but a call that may have been carried out is its caller's to repeat, or not.
"""

from __future__ import annotations

import aiohttp


class BrokenOff(aiohttp.ClientConnectionError):
    """The connection broke before there was an answer: nobody knows whether the request was carried out."""


async def once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Have a request sent once, as a middleware of a session; raises `BrokenOff` where the client would send
    it again.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # nothing was sent
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as fault:
        raise BrokenOff(str(fault)) from fault
