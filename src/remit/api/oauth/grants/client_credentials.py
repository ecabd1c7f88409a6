# SPDX-License-Identifier: Apache-2.0
"""Client credentials (RFC 6749 section 4.4): an agent asks for itself, or for a task of its own."""

from __future__ import annotations

from remit.api.oauth.grants.request import TokenRequest
from remit.services.oauth.access_tokens import IssuedAccessToken

GRANT_TYPE = "client_credentials"


async def give(asked: TokenRequest) -> IssuedAccessToken:
    """Return the token. Section 4.4.3: there is no refresh token, the client can ask again."""
    return await asked.for_client(await asked.client(), "client-credentials")
