# SPDX-License-Identifier: Apache-2.0
"""Refresh (RFC 6749 section 6): returns the next access token and the next refresh token."""

from __future__ import annotations

from remit.api.oauth.grants.request import TokenRequest
from remit.core.oauth.resource import TASK_SCOPE
from remit.services.oauth.access_tokens import IssuedAccessToken

GRANT_TYPE = "refresh_token"


async def give(asked: TokenRequest) -> IssuedAccessToken:
    """Return the next tokens; a refresh token works once."""
    text = asked.form.need("refresh_token")
    asked.scope(TASK_SCOPE)
    client = await asked.client(public=True)
    return await asked.rooms.oauth.families.refresh(
        client, text, asked.asking("refresh-token"), asked.whole()
    )
