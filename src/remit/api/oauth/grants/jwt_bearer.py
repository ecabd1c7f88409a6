# SPDX-License-Identifier: Apache-2.0
"""JWT bearer (RFC 7523 section 2.1): a workload's own token stands for its agent."""

from __future__ import annotations

from remit.api.oauth.form import OAuthRefused
from remit.api.oauth.grants.asked import TokenRequest
from remit.core.errors import Malformed, Unauthenticated
from remit.ports.attestor import JWT_TYPE
from remit.services.tokens import TokenGiven

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"


async def give(asked: TokenRequest) -> TokenGiven:
    """Give a token to the agent whose workload the assertion proves.

    RFC 7521 section 4.1: the client need not prove itself besides; where it does, it is the same agent.
    """
    assertion = asked.form.need("assertion")
    try:
        workload = await asked.house.oauth.clients.by_workload_token(
            assertion, JWT_TYPE, asked.form.get("client_id")
        )
    except Unauthenticated as error:
        # RFC 7521 section 4.1.1: an assertion that does not hold is a bad grant.
        raise Malformed(
            error.message, code="invalid_grant", way_out=error.way_out, debug=error.code
        ) from None
    if "client_assertion" in asked.form:
        client = await asked.client()
        if client.agent.name != workload.agent.name:
            raise OAuthRefused("invalid_grant", "the assertion is of another agent than the client")
    return await asked.for_client(workload, "jwt-bearer")
