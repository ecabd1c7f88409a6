# SPDX-License-Identifier: Apache-2.0
"""An OAuth client for MCP servers, to the letter of MCP's authorization (2025-11-25 and 2026-07-28).

discovery   which authorization server a resource trusts, and what that server says of itself
endpoint    requests of the token endpoint: client authentication, DPoP
grants      how a token is come by: a person's consent, the client's own key, a workload's token, ID-JAG
client      a token for a resource: gotten, refreshed, stepped up; requests that carry it
"""

from remit.sdk.oauth.client import OAuthClient
from remit.sdk.oauth.endpoint import OAuthIdentity
from remit.sdk.oauth.grants import AuthorizationCode, ClientCredentials, EnterpriseGrant, WorkloadAssertion

__all__ = [
    "AuthorizationCode",
    "ClientCredentials",
    "EnterpriseGrant",
    "OAuthClient",
    "OAuthIdentity",
    "WorkloadAssertion",
]
