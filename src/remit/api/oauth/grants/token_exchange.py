# SPDX-License-Identifier: Apache-2.0
"""Token exchange (RFC 8693): the same task for another resource, or a part of it for another agent."""

from __future__ import annotations

from typing import Final

from remit.api.oauth.form import OAuthRefused
from remit.api.oauth.grants.asked import TokenRequest
from remit.core.resource import TASK_SCOPE
from remit.services.exchange import Exchanged
from remit.services.tokens import TokenGiven

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"
JWT: Final = "urn:ietf:params:oauth:token-type:jwt"


async def give(asked: TokenRequest) -> TokenGiven:
    """Give the new token (section 2.1)."""
    form = asked.form
    subject = form.need("subject_token")
    if form.need("subject_token_type") not in (ACCESS_TOKEN, JWT):
        raise OAuthRefused("invalid_request", f"the subject token is of type `{ACCESS_TOKEN}`")
    # Section 2.1: the actor's type is there if, and only if, its token is.
    if ("actor_token" in form) != ("actor_token_type" in form):
        raise OAuthRefused("invalid_request", "`actor_token` and `actor_token_type` come together")
    if form.get("actor_token_type", ACCESS_TOKEN) not in (ACCESS_TOKEN, JWT):
        raise OAuthRefused("invalid_request", f"the actor token is of type `{ACCESS_TOKEN}`")
    if form.get("requested_token_type", ACCESS_TOKEN) not in (ACCESS_TOKEN, JWT):
        raise OAuthRefused("invalid_request", f"what can be requested is of type `{ACCESS_TOKEN}`")
    asked.scope(TASK_SCOPE)
    client = await asked.client()
    wanted = Exchanged(
        subject_token=subject,
        actor_token=form.get("actor_token"),
        details=asked.details(),
        task_type=form.get("task_type"),
        brief=form.get("brief"),
    )
    return await asked.house.oauth.exchange.exchange(client, wanted, asked.asking("token-exchange"))
