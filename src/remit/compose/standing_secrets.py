# SPDX-License-Identifier: Apache-2.0
"""The secrets that the configuration refers to, with those that remit rotates."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from remit.adapters.runtime.system import SystemClock, SystemEntropy
from remit.compose.brokers import brokers_of
from remit.compose.oauth_brokers import client_secret_of, connectors_of
from remit.compose.sources import tls_of
from remit.config import Config
from remit.config.credentials.password import KvSection
from remit.config.sections.secret_sources import references
from remit.ports.broker import Broker
from remit.ports.keys import SealingKeys
from remit.ports.rotating import Rotating
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.store import Store
from remit.ports.upstream_assertion import AssertionIssuer
from remit.services.assembly.services import Services
from remit.services.assembly.upkeep import Upkeep
from remit.services.credentials.secret_rotation import RotatedSecrets
from remit.services.credentials.secret_sources import EVERY_S, FetchedSecrets
from remit.services.credentials.standing_secrets import StandingSecret, StandingSecrets
from remit.services.people.connections import Connections

if TYPE_CHECKING:
    from remit.adapters.broker.openbao.key_value import KvPath

#: The configuration keys of secrets that remit rotates.
ROTATED = {"password": "lease.password.first", "oauth": "lease.oauth.client_secret"}


def credentials_of(
    config: Config,
    store: Store,
    sealing: SealingKeys,
    assertion_issuer: AssertionIssuer,
    stack: AsyncExitStack,
) -> tuple[RotatedSecrets, Connections, dict[str, Broker]]:
    """Return the sources of upstream credentials, and the keepers of secrets that outlive a task."""
    clock, entropy = SystemClock(), SystemEntropy()
    rotated = _rotated_of(config, store, clock, entropy, sealing, stack)
    connections = _connections_of(config, store, clock, entropy, sealing, rotated, stack)
    brokers = brokers_of(config, clock, entropy, assertion_issuer, connections, rotated, stack)
    return rotated, connections, brokers


def _rotated_of(
    config: Config, store: Store, clock: Clock, entropy: Entropy, sealing: SealingKeys, stack: AsyncExitStack
) -> RotatedSecrets:
    """Return the rotation of all secrets that support it; reads nothing yet."""
    rotating: dict[str, Rotating] = {}
    every: dict[str, timedelta] = {}
    for name, section in config.upstreams.items():
        password = section.lease.password if section.lease is not None else None
        if password is not None:
            from remit.adapters.broker.postgres.password import PostgresPassword

            publish = _kv(password.publish, config, clock, stack).put if password.publish else None
            rotating[name] = PostgresPassword(
                password.database, password.user, password.first.resolve, publish
            )
            every[name] = timedelta(seconds=password.every)
        oauth = section.lease.oauth if section.lease is not None else None
        if oauth is not None and oauth.rotate is not None:
            rotating[name] = client_secret_of(oauth, oauth.rotate, config, clock, entropy, stack)
            every[name] = timedelta(seconds=oauth.rotate.every)
    return RotatedSecrets(
        rotating=rotating,
        every=every,
        store=store,
        clock=clock,
        entropy=entropy,
        sealing=sealing,
        tenant=config.tenant,
    )


def _connections_of(
    config: Config,
    store: Store,
    clock: Clock,
    entropy: Entropy,
    sealing: SealingKeys,
    rotated: RotatedSecrets,
    stack: AsyncExitStack,
) -> Connections:
    """Return the service that keeps people's refresh tokens."""
    return Connections(
        connectors_of(config, clock, entropy, rotated, stack),
        store=store,
        clock=clock,
        entropy=entropy,
        sealing=sealing,
        tenant=config.tenant,
    )


async def look_after_secrets(
    config: Config,
    services: Services,
    rotated: RotatedSecrets,
    fetched: FetchedSecrets,
    sealing: SealingKeys,
    upkeep: Upkeep,
) -> None:
    """Read the stored secrets, and from now on rotate standing secrets and report on them."""
    await rotated.load()
    standing = _standing_of(config, services, rotated, fetched, sealing)
    resealing = services.identity.rotations.events.rewrapping
    resealing += [rotated.reseal, standing.reseal]
    await standing.look()
    if (connections := services.people.connections) is not None:
        resealing.append(connections.reseal)
        upkeep.every("revoke connections", 30.0, connections.sweep)
    upkeep.every("read secrets again", EVERY_S, fetched.refresh)
    upkeep.every("rotate standing secrets", 1.0, rotated.tend)
    upkeep.every("check standing secrets", 30.0, standing.look)


def _standing_of(
    config: Config, services: Services, rotated: RotatedSecrets, fetched: FetchedSecrets, sealing: SealingKeys
) -> StandingSecrets:
    secrets = [
        StandingSecret(
            upstream=name,
            place=place,
            where=ref.where,
            read=ref.resolve,
            rotated=rotated.rotates(name) is not None and place in ROTATED.values(),
            since=partial(fetched.since, ref.where),
            version=partial(fetched.version, ref.where),
        )
        for name, section in config.upstreams.items()
        for place, ref in references(section)
    ]
    return StandingSecrets(
        secrets,
        rotated=rotated,
        findings=services.findings.findings,
        store=services.store,
        clock=services.clock,
        entropy=services.entropy,
        sealing=sealing,
        tenant=config.tenant,
        max_age=timedelta(seconds=config.limits.secret_age_s),
    )


def _kv(at: KvSection, config: Config, clock: Clock, stack: AsyncExitStack) -> KvPath:
    from remit.adapters.broker.http import BrokerHttp
    from remit.adapters.broker.openbao.client import BaoSource
    from remit.adapters.broker.openbao.key_value import KvPath

    web = BrokerHttp(f"OpenBao at `{urlsplit(at.address).netloc}`", tls=tls_of(at.tls_ca, config))
    stack.push_async_callback(web.close)
    bao = BaoSource(at.address, at.token.resolve, web=web, clock=clock, namespace=at.namespace)
    return KvPath(bao, at.mount, at.path, at.field)
