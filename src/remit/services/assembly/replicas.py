# SPDX-License-Identifier: Apache-2.0
"""Furnishing: what makes a process one of several replicas."""

from __future__ import annotations

from remit.services.assembly.settings import Settings
from remit.services.credentials.leases import Leases
from remit.services.endings.ending import Endings
from remit.services.endings.remote_endings import RemoteEndings
from remit.services.endings.spent_budgets import SpentTasks
from remit.services.endings.takeover import Takeover
from remit.services.inspection.replica_status import ReplicaStatus
from remit.services.policy.bundle import Policies
from remit.services.replicas.forwarding import Forwarding
from remit.services.replicas.replica_lease import Replicas
from remit.services.replicas.task_ownership import Ownership
from remit.services.tasks.live_tasks import LiveTasks
from remit.services.tools.pinned_tools import ToolCatalogue


def standing_among(o: Settings) -> tuple[Replicas, Ownership, Forwarding]:
    """Return what a process knows of the others, what it owns, and what it passes on."""
    replicas = Replicas(
        fleet=o.fleet,
        store=o.store,
        clock=o.clock,
        entropy=o.entropy,
        tenant=o.tenant,
        me=o.replica,
    )
    ownership = Ownership(replicas=replicas, store=o.store, clock=o.clock, tenant=o.tenant)
    passing = Forwarding(
        replicas=replicas,
        ownership=ownership,
        sealing=o.keys.sealing,
        store=o.store,
        tenant=o.tenant,
        forwarder=o.forwarder,
    )
    replicas.seal = passing.seal
    return replicas, ownership, passing


def roster_of(o: Settings, replicas: Replicas, policies: Policies, reactions: RemoteEndings) -> ReplicaStatus:
    """Return what tells who enforces here."""
    return ReplicaStatus(fleet=o.fleet, replicas=replicas, policies=policies, reactions=reactions)


def remains_of(o: Settings, replicas: Replicas, ownership: Ownership, leases: Leases) -> Takeover:
    """Return what looks after those that are gone."""
    return Takeover(
        fleet=o.fleet,
        replicas=replicas,
        ownership=ownership,
        leases=leases,
        store=o.store,
        clock=o.clock,
        tenant=o.tenant,
    )


def spent_of(
    o: Settings, replicas: Replicas, ownership: Ownership, live: LiveTasks, revocations: Endings
) -> SpentTasks:
    """Return what ends tasks that those who are gone have used up."""
    spent = SpentTasks(
        store=o.store, live=live, ownership=ownership, revocations=revocations, tenant=o.tenant
    )
    replicas.on_gone.append(spent.gone)
    return spent


def reactions_of(
    o: Settings,
    live: LiveTasks,
    ownership: Ownership,
    leases: Leases,
    revocations: Endings,
    policies: Policies,
    tools: ToolCatalogue,
    replicas: Replicas,
    remains: Takeover,
) -> RemoteEndings:
    """Return what follows other replicas, told of all that they do."""
    reactions = RemoteEndings(
        store=o.store,
        clock=o.clock,
        live=live,
        ownership=ownership,
        leases=leases,
        revocations=revocations,
        policies=policies,
        tools=tools,
        tenant=o.tenant,
    )
    replicas.react = reactions.raised
    replicas.on_change.append(reactions.changed)
    replicas.on_loss.append(reactions.lost)
    replicas.on_gone.append(remains.gone)
    remains.before_recovery = revocations.take_up
    return reactions
