# SPDX-License-Identifier: Apache-2.0
"""Protection against sending a request twice.

The HTTP client repeats requests that it considers repeatable when a pooled connection breaks. But only the
caller can decide whether to repeat a call that may have been executed.
"""

from __future__ import annotations

import aiohttp


class BrokenOff(aiohttp.ClientConnectionError):
    """The connection broke before an answer arrived: whether the request was executed is unknown."""


async def once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request once, as a middleware of a session; raise `BrokenOff` where the client would send it
    again.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # nothing was sent
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as fault:
        raise BrokenOff(str(fault)) from fault
