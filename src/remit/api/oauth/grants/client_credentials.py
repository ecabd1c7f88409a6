# SPDX-License-Identifier: Apache-2.0
"""Client credentials (RFC 6749 section 4.4): an agent requests a token for itself or for one of its tasks."""

from __future__ import annotations

from remit.api.oauth.grants.request import TokenRequest
from remit.services.oauth.access_tokens import IssuedAccessToken

GRANT_TYPE = "client_credentials"


async def give(asked: TokenRequest) -> IssuedAccessToken:
    """Return the token. Section 4.4.3: there is no refresh token, because the client can repeat the
    request.
    """
    return await asked.for_client(await asked.client(), "client-credentials")
