# SPDX-License-Identifier: Apache-2.0
"""Pushed authorization requests (RFC 9126).

The application sends its request to remit and gets a short `request_uri` for the person.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from remit.api.http_messages import answer
from remit.api.oauth.browser.authorization_endpoint import PUSHED_PREFIX
from remit.api.oauth.browser.authorization_request import what_is_asked, who_asks
from remit.api.oauth.browser.rate_limits import AnonymousLimits
from remit.api.oauth.browser.rooms import PageRooms
from remit.api.oauth.client_authentication import authenticate
from remit.api.oauth.error_responses import answered
from remit.api.oauth.forms import Form, OAuthRefused, read_form
from remit.core.errors import Malformed
from remit.core.oauth.client_metadata import is_client_address
from remit.core.oauth.one_time_code import PushedRequest

#: Section 2.2 asks for a short lifetime: the application sends the person at once.
LASTS = timedelta(minutes=5)


class OAuthPushed(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a pushed request (RFC 9126 section 2.2)."""

    request_uri: str
    expires_in: int


async def push(request: Request, rooms: PageRooms, strangers: AnonymousLimits) -> Response:
    """Store an authorization request; it can be answered once."""

    async def kept() -> Response:
        form = await read_form(request)
        if "request_uri" in form:
            raise OAuthRefused("invalid_request", "a pushed request has no `request_uri`")
        agent = await _pushed_by(request, form, rooms)
        strangers.check(request, agent)
        try:
            applicant, redirect_uri = await who_asks(form, rooms, agent)
        except Malformed as error:
            code = error.code if error.code == "invalid_client" else "invalid_request"
            raise OAuthRefused(code, str(error)) from None
        if applicant.metadata and applicant.metadata.auth_method != "none" and not agent:
            # RFC 9126 section 2: a client that authenticates at the token endpoint does so here too.
            raise OAuthRefused("invalid_client", "authenticate with your own key, as at the token endpoint")
        asked = what_is_asked(form, rooms, applicant, redirect_uri, agent)
        value = await rooms.people.browsers.tickets.issue(PushedRequest(asked), LASTS)
        lasts_s = int(LASTS.total_seconds())
        return answer(OAuthPushed(request_uri=PUSHED_PREFIX + value, expires_in=lasts_s), 201)

    return await answered(request, rooms, kept)


async def _pushed_by(request: Request, form: Form, rooms: PageRooms) -> str:
    """Return the agent that authenticated with the request; an empty text for a public application whose
    client ID is a URL.
    """
    client_id = form.need("client_id")
    if "client_assertion" not in form and is_client_address(client_id):
        return ""
    return (await authenticate(request, form, rooms)).agent.name
