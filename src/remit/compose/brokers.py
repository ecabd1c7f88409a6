# SPDX-License-Identifier: Apache-2.0
"""Where the credentials of upstreams come from, by the configuration."""

from __future__ import annotations

from contextlib import AsyncExitStack
from urllib.parse import urlsplit

from remit.adapters.broker.standing import StandingBroker
from remit.compose.bao_brokers import openbao_broker
from remit.compose.cloud_brokers import aws_broker, github_broker, kubernetes_broker
from remit.compose.sources import tls_of
from remit.config import (
    Config,
    LeaseSection,
    OAuthLeaseSection,
    PostgresLeaseSection,
    UpstreamSection,
)
from remit.ports.broker import Broker
from remit.ports.runtime import Clock, Entropy


def brokers_of(config: Config, clock: Clock, entropy: Entropy, stack: AsyncExitStack) -> dict[str, Broker]:
    """Give the broker of each upstream that needs a credential; `stack` closes their connections."""
    found: dict[str, Broker] = {}
    for name, section in config.upstreams.items():
        if section.lease is not None:
            found[name] = _leasing(section, section.lease, config, clock, entropy, stack)
        elif section.headers:
            found[name] = StandingBroker(
                name,
                {key: ref.resolve for key, ref in section.headers.items()},
                {key for key, ref in section.headers.items() if ref.secret},
            )
    return found


def _leasing(
    section: UpstreamSection,
    lease: LeaseSection,
    config: Config,
    clock: Clock,
    entropy: Entropy,
    stack: AsyncExitStack,
) -> Broker:
    if lease.postgres is not None:
        return _postgres(lease, lease.postgres, entropy)
    if lease.openbao is not None:
        return openbao_broker(lease, lease.openbao, config, clock, stack)
    if lease.aws is not None:
        return aws_broker(lease, lease.aws, config, clock, stack)
    if lease.github is not None:
        return github_broker(lease, lease.github, config, clock, stack)
    if lease.kubernetes is not None:
        return kubernetes_broker(lease, lease.kubernetes, config, clock, stack)
    assert lease.oauth is not None
    return _oauth(section, lease, lease.oauth, config, clock, stack)


def _postgres(lease: LeaseSection, postgres: PostgresLeaseSection, entropy: Entropy) -> Broker:
    from remit.adapters.broker.postgres import PostgresBroker

    return PostgresBroker(
        postgres.admin.resolve,
        grants=postgres.grants,
        headers=lease.headers,
        env=lease.env,
        entropy=entropy,
        connections=postgres.connections,
    )


def _oauth(
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
    web = BrokerWeb(f"the authorization server at `{where}`", tls=tls_of(oauth.tls_ca, config))
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
        env=lease.env,
    )
