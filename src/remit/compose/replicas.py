# SPDX-License-Identifier: Apache-2.0
"""This process as a replica: what it reports to the others, and its continuous duties."""

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
from remit.gateway.endpoints import forwarding_front
from remit.ports.forwarding import Forwarder
from remit.ports.runtime import Clock
from remit.ports.store.replicas import Fleet
from remit.ports.store.store import Store
from remit.services.assembly.services import Services
from remit.services.assembly.upkeep import Upkeep
from remit.services.endings.takeover import Takeover
from remit.services.policy.bundle import Policies
from remit.services.replicas.replica_lease import RENEWALS


def several(config: Config) -> bool:
    """Return whether several processes may serve the store of a configuration."""
    return config.store.kind == "postgres"


def fleet_of(config: Config, store: Store, clock: Clock) -> Fleet | None:
    """Return the replicas of a store; `None` if only a single process may write it."""
    if not several(config):
        return None
    from remit.adapters.store.postgres import PostgresStore

    assert isinstance(store, PostgresStore)
    return store.fleet(config.tenant, clock)


def replica_of(config: Config, address: str, clock: Clock) -> Replica:
    """Return the description of this process for other replicas; `address` is where it listens."""
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
        records=True,
    )


def forwarder_of(config: Config) -> Forwarder | None:
    """Return the connections to other replicas; `None` if there can be no others."""
    if not several(config):
        return None
    return HttpForwarder(str(config.at(config.replica.tls_ca)) if config.replica.tls_ca else "")


def front(services: Services, config: Config, endpoints: Application) -> Application:
    """Put the forwarding to other replicas in front of the endpoints, if there can be other replicas."""
    if services.replicas.forwarder is None:
        return endpoints
    return forwarding_front(
        services, services.replicas.forwarder, endpoints, max_body_bytes=config.limits.max_request_bytes
    )


def tended(remains: Takeover, chore: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    """Return a chore that a single replica does for all: the tending one."""

    async def where_it_is_due() -> None:
        if remains.tends:
            await chore()

    return where_it_is_due


async def put_in_force(policies: Policies, bundle: Bundle, *, several: bool, go_back: bool) -> None:
    """Put the bundle of the local files in force, unless another one has replaced it."""
    await policies.begin(bundle, by="remit", go_back=go_back, several=several)


async def enter(services: Services, stack: AsyncExitStack) -> None:
    """Become a replica, and stay one until the stack is closed: after the last commit."""
    if not services.replicas.membership.several:
        return
    stack.push_async_callback(services.replicas.membership.leave)
    stack.push_async_callback(services.endings.reactions.stop)
    if services.replicas.forwarder is not None:
        stack.push_async_callback(services.replicas.forwarder.close)
    await services.replicas.membership.enter()
    beat = Upkeep()
    stack.push_async_callback(beat.close)
    pause_s = services.replicas.membership.lease.lease_s / RENEWALS
    beat.every("renew the lease", pause_s, services.replicas.membership.renew)
    beat.every("watch other replicas", pause_s, services.replicas.membership.keep_up)
    beat.every("take over tasks of other replicas", 1.0, services.endings.remains.tend)
    beat.every(
        "end tasks that other replicas have exhausted",
        1.0,
        tended(services.endings.remains, services.endings.spent.turn),
    )
    beat.every("publish this replica's state", 1.0, partial(_describe, services))


async def _describe(services: Services) -> None:
    await services.replicas.membership.describe(bundle=services.policies.digest, version=__version__)
