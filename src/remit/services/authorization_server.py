# SPDX-License-Identifier: Apache-2.0
"""The authorization server as its doors use it: who asks, what is issued, exchanged, told and taken back."""

from __future__ import annotations

from dataclasses import dataclass

from remit.services.clients import Clients
from remit.services.exchange import TokenExchange
from remit.services.families import Families
from remit.services.identity_assertions import IdentityAssertions
from remit.services.introspection import Introspection
from remit.services.tokens import AccessTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationServer:
    """The services behind `/oauth`."""

    clients: Clients
    tokens: AccessTokens
    families: Families
    exchange: TokenExchange
    introspection: Introspection
    assertions: IdentityAssertions
