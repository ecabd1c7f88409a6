# SPDX-License-Identifier: Apache-2.0
"""The routes of the authorization server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from remit.api.oauth import introspection, metadata, token_endpoint
from remit.api.oauth.paths import (
    INTROSPECTION_PATH,
    JWKS_PATH,
    METADATA_PATH,
    REVOCATION_PATH,
    TOKEN_PATH,
)
from remit.api.oauth.rooms import OAuthRooms

Serve = Callable[[Request], Awaitable[Response]]


def routes(rooms: OAuthRooms) -> tuple[tuple[str, dict[str, Serve]], ...]:
    """Return every path of the authorization server, with the handler of each method."""

    async def issue(request: Request) -> Response:
        return await token_endpoint.token(request, rooms)

    async def tell(request: Request) -> Response:
        return await introspection.introspect(request, rooms)

    async def revoke(request: Request) -> Response:
        return await introspection.revoke(request, rooms)

    async def keys(_: Request) -> Response:
        return metadata.jwks(rooms)

    async def told(_: Request) -> Response:
        return metadata.metadata(rooms)

    return (
        (METADATA_PATH, {"GET": told}),
        (JWKS_PATH, {"GET": keys}),
        (TOKEN_PATH, {"POST": issue}),
        (INTROSPECTION_PATH, {"POST": tell}),
        (REVOCATION_PATH, {"POST": revoke}),
    )
