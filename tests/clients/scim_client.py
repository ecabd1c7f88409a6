# SPDX-License-Identifier: Apache-2.0
"""A SCIM client by others (`scim2-client`) at an application that runs in another thread's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx2
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import ScimProvider

from tests.worlds.services import LOOPBACK, PUBLIC_URL, exchange


class LoopTransport(httpx2.BaseTransport):
    """Sends requests to an ASGI application in a running event loop."""

    def __init__(self, asgi: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._asgi = asgi
        self._loop = loop

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request, and wait for its answer."""
        path = request.url.raw_path.decode()
        told = asyncio.run_coroutine_threadsafe(
            exchange(
                self._asgi, request.method, path, list(request.headers.items()), request.read(), LOOPBACK
            ),
            self._loop,
        ).result(30)
        return httpx2.Response(told.status, headers=told.headers, content=told.content, request=request)


def scim_client(
    asgi: Any, headers: Mapping[str, str], provider: ScimProvider | None = None
) -> SyncSCIMClient:
    """Return a client of `/scim/v2`; use it in a thread (`asyncio.to_thread`)."""
    http = httpx2.Client(
        base_url=f"{PUBLIC_URL}/scim/v2",
        headers=dict(headers),
        transport=LoopTransport(asgi, asyncio.get_running_loop()),
    )
    return SyncSCIMClient(http, provider=provider or ScimProvider())
