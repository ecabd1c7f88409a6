# SPDX-License-Identifier: Apache-2.0
"""The authorization server: agents get a token for a client assertion (RFC 6749 section 4.4, RFC 7523).

It issues one kind of token, with the scope `remit:agent`: it opens tasks and gets their tokens, and calls no
tool. Tokens bound to a task come from `POST /api/v1/tasks/{task}/token`.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from remit.api.wire import HEADERS, answer, read, status_of
from remit.core.assertion import ASSERTION_TYPE
from remit.core.canonical import parse_strict
from remit.core.errors import Malformed, RemitError, Unauthenticated
from remit.core.token import AGENT_SCOPE, ALGORITHMS
from remit.services.house import House

Json = Any

TOKEN_PATH = "/oauth/token"
JWKS_PATH = "/oauth/jwks"
METADATA_PATH = "/.well-known/oauth-authorization-server"
FORM = "application/x-www-form-urlencoded"
MAX_FORM_BYTES = 32_768


class OAuthError(msgspec.Struct, frozen=True):
    """RFC 6749 section 5.2."""

    error: str
    error_description: str


class OAuthToken(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 6749 section 5.1."""

    access_token: str
    token_type: str = "Bearer"
    expires_in: int
    scope: str


class _Refused(Exception):
    """A request that the token endpoint refuses, with its OAuth code."""

    def __init__(self, code: str, told: str, scheme: str = "") -> None:
        super().__init__(told)
        self.code = code
        self.told = told
        self.scheme = scheme


async def token(request: Request, house: House) -> Response:
    """Answer the token endpoint."""
    try:
        form = await _form(request)
        agent_token = await _agent_token(request, form, house)
    except _Refused as refused:
        return _error(refused.code, refused.told, refused.scheme)
    except Malformed as error:
        return _error("invalid_request", str(error))
    except Unauthenticated as error:
        with contextlib.suppress(RemitError):  # refused all the same where the store cannot write it
            await house.authenticator.refused(error, "oauth")
        return _error("invalid_client", str(error))
    except RemitError as error:
        # RFC 6749 has no code of the token endpoint for a fault of ours; these are RFC 6749's others.
        busy = status_of(error) == 503
        told = error.message if busy else "remit could not do this"
        return answer(
            OAuthError("temporarily_unavailable" if busy else "server_error", told), status_of(error)
        )
    response = answer(agent_token)
    response.headers["Pragma"] = "no-cache"
    return response


async def _form(request: Request) -> dict[str, str]:
    data = await read(request, FORM, MAX_FORM_BYTES)
    try:
        pairs = parse_qsl(
            data.decode("utf-8"), keep_blank_values=True, strict_parsing=bool(data), errors="strict"
        )
    except (UnicodeDecodeError, ValueError):
        raise _Refused("invalid_request", "the form cannot be read") from None
    form: dict[str, str] = {}
    for name, value in pairs:
        # RFC 6749 section 3.2: parameters must not be included more than once.
        if name in form:
            raise _Refused("invalid_request", "a parameter is given twice")
        form[name] = value
    return {name: value for name, value in form.items() if value}


async def _agent_token(request: Request, form: dict[str, str], house: House) -> OAuthToken:
    if request.query_params:
        raise _Refused("invalid_request", "parameters belong into the body")
    if scheme := request.headers.get("authorization", "").partition(" ")[0]:
        raise _Refused("invalid_client", "clients authenticate by a client assertion (RFC 7523)", scheme)
    grant = form.get("grant_type")
    if grant is None:
        raise _Refused("invalid_request", "`grant_type` is missing")
    if grant != "client_credentials":
        raise _Refused("unsupported_grant_type", "the grant type is `client_credentials`")
    if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
        raise _Refused("invalid_client", f"send `client_assertion` with the type `{ASSERTION_TYPE}`")
    wanted = form.get("scope", AGENT_SCOPE).split(" ")
    if wanted != [AGENT_SCOPE]:
        raise _Refused("invalid_scope", f"the scope is `{AGENT_SCOPE}`")
    # RFC 8707.
    if form.get("resource", house.authenticator.audience) != house.authenticator.audience:
        raise _Refused("invalid_target", f"the resource is `{house.authenticator.audience}`")
    assertion = form["client_assertion"]
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


def _error(code: str, told: str, scheme: str = "") -> Response:
    response = answer(OAuthError(code, _printable(told)), 401 if code == "invalid_client" else 400)
    if code == "invalid_client":
        # RFC 6749 section 5.2: the scheme that the client tried, where it tried one.
        response.headers["WWW-Authenticate"] = scheme if scheme in ("Basic", "Bearer") else "Bearer"
    return response


def _printable(text: str) -> str:
    # RFC 6749 section 5.2: %x20-21 / %x23-5B / %x5D-7E.
    return "".join(char if " " <= char <= "~" and char not in '"\\' else "'" for char in text)


def metadata(house: House) -> Response:
    """Give what this authorization server supports (RFC 8414), and nothing that it does not."""
    issuer = house.authenticator.issuer
    return answer(
        {
            "issuer": issuer,
            "token_endpoint": issuer + TOKEN_PATH,
            "jwks_uri": issuer + JWKS_PATH,
            "scopes_supported": [AGENT_SCOPE],
            "response_types_supported": [],
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        }
    )


def jwks(house: House) -> Response:
    """Give the public keys of our tokens (RFC 7517)."""
    return Response(
        msgspec.json.encode(house.token_keys.jwks()), media_type="application/jwk-set+json", headers=HEADERS
    )
