# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI description of the authorization server: endpoints for programs, and the first pages for
people.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from remit.api.oauth.forms import FORM
from remit.api.oauth.paths import (
    AUTHORIZE_PATH,
    INTROSPECTION_PATH,
    JWKS_PATH,
    METADATA_PATH,
    PUSHED_PATH,
    REVOCATION_PATH,
    TOKEN_PATH,
)
from remit.api.oauth.token_endpoint import GRANTS
from remit.core.json_value import Json
from remit.core.oauth.client_assertion import ASSERTION_TYPE

_TEXT: Final = {"type": "string"}
_OPEN: Final = {"type": "object"}
#: RFC 7521 section 4.2: parameters of client authentication. A client with a certificate sends `client_id`
#: only.
_CLIENT: Final[dict[str, Json]] = {
    "client_id": _TEXT,
    "client_assertion_type": {
        "type": "string",
        "examples": [ASSERTION_TYPE, "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"],
    },
    "client_assertion": _TEXT,
}
_ASKED: Final[dict[str, Json]] = {
    "scope": _TEXT,
    "resource": {"type": "string", "description": "RFC 8707"},
    "authorization_details": {"type": "string", "description": "RFC 9396, of `mission_resource_access`"},
}
_TOKEN: Final[dict[str, Json]] = {
    "grant_type": {"type": "string", "enum": sorted(GRANTS)},
    **_CLIENT,
    **_ASKED,
    "mission_id": {"type": "string", "description": "the task of the token"},
    "assertion": {"type": "string", "description": "RFC 7523"},
    "code": _TEXT,
    "code_verifier": {"type": "string", "description": "RFC 7636"},
    "redirect_uri": _TEXT,
    "refresh_token": _TEXT,
    "audience": {"type": "string", "description": "RFC 8693"},
    "subject_token": _TEXT,
    "subject_token_type": _TEXT,
    "actor_token": _TEXT,
    "actor_token_type": _TEXT,
    "requested_token_type": _TEXT,
}
_REQUEST: Final[dict[str, Json]] = {
    "client_id": _TEXT,
    "redirect_uri": _TEXT,
    "response_type": {"type": "string", "enum": ["code"]},
    "state": _TEXT,
    "code_challenge": {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"},
    "code_challenge_method": {"type": "string", "enum": ["S256"]},
    "dpop_jkt": _TEXT,
    "mission_intent": {"type": "string", "description": "the requested task, and the reason"},
    **_ASKED,
}


def described(token: Json, pushed: Json, error: Json) -> dict[str, Json]:
    """Return the paths; `token`, `pushed` and `error` are the schemas of the answers."""
    issue = _form(_TOKEN, ("grant_type",), "Issue a token: one form for every grant", token, error)
    tell = _form({"token": _TEXT, "token_type_hint": _TEXT, **_CLIENT}, ("token",), _TELL, _OPEN, error)
    revoke = _form({"token": _TEXT, "token_type_hint": _TEXT, **_CLIENT}, ("token",), _REVOKE, None, error)
    push = _form(
        {**_REQUEST, **_CLIENT},
        ("client_id", "redirect_uri", "response_type", "code_challenge", "code_challenge_method"),
        "Push an authorization request (RFC 9126)",
        pushed,
        error,
        status="201",
    )
    return {
        TOKEN_PATH: {"post": issue},
        INTROSPECTION_PATH: {"post": tell},
        REVOCATION_PATH: {"post": revoke},
        PUSHED_PATH: {"post": push},
        AUTHORIZE_PATH: {"get": _page()},
        JWKS_PATH: {"get": _told("Public keys of tokens (RFC 7517)", "application/jwk-set+json")},
        METADATA_PATH: {"get": _told("Show the server metadata (RFC 8414)", "application/json")},
    }


_TELL: Final = "Introspect a token (RFC 7662)"
_REVOKE: Final = "Revoke a token (RFC 7009)"


def _form(
    fields: dict[str, Json],
    needed: Sequence[str],
    summary: str,
    gives: Json,
    error: Json,
    *,
    status: str = "200",
) -> dict[str, Json]:
    done: dict[str, Json] = {"description": "Done."}
    if gives is not None:
        done["content"] = {"application/json": {"schema": gives}}
    return {
        "summary": summary,
        "requestBody": {
            "required": True,
            "content": {FORM: {"schema": {"type": "object", "properties": fields, "required": list(needed)}}},
        },
        "responses": {
            status: done,
            "default": {
                "description": "An OAuth error (RFC 6749 section 5.2).",
                "content": {"application/json": {"schema": error}},
            },
        },
        "security": [],
    }


def _page() -> dict[str, Json]:
    fields: dict[str, Json] = {**_REQUEST, "request_uri": {"type": "string", "description": "RFC 9126"}}
    page = {"content": {"text/html": {"schema": _TEXT}}}
    return {
        "summary": "Start an authorization: a person signs in and consents (RFC 6749 section 4.1, RFC 7636)",
        "parameters": [
            {"name": name, "in": "query", "required": name == "client_id", "schema": schema}
            for name, schema in fields.items()
        ],
        "responses": {
            "200": {"description": "The page that asks for consent.", **page},
            "302": {"description": "Redirect to sign-in, or back to the application."},
            "303": {"description": "Redirect to sign-in, or back to the application."},
            "default": {"description": "A page that describes the error.", **page},
        },
        "security": [],
    }


def _told(summary: str, media: str) -> dict[str, Json]:
    done = {"description": "Done.", "content": {media: {"schema": _OPEN}}}
    return {"summary": summary, "responses": {"200": done}, "security": []}
