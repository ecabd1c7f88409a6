# SPDX-License-Identifier: Apache-2.0
"""An OAuth client for MCP servers, exactly as MCP's authorization requires (2025-11-25 and 2026-07-28).

- `discovery`: the authorization server that a resource trusts, and its metadata
- `endpoint`: requests to the token endpoint: client authentication, DPoP
- `grants`: ways to get a token: a person's consent, the client's own key, a workload's token, ID-JAG
- `client`: a token for a resource: requested, refreshed, stepped up; requests that carry it
"""

from remit_sdk.oauth.client import OAuthClient
from remit_sdk.oauth.endpoint import OAuthIdentity
from remit_sdk.oauth.grants import AuthorizationCode, ClientCredentials, EnterpriseGrant, WorkloadAssertion

__all__ = [
    "AuthorizationCode",
    "ClientCredentials",
    "EnterpriseGrant",
    "OAuthClient",
    "OAuthIdentity",
    "WorkloadAssertion",
]
