# SPDX-License-Identifier: Apache-2.0
"""The secrets that the configuration refers to, and which of them remit rotates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from remit.compose.oauth_brokers import connectors_of
from remit.compose.sources import tls_of
from remit.config import Config
from remit.config.lease_password import KvSection
from remit.config.secret import SecretRef
from remit.ports.keys import SealingKeys
from remit.ports.rotating import Rotating
from remit.ports.runtime import Clock, Entropy
from remit.ports.store import Store
from remit.services.connections import Connections
from remit.services.house import House
from remit.services.rotated_secrets import RotatedSecrets
from remit.services.standing_secrets import StandingSecret, StandingSecrets
from remit.services.upkeep import Upkeep

if TYPE_CHECKING:
    from remit.adapters.broker.kv import KvPlace

ROTATED = "lease.password.first"


def rotated_of(
    config: Config, store: Store, clock: Clock, entropy: Entropy, sealing: SealingKeys, stack: AsyncExitStack
) -> RotatedSecrets:
    """Give what rotates the secrets that can be; nothing is read yet."""
    rotating: dict[str, Rotating] = {}
    every: dict[str, timedelta] = {}
    for name, section in config.upstreams.items():
        password = section.lease.password if section.lease is not None else None
        if password is not None:
            from remit.adapters.broker.postgres_password import PostgresPassword

            publish = _kv(password.publish, config, clock, stack).put if password.publish else None
            rotating[name] = PostgresPassword(
                password.database, password.user, password.first.resolve, publish
            )
            every[name] = timedelta(seconds=password.every)
    return RotatedSecrets(
        rotating=rotating,
        every=every,
        store=store,
        clock=clock,
        entropy=entropy,
        sealing=sealing,
        tenant=config.tenant,
    )


def connections_of(
    config: Config, store: Store, clock: Clock, entropy: Entropy, sealing: SealingKeys, stack: AsyncExitStack
) -> Connections:
    """Give what keeps the refresh tokens of people."""
    return Connections(
        connectors_of(config, clock, entropy, stack),
        store=store,
        clock=clock,
        entropy=entropy,
        sealing=sealing,
        tenant=config.tenant,
    )


async def look_after_secrets(
    config: Config, house: House, rotated: RotatedSecrets, sealing: SealingKeys, upkeep: Upkeep
) -> None:
    """Read the secrets that are kept, and have all that stand rotated and told of from now on."""
    await rotated.load()
    standing = _standing_of(config, house, rotated, sealing)
    house.rotations.on_rewrap(rotated.reseal)
    house.rotations.on_rewrap(standing.reseal)
    await standing.look()
    if (connections := house.people.connections) is not None:
        house.rotations.on_rewrap(connections.reseal)
        upkeep.every("take connections back", 30.0, connections.sweep)
    upkeep.every("rotate standing secrets", 1.0, rotated.tend)
    upkeep.every("look at standing secrets", 30.0, standing.look)


def _standing_of(
    config: Config, house: House, rotated: RotatedSecrets, sealing: SealingKeys
) -> StandingSecrets:
    secrets = [
        StandingSecret(
            upstream=name, place=place, where=ref.where, read=ref.resolve, rotated=place == ROTATED
        )
        for name, section in config.upstreams.items()
        for place, ref in _secrets_in(section)
    ]
    return StandingSecrets(
        secrets,
        rotated=rotated,
        findings=house.findings,
        store=house.store,
        clock=house.clock,
        entropy=house.entropy,
        sealing=sealing,
        tenant=config.tenant,
        max_age=timedelta(seconds=config.limits.secret_age_s),
    )


def _secrets_in(part: object, place: str = "") -> Iterator[tuple[str, SecretRef]]:
    """Give every reference to a secret below a part of the configuration, with where it stands."""
    if isinstance(part, SecretRef):
        if part.secret:
            yield place, part
        return
    below: Iterator[tuple[object, object]] = iter(())
    if isinstance(part, msgspec.Struct):
        below = ((name, getattr(part, name)) for name in part.__struct_fields__)
    elif isinstance(part, dict):
        below = iter(part.items())
    elif isinstance(part, tuple):
        below = iter(enumerate(part))
    for name, value in below:
        yield from _secrets_in(value, f"{place}.{name}" if place else str(name))


def _kv(at: KvSection, config: Config, clock: Clock, stack: AsyncExitStack) -> KvPlace:
    from remit.adapters.broker.bao import BaoSource
    from remit.adapters.broker.kv import KvPlace
    from remit.adapters.broker.web import BrokerWeb

    web = BrokerWeb(f"OpenBao at `{urlsplit(at.address).netloc}`", tls=tls_of(at.tls_ca, config))
    stack.push_async_callback(web.close)
    bao = BaoSource(at.address, at.token.resolve, web=web, clock=clock, namespace=at.namespace)
    return KvPlace(bao, at.mount, at.path, at.field)
