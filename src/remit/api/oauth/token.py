# SPDX-License-Identifier: Apache-2.0
"""The authorization server: agents get a token for a client assertion (RFC 6749 section 4.4, RFC 7523).

It issues one kind of token, with the scope `remit:agent`: it opens tasks and gets their tokens, and calls no
tool. Tokens bound to a task come from `POST /api/v1/tasks/{task}/token`.
"""

from __future__ import annotations

import base64
import binascii
import contextlib

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from remit.api.oauth.form import MAX_FORM_BYTES, Form, OAuthRefused, error_answer, read_form
from remit.api.wire import answer, status_of
from remit.core.assertion import ASSERTION_TYPE
from remit.core.canonical import parse_strict
from remit.core.errors import Malformed, RemitError, Unauthenticated
from remit.core.token import AGENT_SCOPE
from remit.services.house import House


class OAuthToken(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 6749 section 5.1."""

    access_token: str
    token_type: str = "Bearer"
    expires_in: int
    scope: str


async def token(request: Request, house: House) -> Response:
    """Answer the token endpoint."""
    try:
        form = await read_form(request)
        agent_token = await _agent_token(request, form, house)
    except OAuthRefused as refused:
        return error_answer(refused.code, refused.message, scheme=refused.scheme)
    except Malformed as error:
        return error_answer("invalid_request", str(error))
    except Unauthenticated as error:
        with contextlib.suppress(RemitError):  # refused all the same where the store cannot write it
            await house.authenticator.refused(error, "oauth")
        return error_answer("invalid_client", str(error))
    except RemitError as error:
        # RFC 6749 has no code of the token endpoint for a fault of ours; these are RFC 6749's others.
        busy = status_of(error) == 503
        told = error.message if busy else "remit could not do this"
        code = "temporarily_unavailable" if busy else "server_error"
        return error_answer(code, told, status=status_of(error))
    response = answer(agent_token)
    response.headers["Pragma"] = "no-cache"
    return response


async def _agent_token(request: Request, form: Form, house: House) -> OAuthToken:
    if scheme := request.headers.get("authorization", "").partition(" ")[0]:
        raise OAuthRefused(
            "invalid_client", "clients authenticate by a client assertion (RFC 7523)", scheme=scheme
        )
    grant = form.need("grant_type")
    if grant != "client_credentials":
        raise OAuthRefused("unsupported_grant_type", "the grant type is `client_credentials`")
    if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
        raise OAuthRefused("invalid_client", f"send `client_assertion` with the type `{ASSERTION_TYPE}`")
    wanted = form.get("scope", AGENT_SCOPE).split(" ")
    if wanted != [AGENT_SCOPE]:
        raise OAuthRefused("invalid_scope", f"the scope is `{AGENT_SCOPE}`")
    # RFC 8707.
    if form.get("resource", house.authenticator.audience) != house.authenticator.audience:
        raise OAuthRefused("invalid_target", f"the resource is `{house.authenticator.audience}`")
    assertion = form.need("client_assertion")
    client = form.get("client_id") or _claimed(assertion)
    agent = await house.authenticator.agent_by_assertion(assertion, client)
    text, claims = await house.authenticator.agent_token(agent)
    return OAuthToken(access_token=text, expires_in=claims.expires - claims.issued, scope=claims.scope)


def _claimed(assertion: str) -> str:
    """Give the client that an assertion claims to be of, to find its key: nothing is believed yet."""
    part = assertion.partition(".")[2].partition(".")[0]
    try:
        data = base64.b64decode(part + "=" * (-len(part) % 4), b"-_", validate=True)
        claims = parse_strict(data, max_bytes=MAX_FORM_BYTES)
    except (binascii.Error, ValueError, Malformed):
        claims = None
    subject = claims.get("sub") if isinstance(claims, dict) else None
    if not isinstance(subject, str):
        raise Unauthenticated("the client assertion cannot be read", code="invalid_client", step=1)
    return subject
