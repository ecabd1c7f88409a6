# SPDX-License-Identifier: Apache-2.0
"""JWT bearer (RFC 7523 section 2.1): an assertion is the grant.

A workload's token authenticates its agent. An identity assertion (ID-JAG) names a person; the agent may act
for that person.
"""

from __future__ import annotations

from dataclasses import replace

from remit.api.oauth.client_authentication import noticed
from remit.api.oauth.forms import GrantRefused, OAuthRefused
from remit.api.oauth.grants.request import TokenRequest
from remit.core.draft_names import ID_JAG_HEADER_TYPE, MISSION_PARAMETER
from remit.core.errors import Malformed, Unauthenticated
from remit.core.keys.jws import read_compact
from remit.core.oauth.mission import BAD_DETAILS
from remit.core.oauth.resource import TASK_SCOPE
from remit.ports.attestor import JWT_TYPE
from remit.services.oauth.access_tokens import IssuedAccessToken
from remit.services.oauth.client_authentication import MAX_ASSERTION

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"


async def give(asked: TokenRequest) -> IssuedAccessToken:
    """Return a token to the agent whose workload the assertion proves.

    RFC 7521 section 4.1: client authentication is optional here; if the client does authenticate, it must be
    the same agent.
    """
    assertion = asked.form.need("assertion")
    if _type_of(assertion) == ID_JAG_HEADER_TYPE:
        return await _identity(asked, assertion)
    try:
        workload = await asked.rooms.oauth.clients.by_workload_token(
            assertion, JWT_TYPE, asked.form.get("client_id")
        )
    except Unauthenticated as error:
        # RFC 7521 section 4.1.1: an invalid assertion is an invalid grant.
        code = "invalid_grant" if error.code == "invalid_client" else error.code
        raise GrantRefused(
            error.message, code=code, remediation=error.remediation, debug=error.debug
        ) from None
    noticed(asked.request, asked.form, asked.rooms, workload)
    if "client_assertion" in asked.form:
        client = await asked.client()
        if client.agent.name != workload.agent.name:
            raise OAuthRefused("invalid_grant", "the assertion names another agent than the client")
    return await asked.for_client(workload, "jwt-bearer")


def _type_of(assertion: str) -> str:
    """Return the `typ` of an assertion that has not been verified yet."""
    try:
        found = read_compact(assertion, max_bytes=MAX_ASSERTION, permitted=("x5t",)).header.get("typ")
    except Malformed:
        return ""
    return found.lower().removeprefix("application/") if isinstance(found, str) else ""


async def _identity(asked: TokenRequest, assertion: str) -> IssuedAccessToken:
    """Return a token for the task of the person that an identity assertion names."""
    asked.scope(TASK_SCOPE)
    if asked.details() is not None:
        raise OAuthRefused(BAD_DETAILS, "the task type decides the grants of an identity assertion")
    client = await asked.client()
    asking = asked.asking("id-jag")
    live, audience = await asked.rooms.oauth.assertions.task(
        client,
        assertion,
        task_type=asked.form.get("task_type"),
        mission=asked.form.get(MISSION_PARAMETER),
        wanted=asking.audience,
    )
    return await asked.rooms.oauth.tokens.for_task(client, live, replace(asking, audience=audience))
