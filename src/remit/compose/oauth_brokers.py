# SPDX-License-Identifier: Apache-2.0
"""The brokers of upstreams whose credentials are OAuth tokens."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from remit.compose.sources import tls_of
from remit.config import Config, LeaseSection, OAuthLeaseSection, UpstreamSection
from remit.config.lease_oauth import OAuthClientSection
from remit.ports.broker import Broker
from remit.ports.connector import Connector, KeptTokens
from remit.ports.runtime import Clock, Entropy
from remit.ports.voucher import Voucher

if TYPE_CHECKING:
    from remit.adapters.broker.oauth_client import SourceClient
    from remit.adapters.broker.oauth_grants import OAuthGrant, TokenSource
    from remit.adapters.broker.web import BrokerWeb


def oauth_broker(
    section: UpstreamSection,
    lease: LeaseSection,
    oauth: OAuthLeaseSection,
    config: Config,
    clock: Clock,
    entropy: Entropy,
    voucher: Voucher,
    kept: KeptTokens,
    stack: AsyncExitStack,
) -> Broker:
    """Give the broker of an upstream whose credentials are tokens."""
    from remit.adapters.broker.oauth import OAuthBroker, OAuthPlaces

    web = _web(oauth, config, stack)
    return OAuthBroker(
        urlsplit(oauth.probe_url or section.url or oauth.token_url).netloc,
        OAuthPlaces(
            token=oauth.token_url,
            revoke=oauth.revoke_url,
            introspect=oauth.introspect_url,
            probe=oauth.probe_url,
        ),
        client=_client(oauth, web, clock, entropy),
        source=_source(oauth, config, clock, entropy, voucher, kept, stack),
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


def connectors_of(
    config: Config, clock: Clock, entropy: Entropy, stack: AsyncExitStack
) -> dict[str, Connector]:
    """Give the authorization servers at which people connect upstreams."""
    found: dict[str, Connector] = {}
    for name, section in config.upstreams.items():
        oauth = section.lease.oauth if section.lease is not None else None
        if oauth is not None and oauth.grant == "refresh-token":
            from remit.adapters.broker.oauth_connection import OAuthConnector

            found[name] = OAuthConnector(
                _client(oauth, _web(oauth, config, stack), clock, entropy),
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
    voucher: Voucher,
    kept: KeptTokens,
    stack: AsyncExitStack,
) -> TokenSource:
    from remit.adapters.broker.oauth_grants import AskingForm, ByRefresh

    if oauth.grant == "refresh-token":
        return ByRefresh(kept)
    return AskingForm(_grant(oauth, config, clock, entropy, voucher, stack))


def _grant(
    oauth: OAuthLeaseSection,
    config: Config,
    clock: Clock,
    entropy: Entropy,
    voucher: Voucher,
    stack: AsyncExitStack,
) -> OAuthGrant:
    from remit.adapters.broker.oauth_grants import (
        AsItself,
        ByAssertion,
        ByExchange,
        ByIdentityAssertion,
    )

    if oauth.grant == "token-exchange":
        return ByExchange(voucher, oauth.called)
    if oauth.grant == "jwt-bearer":
        return ByAssertion(voucher, oauth.called)
    if oauth.idp is not None:
        provider = _client(oauth.idp, _web(oauth.idp, config, stack), clock, entropy)
        subject = ByExchange(voucher, oauth.idp.called)
        return ByIdentityAssertion(provider, oauth.idp.token_url, subject, oauth.called)
    return AsItself()


def _client(at: OAuthClientSection, web: BrokerWeb, clock: Clock, entropy: Entropy) -> SourceClient:
    from remit.adapters.broker.oauth_client import SourceClient

    known_by = at.client_key or at.client_secret
    assert known_by is not None
    return SourceClient(
        at.client_id,
        known_by.resolve,
        method="private_key_jwt" if at.client_key else at.client_auth,
        audience=at.called,
        web=web,
        clock=clock,
        entropy=entropy,
    )


def _web(at: OAuthClientSection, config: Config, stack: AsyncExitStack) -> BrokerWeb:
    from remit.adapters.broker.web import BrokerWeb

    where = urlsplit(at.token_url).netloc
    web = BrokerWeb(f"the authorization server at `{where}`", tls=tls_of(at.tls_ca, config))
    stack.push_async_callback(web.close)
    return web
