# SPDX-License-Identifier: Apache-2.0
"""Where the credentials of upstreams come from, by the configuration."""

from __future__ import annotations

import ssl
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

from remit.adapters.broker.standing import StandingBroker
from remit.config import Config, LeaseSection, OAuthLeaseSection, UpstreamSection
from remit.ports.broker import Broker
from remit.ports.runtime import Clock


def brokers_of(config: Config, clock: Clock, stack: AsyncExitStack | None = None) -> dict[str, Broker]:
    """Give the broker of each upstream that needs a credential; `stack` closes their connections."""
    found: dict[str, Broker] = {}
    for name, section in config.upstreams.items():
        if section.lease is not None:
            found[name] = _leasing(name, section, section.lease, config, clock, stack or AsyncExitStack())
        elif section.headers:
            found[name] = StandingBroker(
                name,
                {key: ref.resolve for key, ref in section.headers.items()},
                {key for key, ref in section.headers.items() if ref.secret},
            )
    return found


def _leasing(
    name: str,
    section: UpstreamSection,
    lease: LeaseSection,
    config: Config,
    clock: Clock,
    stack: AsyncExitStack,
) -> Broker:
    assert lease.oauth is not None
    return _oauth(name, section, lease, lease.oauth, config, clock, stack)


def _oauth(
    name: str,
    section: UpstreamSection,
    lease: LeaseSection,
    oauth: OAuthLeaseSection,
    config: Config,
    clock: Clock,
    stack: AsyncExitStack,
) -> Broker:
    from remit.adapters.broker.oauth import OAuthBroker, OAuthPlaces
    from remit.adapters.broker.web import BrokerWeb

    where = urlsplit(oauth.token_url).netloc
    web = BrokerWeb(f"the authorization server at `{where}`", tls=_tls(oauth.tls_ca, config))
    stack.push_async_callback(web.close)
    return OAuthBroker(
        urlsplit(oauth.probe_url or section.url).netloc,
        OAuthPlaces(
            token=oauth.token_url,
            revoke=oauth.revoke_url,
            introspect=oauth.introspect_url,
            probe=oauth.probe_url,
        ),
        client_id=oauth.client_id,
        secret=oauth.client_secret.resolve,
        web=web,
        clock=clock,
        authenticate=oauth.client_auth,
        scopes=oauth.scopes,
        tool_scopes=oauth.tool_scopes,
        audience=oauth.audience,
        resource=oauth.resource,
        headers=lease.headers,
    )


def _tls(ca: str, config: Config) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=str(config.at(ca))) if ca else None
