# SPDX-License-Identifier: Apache-2.0
"""What this authorization server supports (RFC 8414), and nothing that it does not; its public keys."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from remit.api.oauth.paths import JWKS_PATH, TOKEN_PATH
from remit.api.wire import HEADERS, answer
from remit.core.token import AGENT_SCOPE, ALGORITHMS
from remit.services.house import House


def metadata(house: House) -> Response:
    """Give the metadata of the authorization server (RFC 8414)."""
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
