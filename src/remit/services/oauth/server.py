# SPDX-License-Identifier: Apache-2.0
"""The authorization server: authentication, issuing, exchange, introspection, revocation."""

from __future__ import annotations

from dataclasses import dataclass

from remit.services.identity.one_time_codes import OneTimeCodes
from remit.services.oauth.access_tokens import AccessTokens
from remit.services.oauth.client_authentication import Clients
from remit.services.oauth.client_metadata import ClientDocuments
from remit.services.oauth.dpop_replay import DpopReplay
from remit.services.oauth.introspection import Introspection
from remit.services.oauth.jwt_bearer import IdentityAssertions
from remit.services.oauth.presented_tokens import PresentedTokens
from remit.services.oauth.refresh_tokens import RefreshTokens
from remit.services.oauth.token_exchange import TokenExchange


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationServer:
    """The services behind `/oauth`."""

    clients: Clients
    tokens: AccessTokens
    families: RefreshTokens
    exchange: TokenExchange
    introspection: Introspection
    assertions: IdentityAssertions
    documents: ClientDocuments
    tickets: OneTimeCodes
    proofs: DpopReplay
    presented: PresentedTokens
