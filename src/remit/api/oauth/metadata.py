# SPDX-License-Identifier: Apache-2.0
"""The metadata of this authorization server (RFC 8414), limited to what it supports; and its public keys."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.responses import Response

from remit.api.http_messages import HEADERS, answer
from remit.api.oauth.client_authentication import CERTIFICATE_METHODS, METHODS
from remit.api.oauth.paths import (
    AUTHORIZE_PATH,
    INTROSPECTION_PATH,
    JWKS_PATH,
    PUSHED_PATH,
    REVOCATION_PATH,
    TOKEN_PATH,
)
from remit.api.oauth.rooms import OAuthRooms
from remit.api.oauth.token_endpoint import GRANTS
from remit.core.draft_names import (
    CLIENT_DOCUMENTS_SUPPORTED,
    GRANT_PROFILES,
    ID_JAG_PROFILE,
    MISSION_ACCESS,
    MISSION_SUPPORTED,
)
from remit.core.oauth.access_token import AGENT_SCOPE, ALGORITHMS
from remit.core.oauth.resource import TASK_SCOPE


def metadata(rooms: OAuthRooms) -> Response:
    """Return the metadata of the authorization server (RFC 8414)."""
    issuer = rooms.identity.authenticator.issuer
    # RFC 8705: a certificate needs TLS.
    secure = issuer.startswith("https://")
    methods = [one for one in METHODS if secure or one not in CERTIFICATE_METHODS]
    public = ["none"] if rooms.oauth.documents.taken else []
    return answer(
        {
            "issuer": issuer,
            "token_endpoint": issuer + TOKEN_PATH,
            "jwks_uri": issuer + JWKS_PATH,
            "introspection_endpoint": issuer + INTROSPECTION_PATH,
            "revocation_endpoint": issuer + REVOCATION_PATH,
            "scopes_supported": [AGENT_SCOPE, TASK_SCOPE],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "authorization_endpoint": issuer + AUTHORIZE_PATH,
            "pushed_authorization_request_endpoint": issuer + PUSHED_PATH,
            "code_challenge_methods_supported": ["S256"],
            # RFC 9207 section 3.
            "authorization_response_iss_parameter_supported": True,
            CLIENT_DOCUMENTS_SUPPORTED: rooms.oauth.documents.taken,
            "grant_types_supported": sorted(GRANTS),
            **_methods("token", (*methods, *public)),
            **_methods("introspection", methods),
            **_methods("revocation", (*methods, *public)),
            "dpop_signing_alg_values_supported": list(ALGORITHMS),
            "tls_client_certificate_bound_access_tokens": secure,
            "authorization_details_types_supported": [MISSION_ACCESS],
            MISSION_SUPPORTED: True,
            GRANT_PROFILES: [ID_JAG_PROFILE],
        }
    )


def _methods(endpoint: str, names: Sequence[str]) -> dict[str, list[str]]:
    return {
        f"{endpoint}_endpoint_auth_methods_supported": list(names),
        f"{endpoint}_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
    }


def jwks(rooms: OAuthRooms) -> Response:
    """Return the public keys of remit's tokens (RFC 7517)."""
    return Response(
        msgspec.json.encode(rooms.keys.tokens.jwks()), media_type="application/jwk-set+json", headers=HEADERS
    )
