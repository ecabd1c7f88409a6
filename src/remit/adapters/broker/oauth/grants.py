# SPDX-License-Identifier: Apache-2.0
"""What an authorization server is shown for a token: remit's own name, its word on the person, another
server's word, or what the person has let remit have.
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
    """A way to ask a token endpoint for the token of a task.

    `keeps_refresh`: a refresh token that comes beside it has a place already.
    """

    keeps_refresh: bool

    async def ask(
        self, client: SourceClient, url: str, wanted: LeaseWanted, target: dict[str, str]
    ) -> BrokerResponse:
        """Ask, and give the answer whatever its status; raises `KeyUnavailable`. `target` is what is asked
        for: scope, resource.
        """
        ...


class OAuthGrant(Protocol):
    """What goes into the request of a token, beside scope and resource."""

    async def form(self, wanted: LeaseWanted, target: dict[str, str]) -> dict[str, str]:
        """Return it for a task; raises `KeyUnavailable`. `target` is what is asked for: scope, resource."""
        ...


class GrantForm:
    """`TokenSource` of a grant that needs no more than its form."""

    keeps_refresh = False

    def __init__(self, grant: OAuthGrant) -> None:
        """Take the grant."""
        self._grant = grant

    async def ask(
        self, client: SourceClient, url: str, wanted: LeaseWanted, target: dict[str, str]
    ) -> BrokerResponse:
        """Ask once."""
        return await client.ask(url, await self._grant.form(wanted, target))


class RefreshGrant:
    """RFC 6749 section 6, with the refresh token of the person whom the task is for. A server may give the
    next one with each answer; it is kept before the answer is used.
    """

    keeps_refresh = True

    def __init__(self, kept: KeptTokens) -> None:
        """Take where they are kept."""
        self._kept = kept

    async def ask(
        self, client: SourceClient, url: str, wanted: LeaseWanted, target: dict[str, str]
    ) -> BrokerResponse:
        """Ask with the token that counts now."""

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
    """RFC 6749 section 4.4: the token is remit's own."""

    async def form(self, wanted: LeaseWanted, target: dict[str, str]) -> dict[str, str]:
        """Return the grant alone."""
        return {"grant_type": "client_credentials", **target}


class TokenExchangeGrant:
    """RFC 8693: the token is the person's whom the task is for, with the agent as its actor.

    Both are remit's word: the server is to trust its keys.
    """

    def __init__(self, assertion_issuer: AssertionIssuer, audience: str) -> None:
        """Take what vouches, and what the server is called."""
        self._assertion_issuer = assertion_issuer
        self._audience = audience

    async def form(self, wanted: LeaseWanted, target: dict[str, str]) -> dict[str, str]:
        """Return subject and actor."""
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
    """RFC 7523 section 2.1: the same word, as a grant."""

    def __init__(self, assertion_issuer: AssertionIssuer, audience: str) -> None:
        """Take what vouches, and what the server is called."""
        self._assertion_issuer = assertion_issuer
        self._audience = audience

    async def form(self, wanted: LeaseWanted, target: dict[str, str]) -> dict[str, str]:
        """Return the assertion."""
        assertion = await self._assertion_issuer.for_person(wanted.task, self._audience)
        return {"grant_type": JWT_BEARER, "assertion": assertion, **target}


class IdentityAssertionGrant:
    """ID-JAG (draft-ietf-oauth-identity-assertion-authz-grant): the organisation's provider is asked whether
    this person's agent may go to that server, and its answer is what the server is shown.
    """

    def __init__(self, provider: SourceClient, url: str, subject: OAuthGrant, audience: str) -> None:
        """Take the provider and its token endpoint; `subject` is the exchange there, `audience` what the
        server of the upstream is called.
        """
        self._provider = provider
        self._url = url
        self._subject = subject
        self._audience = audience

    async def form(self, wanted: LeaseWanted, target: dict[str, str]) -> dict[str, str]:
        """Exchange for the assertion (section 4.3), and give it as a grant (section 4.4)."""
        at_server = {name: value for name, value in target.items() if name != "audience"}
        asked = await self._subject.form(wanted, at_server)
        asked |= {"requested_token_type": ID_JAG_TOKEN, "audience": self._audience}
        answer = await self._provider.ask(self._url, asked)
        told = answer.object
        assertion = told.get("access_token")
        if answer.status != 200 or not isinstance(assertion, str) or not assertion:
            raise refused("an identity assertion", answer)
        if told.get("issued_token_type") != ID_JAG_TOKEN:
            # What is something else may be good elsewhere: it is shown to nobody.
            raise refused("an identity assertion", answer, "the issued token has another type")
        return {"grant_type": JWT_BEARER, "assertion": assertion, **at_server}
