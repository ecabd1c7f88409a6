# SPDX-License-Identifier: Apache-2.0
"""Furnishing: what makes a process one of several replicas."""

from __future__ import annotations

from remit.services.assembly.settings import Outfit
from remit.services.credentials.leases import Leases
from remit.services.endings.ending import Revocations
from remit.services.endings.remote_endings import Reactions
from remit.services.endings.spent_budgets import SpentTasks
from remit.services.endings.takeover import Remains
from remit.services.inspection.replica_status import Roster
from remit.services.policy.bundle import Policies
from remit.services.replicas.forwarding import Passing
from remit.services.replicas.membership import Replicas
from remit.services.replicas.task_ownership import Ownership
from remit.services.replicas.wakeup import Waking
from remit.services.tasks.live_tasks import Live
from remit.services.tools.catalogue import Tools


def standing_among(o: Outfit) -> tuple[Replicas, Ownership, Passing]:
    """Give what a process knows of the others, what it owns, and what it passes on."""
    replicas = Replicas(
        fleet=o.fleet,
        store=o.store,
        clock=o.clock,
        entropy=o.entropy,
        tenant=o.tenant,
        me=o.replica,
    )
    ownership = Ownership(replicas=replicas, store=o.store, clock=o.clock, tenant=o.tenant)
    passing = Passing(
        replicas=replicas,
        ownership=ownership,
        sealing=o.keys.sealing,
        store=o.store,
        tenant=o.tenant,
        passer=o.passer,
    )
    replicas.seal = passing.seal
    return replicas, ownership, passing


def waking_of(o: Outfit, replicas: Replicas) -> Waking:
    """Give what wakes the others, and has this one woken."""
    return Waking(waker=o.waker, fleet=o.fleet, replicas=replicas, sealing=o.keys.sealing, clock=o.clock)


def roster_of(
    o: Outfit, replicas: Replicas, policies: Policies, reactions: Reactions, waking: Waking
) -> Roster:
    """Give what tells who enforces here."""
    return Roster(fleet=o.fleet, replicas=replicas, policies=policies, reactions=reactions, waking=waking)


def remains_of(o: Outfit, replicas: Replicas, ownership: Ownership, leases: Leases) -> Remains:
    """Give what looks after those that are gone."""
    return Remains(
        fleet=o.fleet,
        replicas=replicas,
        ownership=ownership,
        leases=leases,
        store=o.store,
        clock=o.clock,
        tenant=o.tenant,
    )


def spent_of(
    o: Outfit, replicas: Replicas, ownership: Ownership, live: Live, revocations: Revocations
) -> SpentTasks:
    """Give what ends tasks that those who are gone have used up."""
    spent = SpentTasks(
        store=o.store, live=live, ownership=ownership, revocations=revocations, tenant=o.tenant
    )
    replicas.on_gone.append(spent.gone)
    return spent


def reactions_of(
    o: Outfit,
    live: Live,
    ownership: Ownership,
    leases: Leases,
    revocations: Revocations,
    policies: Policies,
    tools: Tools,
    replicas: Replicas,
    remains: Remains,
) -> Reactions:
    """Give what follows other replicas, told of all that they do."""
    reactions = Reactions(
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
