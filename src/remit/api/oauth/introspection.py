# SPDX-License-Identifier: Apache-2.0
"""Token introspection (RFC 7662) and revocation (RFC 7009), for authenticated clients."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from remit.api.http_messages import HEADERS, answer
from remit.api.oauth.client_authentication import authenticate
from remit.api.oauth.error_responses import answered
from remit.api.oauth.forms import read_form
from remit.api.oauth.rooms import OAuthRooms
from remit.core.errors import Unauthenticated


async def introspect(request: Request, rooms: OAuthRooms) -> Response:
    """Return the current meaning of a token."""

    async def serve() -> Response:
        form = await read_form(request)
        client = await authenticate(request, form, rooms)
        return answer(await rooms.oauth.introspection.introspect(client, form.need("token")))

    return await answered(request, rooms, serve, endpoint="introspect")


async def revoke(request: Request, rooms: OAuthRooms) -> Response:
    """Revoke a token. Section 2.2: an unknown token counts as revoked."""

    async def serve() -> Response:
        form = await read_form(request)
        # Section 2.1: a public client only names itself; the token is its credential.
        client = await authenticate(request, form, rooms, public=True)
        text = form.need("token")
        try:
            claims = rooms.identity.authenticator.unproven(text, rooms.clock.now())
        except Unauthenticated:
            await rooms.oauth.families.revoke(client, text)
        else:
            await rooms.oauth.families.revoke_access(client, claims)
        return Response(status_code=200, headers=HEADERS)

    return await answered(request, rooms, serve, endpoint="revoke")
