# SPDX-License-Identifier: Apache-2.0
"""The token endpoint (RFC 6749 section 3.2).

A token opens tasks (scope `remit:agent`) or acts within one task (scope `remit:task`). A request with a DPoP
proof gets a token that is bound to the key of the proof (RFC 9449 section 5).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from remit.api.http_messages import answer
from remit.api.oauth.error_responses import answered
from remit.api.oauth.forms import Form, OAuthRefused, read_form
from remit.api.oauth.grants import (
    authorization_code,
    client_credentials,
    jwt_bearer,
    refresh_token,
    token_exchange,
)
from remit.api.oauth.grants.request import TokenRequest
from remit.api.oauth.paths import TOKEN_PATH
from remit.api.oauth.rooms import OAuthRooms
from remit.core.errors import ProofRefused
from remit.core.identity.workload import Confirmation
from remit.core.json_value import Json
from remit.services.oauth.access_tokens import IssuedAccessToken

GRANTS: Final[dict[str, Callable[[TokenRequest], Awaitable[IssuedAccessToken]]]] = {
    one.GRANT_TYPE: one.give
    for one in (authorization_code, client_credentials, jwt_bearer, refresh_token, token_exchange)
}


class OAuthToken(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of RFC 6749 section 5.1; `issued_token_type` is from RFC 8693, `authorization_details` from
    RFC 9396.

    `mission_id` is the task, if the token is bound to one.
    """

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    refresh_token: str = ""
    issued_token_type: str = ""
    mission_id: str = ""
    authorization_details: list[dict[str, Json]] = []


async def token(request: Request, rooms: OAuthRooms) -> Response:
    """Serve the token endpoint."""

    async def serve() -> Response:
        form = await read_form(request)
        kind = form.need("grant_type")
        grant = GRANTS.get(kind)
        if grant is None:
            raise OAuthRefused("unsupported_grant_type", f"the grant types are: {', '.join(sorted(GRANTS))}")
        confirmation, nonce = _proof(request, rooms)
        response = answer(_written(await grant(TokenRequest(request, form, rooms, confirmation)), form))
        response.headers["Pragma"] = "no-cache"
        if nonce:
            response.headers["DPoP-Nonce"] = nonce
        return response

    return await answered(request, rooms, serve)


def _proof(request: Request, rooms: OAuthRooms) -> tuple[Confirmation, str]:
    """Return the key of the request's DPoP proof and the nonce for the next proof; raise `ProofRefused`."""
    shown = request.headers.getlist("dpop")
    if not shown:
        return Confirmation(), ""
    if len(shown) > 1:
        # RFC 9449 section 4.3: at most one proof is permitted.
        raise ProofRefused(
            "there is more than one DPoP proof", code="proof-malformed", remediation="send one"
        )
    url = rooms.identity.authenticator.issuer + TOKEN_PATH
    confirmation, used = rooms.oauth.proofs.check(shown[0], method="POST", url=url)
    return confirmation, rooms.oauth.proofs.fresher(used)


def _written(given: IssuedAccessToken, form: Form) -> OAuthToken:
    claims = given.claims
    exchanged = form.get("grant_type") == token_exchange.GRANT_TYPE
    return OAuthToken(
        access_token=given.text,
        # RFC 9449 section 5.
        token_type="DPoP" if claims.confirmation.jkt else "Bearer",
        expires_in=claims.expires - claims.issued,
        scope=claims.scope,
        refresh_token=given.refresh,
        issued_token_type=token_exchange.ACCESS_TOKEN if exchanged else "",
        mission_id=claims.task,
        authorization_details=given.details,
    )
