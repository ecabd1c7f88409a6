# SPDX-License-Identifier: Apache-2.0
"""This process as a replica: what the others are told of it, and what it does all the time to be one."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

import msgspec

from remit import __version__
from remit.adapters.upstream.replica_client import HttpForwarder
from remit.config import Config
from remit.core.policy.bundle import Bundle
from remit.core.replicas.replica import Replica
from remit.gateway.asgi import Application
from remit.gateway.forwarding import ForwardingFront
from remit.ports.forwarding import Forwarder
from remit.ports.runtime import Clock
from remit.ports.store.replicas import Fleet
from remit.ports.store.store import Store
from remit.services.assembly.services import Services
from remit.services.assembly.upkeep import Upkeep
from remit.services.replicas.replica_lease import RENEWALS


def several(config: Config) -> bool:
    """Whether several processes may serve the store of a configuration."""
    return config.store.kind == "postgres"


def fleet_of(config: Config, store: Store, clock: Clock) -> Fleet | None:
    """Return the replicas of a store; `None` where one process alone may write it."""
    if not several(config):
        return None
    from remit.adapters.store.postgres import PostgresStore

    assert isinstance(store, PostgresStore)
    return store.fleet(config.tenant, clock)


def replica_of(config: Config, address: str, clock: Clock) -> Replica:
    """Say what others are told of this process; `address` is where it listens."""
    return Replica(
        id="",
        host=socket.gethostname(),
        address=(
            config.replica.address.resolve()
            if config.replica.address
            else address or msgspec.structs.replace(config.listen, public_url="").url
        ),
        lease_s=config.replica.lease_ms / 1000,
        joined=clock.now(),
    )


def passer_of(config: Config) -> Forwarder | None:
    """Return connections to other replicas, where there can be others."""
    if not several(config):
        return None
    return HttpForwarder(str(config.at(config.replica.tls_ca)) if config.replica.tls_ca else "")


def front(house: Services, config: Config, doors: Application) -> Application:
    """Put before the doors what passes requests on to other replicas, where there can be others."""
    if house.forwarder is None:
        return doors
    return ForwardingFront(house, house.forwarder, doors, max_body_bytes=config.limits.max_request_bytes)


def tended(house: Services, chore: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    """Return a chore that one replica does for all: the one that tends."""

    async def where_it_is_due() -> None:
        if house.remains.tends:
            await chore()

    return where_it_is_due


async def put_in_force(house: Services, bundle: Bundle, go_back: bool) -> None:
    """Put the bundle of the files here in force; where there can be others, unless they have replaced it."""
    if house.replicas.several:
        await house.policies.begin(bundle, by="remit", go_back=go_back)
    else:
        await house.policies.apply(bundle, by="remit")


async def enter(house: Services, stack: AsyncExitStack, reload: Callable[[], Bundle]) -> None:
    """Become a replica, and stay one until the stack is closed: after the last commit. `reload` reads the
    bundle again, where another replica has applied another one.
    """
    house.reactions.reload, house.reactions.adopted = reload, house.rebundling.look
    if not house.replicas.several:
        return
    stack.push_async_callback(house.replicas.leave)
    stack.push_async_callback(house.reactions.stop)
    if house.forwarder is not None:
        stack.push_async_callback(house.forwarder.close)
    await house.replicas.enter()
    beat = Upkeep()
    stack.push_async_callback(beat.close)
    pause_s = house.replicas.lease.lease_s / RENEWALS
    beat.every("renew the lease", pause_s, house.replicas.renew)
    beat.every("watch other replicas", pause_s, house.replicas.keep_up)
    beat.every("take over tasks of other replicas", 1.0, house.remains.tend)
    beat.every("end tasks that other replicas have exhausted", 1.0, tended(house, house.spent.turn))
    beat.every("publish this replica's state", 1.0, partial(_describe, house))


async def _describe(house: Services) -> None:
    await house.replicas.describe(bundle=house.policies.digest, version=__version__)
