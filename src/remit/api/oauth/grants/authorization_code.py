# SPDX-License-Identifier: Apache-2.0
"""Authorization code with PKCE (RFC 6749 section 4.1.3, RFC 7636): tokens for what a person has agreed to."""

from __future__ import annotations

from remit.api.oauth.grants.request import TokenRequest
from remit.core.oauth.resource import TASK_SCOPE
from remit.services.oauth.access_tokens import IssuedAccessToken

GRANT_TYPE = "authorization_code"


async def give(asked: TokenRequest) -> IssuedAccessToken:
    """Return the tokens for a code; a code works once."""
    form = asked.form
    code, redirect_uri, verifier = form.need("code"), form.need("redirect_uri"), form.need("code_verifier")
    asked.scope(TASK_SCOPE)
    client = await asked.client(public=True)
    return await asked.rooms.oauth.families.redeem(
        client,
        code,
        redirect_uri=redirect_uri,
        verifier=verifier,
        asking=asked.asking("authorization-code"),
        fits=asked.whole(),
    )
