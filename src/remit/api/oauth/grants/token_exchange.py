# SPDX-License-Identifier: Apache-2.0
"""Token exchange (RFC 8693): the same task for another resource, or a subtask for another agent."""

from __future__ import annotations

from typing import Final

from remit.api.oauth.forms import OAuthRefused
from remit.api.oauth.grants.request import TokenRequest
from remit.core.draft_names import MISSION_PARAMETER
from remit.core.oauth.mission import BAD_DETAILS
from remit.core.oauth.resource import TASK_SCOPE
from remit.services.oauth.access_tokens import IssuedAccessToken
from remit.services.oauth.client_authentication import TokenClient
from remit.services.oauth.token_exchange import Exchanged

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"
JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
ID_TOKEN: Final = "urn:ietf:params:oauth:token-type:id_token"


async def give(asked: TokenRequest) -> IssuedAccessToken:
    """Return the new token (section 2.1)."""
    form = asked.form
    subject = form.need("subject_token")
    kind = form.need("subject_token_type")
    if kind not in (ACCESS_TOKEN, JWT, ID_TOKEN):
        raise OAuthRefused("invalid_request", f"the subject token's type is `{ACCESS_TOKEN}` or `{ID_TOKEN}`")
    # Section 2.1: `actor_token_type` is present if and only if `actor_token` is.
    if ("actor_token" in form) != ("actor_token_type" in form):
        raise OAuthRefused("invalid_request", "`actor_token` and `actor_token_type` must be given together")
    if form.get("actor_token_type", ACCESS_TOKEN) not in (ACCESS_TOKEN, JWT):
        raise OAuthRefused("invalid_request", f"the actor token is of type `{ACCESS_TOKEN}`")
    if form.get("requested_token_type", ACCESS_TOKEN) not in (ACCESS_TOKEN, JWT):
        raise OAuthRefused("invalid_request", f"only type `{ACCESS_TOKEN}` can be requested")
    asked.scope(TASK_SCOPE)
    client = await asked.client()
    if kind == ID_TOKEN:
        return await _for_person(asked, client, subject)
    wanted = Exchanged(
        subject_token=subject,
        actor_token=form.get("actor_token"),
        details=asked.details(),
        task_type=form.get("task_type"),
        brief=form.get("brief"),
    )
    return await asked.rooms.oauth.exchange.exchange(client, wanted, asked.asking("token-exchange"))


async def _for_person(asked: TokenRequest, client: TokenClient, id_token: str) -> IssuedAccessToken:
    """Return a token to act for the person of an ID token, if the task type trusts its issuer."""
    if "actor_token" in asked.form:
        raise OAuthRefused(
            "invalid_request", "the agent that acts for a person must present the ID token itself"
        )
    if asked.details() is not None:
        raise OAuthRefused(BAD_DETAILS, "the task type decides the grants of a person's token")
    live = await asked.rooms.oauth.assertions.of_person(
        client,
        id_token,
        task_type=asked.form.get("task_type"),
        mission=asked.form.get(MISSION_PARAMETER),
    )
    return await asked.rooms.oauth.tokens.for_task(client, live, asked.asking("token-exchange"))
