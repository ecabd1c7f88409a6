# SPDX-License-Identifier: Apache-2.0
"""The sources of upstream credentials, from the configuration."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from remit.adapters.broker.standing_secret import StandingBroker
from remit.adapters.runtime.system import SystemEntropy
from remit.compose.cloud_brokers import aws_broker, github_broker, kubernetes_broker
from remit.compose.oauth_brokers import known_by_of, oauth_broker
from remit.compose.openbao_brokers import openbao_broker
from remit.compose.sources import tls_of
from remit.config import (
    Config,
    LeaseSection,
    PostgresLeaseSection,
)
from remit.config.credentials.password import PasswordLeaseSection
from remit.ports.broker import Broker, SecretProbe
from remit.ports.connector import KeptTokens
from remit.ports.runtime import Clock, Entropy
from remit.ports.upstream_assertion import AssertionIssuer
from remit.services.credentials.secret_rotation import RotatedSecrets

if TYPE_CHECKING:
    from remit.adapters.broker.postgres.roles import PostgresBroker


def brokers_of(
    config: Config,
    clock: Clock,
    entropy: Entropy,
    assertion_issuer: AssertionIssuer,
    kept: KeptTokens,
    rotated: RotatedSecrets,
    stack: AsyncExitStack,
) -> dict[str, Broker]:
    """Return the broker of each upstream that needs a credential; `stack` closes their connections."""
    found: dict[str, Broker] = {}
    for name, section in config.upstreams.items():
        if section.lease is not None and section.lease.password is not None:
            found[name] = _standing_password(name, section.lease, section.lease.password, rotated)
        elif section.lease is not None:
            found[name] = _leasing(
                name, section.lease, config, clock, entropy, assertion_issuer, kept, rotated, stack
            )
        elif section.headers:
            found[name] = StandingBroker(
                name,
                {key: ref.resolve for key, ref in section.headers.items()},
                {key for key, ref in section.headers.items() if ref.secret},
            )
        elif held := [
            ref.resolve().removeprefix(ref.lead).strip() for ref in section.env.values() if ref.secret
        ]:
            found[name] = StandingBroker(name, {}, held=held)
    return found


def _leasing(
    name: str,
    lease: LeaseSection,
    config: Config,
    clock: Clock,
    entropy: Entropy,
    assertion_issuer: AssertionIssuer,
    kept: KeptTokens,
    rotated: RotatedSecrets,
    stack: AsyncExitStack,
) -> Broker:
    section = config.upstreams[name]
    if lease.postgres is not None:
        return _postgres(lease, lease.postgres, entropy)
    if lease.openbao is not None:
        return openbao_broker(lease, lease.openbao, config, clock, stack, sink_ca=section.tls_ca)
    if lease.aws is not None:
        return aws_broker(lease, lease.aws, config, clock, stack)
    if lease.github is not None:
        return github_broker(lease, lease.github, config, clock, stack)
    if lease.kubernetes is not None:
        return kubernetes_broker(lease, lease.kubernetes, config, clock, stack)
    assert lease.oauth is not None
    known_by = known_by_of(name, lease.oauth, rotated)
    return oauth_broker(
        section, lease, lease.oauth, config, clock, entropy, assertion_issuer, kept, known_by, stack
    )


async def beyond_rows(lease: LeaseSection, postgres: PostgresLeaseSection) -> list[tuple[str, str]]:
    """Return what a lease's database role could do beyond reading and writing rows, with the remediation of
    each.

    Raises `ConfigInvalid`, `KeyUnavailable`.
    """
    return await _postgres(lease, postgres, SystemEntropy()).beyond_rows()


def _postgres(lease: LeaseSection, postgres: PostgresLeaseSection, entropy: Entropy) -> PostgresBroker:
    from remit.adapters.broker.postgres.roles import PostgresBroker

    return PostgresBroker(
        postgres.admin.resolve,
        grants=postgres.grants,
        headers=lease.headers,
        env=lease.env,
        entropy=entropy,
        connections=postgres.connections,
    )


def _standing_password(
    name: str, lease: LeaseSection, password: PasswordLeaseSection, rotated: RotatedSecrets
) -> Broker:
    from remit.adapters.broker.postgres.password import PasswordBroker

    return PasswordBroker(
        name,
        password.database,
        password.user,
        rotated.reader(name),
        headers=lease.headers,
        replace=partial(rotated.rotate, name),
    )


def secret_probes_of(config: Config, stack: AsyncExitStack) -> tuple[SecretProbe, ...]:
    """Return one for each lease that names a place; `stack` closes their connections."""
    leases = {name: one for name, one in config.upstreams.items() if one.lease is not None}
    if not leases:
        return ()
    # Clients of databases and of the web, which most houses never need.
    from remit.adapters.broker.http import BrokerHttp
    from remit.adapters.broker.secret_probe import BearerSecretProbe, PostgresSecretProbe

    found: list[SecretProbe] = []

    def web(upstream: str, ca: str) -> BrokerHttp:
        made = BrokerHttp(f"the source of `{upstream}`", tls=tls_of(ca, config))
        stack.push_async_callback(made.close)
        return made

    for name, section in leases.items():
        lease = section.lease
        assert lease is not None
        if lease.password is not None:
            found.append(PostgresSecretProbe(name, _said(lease.password.database), lease.password.user))
        if lease.postgres is not None:
            found.append(PostgresSecretProbe(name, lease.postgres.admin.resolve))
        if lease.github is not None:
            url = f"{lease.github.api_url.rstrip('/')}/user"
            found.append(BearerSecretProbe(name, "github", url, web(name, lease.github.tls_ca)))
        if lease.oauth is not None and lease.oauth.probe_url:
            bearer = BearerSecretProbe(name, "oauth", lease.oauth.probe_url, web(name, section.tls_ca))
            found.append(bearer)
    return tuple(found)


def database_probe(address: str) -> SecretProbe:
    """Return one for a database that a person names on their own machine."""
    from remit.adapters.broker.secret_probe import PostgresSecretProbe

    return PostgresSecretProbe("", _said(address))


def _said(address: str) -> Callable[[], str]:
    return lambda: address
