# SPDX-License-Identifier: Apache-2.0
"""The grants by which remit requests a token from an authorization server.

remit presents its own client identity, its assertion about the person, another server's assertion, or the
refresh token of a person who has authorized remit.
"""

from __future__ import annotations

from typing import Final, Protocol

from remit.adapters.broker.http import BrokerResponse
from remit.adapters.broker.oauth.client import SourceClient, refused
from remit.core.draft_names import ID_JAG_TOKEN
from remit.core.errors import KeyUnavailable
from remit.ports.broker import LeaseWanted
from remit.ports.connector import KeptTokens
from remit.ports.upstream_assertion import AssertionIssuer

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"


class TokenSource(Protocol):
    """A way to request a task's token at a token endpoint.

    `keeps_refresh`: the source itself stores a refresh token that arrives with the token.
    """

    keeps_refresh: bool

    async def ask(
        self, client: SourceClient, url: str, wanted: LeaseWanted, target: dict[str, str]
    ) -> BrokerResponse:
        """Send the request and return the answer whatever its status; raises `KeyUnavailable`.

        `target` is what is requested: scope, resource.
        """
        ...


class OAuthGrant(Protocol):
    """The parameters of a token request beside scope and resource."""

    async def form(self, wanted: LeaseWanted, target: dict[str, str]) -> dict[str, str]:
        """Return the form for a task; raises `KeyUnavailable`. `target` is what is requested: scope,
        resource.
        """
        ...


class GrantForm:
    """`TokenSource` of a grant that consists of its form only."""

    keeps_refresh = False

    def __init__(self, grant: OAuthGrant) -> None:
        """Store the grant."""
        self._grant = grant

    async def ask(
        self, client: SourceClient, url: str, wanted: LeaseWanted, target: dict[str, str]
    ) -> BrokerResponse:
        """Send one request."""
        return await client.ask(url, await self._grant.form(wanted, target))


class RefreshGrant:
    """The refresh token grant (RFC 6749 section 6), with the refresh token of the person the task acts for.

    A server may issue a new refresh token with each answer; remit stores it before it uses the answer.
    """

    keeps_refresh = True

    def __init__(self, kept: KeptTokens) -> None:
        """Store where the refresh tokens are kept."""
        self._kept = kept

    async def ask(
        self, client: SourceClient, url: str, wanted: LeaseWanted, target: dict[str, str]
    ) -> BrokerResponse:
        """Send the request with the current refresh token."""

        async def use(refresh: str) -> tuple[BrokerResponse, str]:
            form = {"grant_type": "refresh_token", "refresh_token": refresh, **target}
            answer = await client.ask(url, form)
            told = answer.object
            if answer.status == 400 and told.get("error") == "invalid_grant":
                raise KeyUnavailable(
                    "the authorization server has revoked the person's consent",
                    code="connection-lost",
                    remediation="connect the upstream again at remit's page `/oauth/account`",
                )
            following = told.get("refresh_token") if answer.status == 200 else ""
            return answer, following if isinstance(following, str) and following != refresh else ""

        return await self._kept.used(wanted.upstream, wanted.task, use)


class ClientCredentialsGrant:
    """The client credentials grant (RFC 6749 section 4.4): the token is remit's own."""

    async def form(self, wanted: LeaseWanted, target: dict[str, str]) -> dict[str, str]:
        """Return the grant type and the target."""
        return {"grant_type": "client_credentials", **target}


class TokenExchangeGrant:
    """RFC 8693: a token of the person the task acts for, with the agent as its actor.

    remit asserts both, so the server has to trust remit's keys.
    """

    def __init__(self, assertion_issuer: AssertionIssuer, audience: str) -> None:
        """Store the issuer of assertions, and the server's audience value."""
        self._assertion_issuer = assertion_issuer
        self._audience = audience

    async def form(self, wanted: LeaseWanted, target: dict[str, str]) -> dict[str, str]:
        """Return the form with subject token and actor token."""
        return {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": await self._assertion_issuer.for_person(wanted.task, self._audience),
            "subject_token_type": JWT,
            "actor_token": await self._assertion_issuer.for_agent(wanted.task, self._audience),
            "actor_token_type": JWT,
            "requested_token_type": ACCESS_TOKEN,
            **target,
        }


class JwtBearerGrant:
    """RFC 7523 section 2.1: remit's assertion about the person, as an authorization grant."""

    def __init__(self, assertion_issuer: AssertionIssuer, audience: str) -> None:
        """Store the issuer of assertions, and the server's audience value."""
        self._assertion_issuer = assertion_issuer
        self._audience = audience

    async def form(self, wanted: LeaseWanted, target: dict[str, str]) -> dict[str, str]:
        """Return the form with the assertion."""
        assertion = await self._assertion_issuer.for_person(wanted.task, self._audience)
        return {"grant_type": JWT_BEARER, "assertion": assertion, **target}


class IdentityAssertionGrant:
    """ID-JAG (draft-ietf-oauth-identity-assertion-authz-grant).

    remit asks the organisation's identity provider whether this person's agent may access the server, and
    presents the provider's assertion to the server.
    """

    def __init__(self, provider: SourceClient, url: str, subject: OAuthGrant, audience: str) -> None:
        """Store the provider and its token endpoint.

        `subject` is the exchange at the provider, `audience` identifies the upstream's authorization server.
        """
        self._provider = provider
        self._url = url
        self._subject = subject
        self._audience = audience

    async def form(self, wanted: LeaseWanted, target: dict[str, str]) -> dict[str, str]:
        """Exchange for the assertion (section 4.3), and return it as a grant (section 4.4)."""
        at_server = {name: value for name, value in target.items() if name != "audience"}
        asked = await self._subject.form(wanted, at_server)
        asked |= {"requested_token_type": ID_JAG_TOKEN, "audience": self._audience}
        answer = await self._provider.ask(self._url, asked)
        told = answer.object
        assertion = told.get("access_token")
        if answer.status != 200 or not isinstance(assertion, str) or not assertion:
            raise refused("an identity assertion", answer)
        if told.get("issued_token_type") != ID_JAG_TOKEN:
            # A token of another type may be valid at another server, so it is presented to none.
            raise refused("an identity assertion", answer, "the issued token has another type")
        return {"grant_type": JWT_BEARER, "assertion": assertion, **at_server}
