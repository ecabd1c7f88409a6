# SPDX-License-Identifier: Apache-2.0
"""The brokers of upstreams whose credentials are OAuth tokens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from remit.compose.sources import tls_of
from remit.config import Config, LeaseSection, OAuthLeaseSection, UpstreamSection
from remit.config.credentials.oauth import ClientRotationSection, OAuthClientSection
from remit.ports.broker import Broker
from remit.ports.connector import Connector, KeptTokens
from remit.ports.rotating import Rotating
from remit.ports.runtime import Clock, Entropy
from remit.ports.upstream_assertion import AssertionIssuer
from remit.services.credentials.secret_rotation import RotatedSecrets

if TYPE_CHECKING:
    from remit.adapters.broker.http import BrokerHttp, BrokerResponse
    from remit.adapters.broker.oauth.client import SourceClient
    from remit.adapters.broker.oauth.grants import OAuthGrant, TokenSource


def oauth_broker(
    section: UpstreamSection,
    lease: LeaseSection,
    oauth: OAuthLeaseSection,
    config: Config,
    clock: Clock,
    entropy: Entropy,
    assertion_issuer: AssertionIssuer,
    kept: KeptTokens,
    known_by: Callable[[], str],
    stack: AsyncExitStack,
) -> Broker:
    """Return the broker of an upstream whose credentials are tokens; `known_by` reads its client secret."""
    from remit.adapters.broker.oauth.tokens import OAuthBroker, OAuthInjection

    web = _web(oauth, config, stack)
    return OAuthBroker(
        urlsplit(oauth.probe_url or section.url or oauth.token_url).netloc,
        OAuthInjection(
            token=oauth.token_url,
            revoke=oauth.revoke_url,
            introspect=oauth.introspect_url,
            probe=oauth.probe_url,
        ),
        client=_client(oauth, known_by, web, clock, entropy),
        source=_source(oauth, config, clock, entropy, assertion_issuer, kept, stack),
        web=web,
        clock=clock,
        scopes=oauth.scopes,
        tool_scopes=oauth.tool_scopes,
        may_give=oauth.may_give,
        audience=oauth.audience,
        resource=oauth.resource,
        headers=lease.headers,
        env=lease.env,
    )


def known_by_of(name: str, oauth: OAuthLeaseSection, rotated: RotatedSecrets) -> Callable[[], str]:
    """Return a reader of remit's credential at an upstream's server: a key, or the secret in use."""
    if oauth.rotate is None:
        return _configured(oauth)
    from remit.adapters.broker.oauth.registration import secret_in

    read = rotated.reader(name)
    return lambda: secret_in(read())


def client_secret_of(
    oauth: OAuthLeaseSection,
    rotate: ClientRotationSection,
    config: Config,
    clock: Clock,
    entropy: Entropy,
    stack: AsyncExitStack,
) -> Rotating:
    """Return the rotation of a client's secret, through the client's record at the server."""
    from remit.adapters.broker.oauth.registration import OAuthClientSecret

    web = _web(oauth, config, stack)

    async def tried(secret: str) -> BrokerResponse:
        client = _client(oauth, lambda: secret, web, clock, entropy)
        return await client.ask(oauth.revoke_url, {"token": "of-nobody", "token_type_hint": "access_token"})

    return OAuthClientSecret(
        rotate.registration_url,
        oauth.client_id,
        first=_configured(oauth),
        opens=rotate.registration_token.resolve,
        tried=tried,
        web=web,
    )


def connectors_of(
    config: Config, clock: Clock, entropy: Entropy, rotated: RotatedSecrets, stack: AsyncExitStack
) -> dict[str, Connector]:
    """Return the authorization servers at which people connect upstreams."""
    found: dict[str, Connector] = {}
    for name, section in config.upstreams.items():
        oauth = section.lease.oauth if section.lease is not None else None
        if oauth is not None and oauth.grant == "refresh-token":
            from remit.adapters.broker.oauth.connection import OAuthConnector

            found[name] = OAuthConnector(
                _client(oauth, known_by_of(name, oauth, rotated), _web(oauth, config, stack), clock, entropy),
                authorize=oauth.authorize_url,
                token=oauth.token_url,
                revoke=oauth.revoke_url,
                issuer=oauth.issuer,
                iss_required=oauth.iss_required,
                may_give=oauth.may_give,
                scopes=(*oauth.scopes, *(one for each in oauth.tool_scopes.values() for one in each)),
                resource=oauth.resource,
            )
    return found


def _source(
    oauth: OAuthLeaseSection,
    config: Config,
    clock: Clock,
    entropy: Entropy,
    assertion_issuer: AssertionIssuer,
    kept: KeptTokens,
    stack: AsyncExitStack,
) -> TokenSource:
    from remit.adapters.broker.oauth.grants import GrantForm, RefreshGrant

    if oauth.grant == "refresh-token":
        return RefreshGrant(kept)
    return GrantForm(_grant(oauth, config, clock, entropy, assertion_issuer, stack))


def _grant(
    oauth: OAuthLeaseSection,
    config: Config,
    clock: Clock,
    entropy: Entropy,
    assertion_issuer: AssertionIssuer,
    stack: AsyncExitStack,
) -> OAuthGrant:
    from remit.adapters.broker.oauth.grants import (
        ClientCredentialsGrant,
        IdentityAssertionGrant,
        JwtBearerGrant,
        TokenExchangeGrant,
    )

    if oauth.grant == "token-exchange":
        return TokenExchangeGrant(assertion_issuer, oauth.called)
    if oauth.grant == "jwt-bearer":
        return JwtBearerGrant(assertion_issuer, oauth.called)
    if oauth.idp is not None:
        at = _web(oauth.idp, config, stack)
        provider = _client(oauth.idp, _configured(oauth.idp), at, clock, entropy)
        subject = TokenExchangeGrant(assertion_issuer, oauth.idp.called)
        return IdentityAssertionGrant(provider, oauth.idp.token_url, subject, oauth.called)
    return ClientCredentialsGrant()


def _configured(at: OAuthClientSection) -> Callable[[], str]:
    known_by = at.client_key or at.client_secret
    assert known_by is not None
    return known_by.resolve


def _client(
    at: OAuthClientSection, known_by: Callable[[], str], web: BrokerHttp, clock: Clock, entropy: Entropy
) -> SourceClient:
    from remit.adapters.broker.oauth.client import SourceClient

    return SourceClient(
        at.client_id,
        known_by,
        method="private_key_jwt" if at.client_key else at.client_auth,
        audience=at.called,
        web=web,
        clock=clock,
        entropy=entropy,
    )


def _web(at: OAuthClientSection, config: Config, stack: AsyncExitStack) -> BrokerHttp:
    from remit.adapters.broker.http import BrokerHttp

    where = urlsplit(at.token_url).netloc
    web = BrokerHttp(f"the authorization server at `{where}`", tls=tls_of(at.tls_ca, config))
    stack.push_async_callback(web.close)
    return web
