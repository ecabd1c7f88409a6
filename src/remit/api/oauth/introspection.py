# SPDX-License-Identifier: Apache-2.0
"""Token introspection (RFC 7662) and revocation (RFC 7009): for clients that have proven themselves."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from remit.api.http_messages import HEADERS, answer
from remit.api.oauth.client_authentication import authenticate
from remit.api.oauth.error_responses import answered
from remit.api.oauth.forms import read_form
from remit.core.errors import Unauthenticated
from remit.services.assembly.services import Services


async def introspect(request: Request, house: Services) -> Response:
    """Say what a token means now."""

    async def serve() -> Response:
        form = await read_form(request)
        client = await authenticate(request, form, house)
        return answer(await house.oauth.introspection.introspect(client, form.need("token")))

    return await answered(request, house, serve, door="introspect")


async def revoke(request: Request, house: Services) -> Response:
    """Take a token back. Section 2.2: one that is not known is as good as revoked."""

    async def serve() -> Response:
        form = await read_form(request)
        # Section 2.1: a public client names itself alone; the token is what it shows.
        client = await authenticate(request, form, house, public=True)
        text = form.need("token")
        try:
            claims = house.identity.authenticator.unproven(text, house.clock.now())
        except Unauthenticated:
            await house.oauth.families.revoke(client, text)
        else:
            await house.oauth.families.revoke_access(client, claims)
        return Response(status_code=200, headers=HEADERS)

    return await answered(request, house, serve, door="revoke")
