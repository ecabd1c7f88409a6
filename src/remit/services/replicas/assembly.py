# SPDX-License-Identifier: Apache-2.0
"""Put together what makes a process one of several replicas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from remit.core.identity.deployment import Deployment
from remit.core.replicas.replica import Replica
from remit.ports.adapters import Adapters
from remit.ports.forwarding import Forwarder
from remit.services.replicas.forwarding import Forwarding, sealed_address
from remit.services.replicas.replica_lease import Replicas
from remit.services.replicas.task_ownership import Ownership


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaServices:
    """What a process knows of the others, what it owns, what it forwards."""

    membership: Replicas
    ownership: Ownership
    passing: Forwarding
    forwarder: Forwarder | None


def replica_services(adapters: Adapters, deployment: Deployment, me: Replica | None) -> ReplicaServices:
    """Put them together; `me` is what others are told of this process."""
    store, sealing, tenant = adapters.store, adapters.keys.sealing, deployment.tenant
    replicas = Replicas(
        fleet=adapters.fleet,
        store=store,
        clock=adapters.clock,
        entropy=adapters.entropy,
        tenant=tenant,
        me=me,
        seal=partial(sealed_address, sealing),
    )
    ownership = Ownership(replicas=replicas, store=store, clock=adapters.clock, tenant=tenant)
    return ReplicaServices(
        membership=replicas,
        ownership=ownership,
        passing=Forwarding(
            replicas=replicas,
            ownership=ownership,
            sealing=sealing,
            store=store,
            tenant=tenant,
            forwarder=adapters.forwarder,
        ),
        forwarder=adapters.forwarder,
    )
