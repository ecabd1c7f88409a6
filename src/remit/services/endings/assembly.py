# SPDX-License-Identifier: Apache-2.0
"""Put the services of ends together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from remit.core.identity.deployment import Deployment
from remit.core.policy.bundle import Bundle
from remit.ports.adapters import Adapters
from remit.services.credentials.assembly import CredentialServices
from remit.services.decisions.assembly import DecisionServices
from remit.services.endings.bundle_change import BundleChange
from remit.services.endings.closure import DerivedPermissions
from remit.services.endings.ending import Endings
from remit.services.endings.events import EndEvents
from remit.services.endings.locks import Locks
from remit.services.endings.priority import EndPriority
from remit.services.endings.remote_endings import RemoteEndings
from remit.services.endings.spent_budgets import SpentTasks
from remit.services.endings.suspensions import Suspensions
from remit.services.endings.takeover import Takeover
from remit.services.policy.bundle import Policies
from remit.services.replicas.assembly import ReplicaServices
from remit.services.separation.second_person import SecondPerson
from remit.services.tasks.assembly import TaskServices
from remit.services.tools.assembly import ToolServices


@dataclass(frozen=True, slots=True, kw_only=True)
class EndingServices:
    """What ends tasks, and who is told of it."""

    revocations: Endings
    events: EndEvents
    precedence: EndPriority
    derived: DerivedPermissions
    locks: Locks
    rebundling: BundleChange
    remains: Takeover
    reactions: RemoteEndings
    spent: SpentTasks
    suspensions: Suspensions


def ending_services(
    adapters: Adapters,
    deployment: Deployment,
    policies: Policies,
    tools: ToolServices,
    credentials: CredentialServices,
    among: ReplicaServices,
    tasks: TaskServices,
    decisions: DecisionServices,
    second: SecondPerson,
    precedence: EndPriority,
    *,
    settle_s: float,
    reload: Callable[[], Bundle] | None,
) -> EndingServices:
    """Put them together; an end waits `settle_s` seconds for credentials that others hold.

    `reload` reads the bundle again, where another replica has put another one in force.
    """
    store, clock, tenant, events = adapters.store, adapters.clock, deployment.tenant, EndEvents()
    remains = _takeover(adapters, deployment, credentials, among, events)
    derived = _derived_permissions(adapters, deployment, tasks, decisions, events)
    revocations = Endings(
        store=store,
        clock=clock,
        entropy=adapters.entropy,
        live=tasks.live,
        derived=derived,
        leases=credentials.leases,
        replicas=among.membership,
        ownership=among.ownership,
        remains=remains,
        precedence=precedence,
        events=events,
        tenant=tenant,
        settle_s=settle_s,
    )
    rebundling = _bundle_change(adapters, deployment, policies, tasks, revocations)
    reactions = RemoteEndings(
        store=store,
        clock=clock,
        live=tasks.live,
        ownership=among.ownership,
        leases=credentials.leases,
        revocations=revocations,
        policies=policies,
        tools=tools.registry,
        events=among.membership.events,
        tenant=tenant,
        reload=reload,
        adopted=rebundling.look,
    )
    return EndingServices(
        revocations=revocations,
        events=events,
        precedence=precedence,
        derived=derived,
        locks=Locks(store=store, clock=clock, revocations=revocations, second=second, tenant=tenant),
        rebundling=rebundling,
        remains=remains,
        reactions=reactions,
        spent=_spent_tasks(adapters, deployment, among, tasks, revocations),
        suspensions=Suspensions(store=store, clock=clock, live=tasks.live, tenant=tenant),
    )


def _takeover(
    adapters: Adapters,
    deployment: Deployment,
    credentials: CredentialServices,
    among: ReplicaServices,
    events: EndEvents,
) -> Takeover:
    return Takeover(
        fleet=adapters.fleet,
        replicas=among.membership,
        ownership=among.ownership,
        leases=credentials.leases,
        store=adapters.store,
        clock=adapters.clock,
        events=events,
        tenant=deployment.tenant,
    )


def _derived_permissions(
    adapters: Adapters,
    deployment: Deployment,
    tasks: TaskServices,
    decisions: DecisionServices,
    events: EndEvents,
) -> DerivedPermissions:
    return DerivedPermissions(
        store=adapters.store,
        clock=adapters.clock,
        live=tasks.live,
        approvals=decisions.approvals,
        events=events,
        tenant=deployment.tenant,
    )


def _bundle_change(
    adapters: Adapters, deployment: Deployment, policies: Policies, tasks: TaskServices, revocations: Endings
) -> BundleChange:
    return BundleChange(
        store=adapters.store,
        clock=adapters.clock,
        live=tasks.live,
        tasks=tasks.tasks,
        policies=policies,
        revocations=revocations,
        members=deployment.members,
        tenant=deployment.tenant,
    )


def _spent_tasks(
    adapters: Adapters,
    deployment: Deployment,
    among: ReplicaServices,
    tasks: TaskServices,
    revocations: Endings,
) -> SpentTasks:
    return SpentTasks(
        store=adapters.store,
        live=tasks.live,
        ownership=among.ownership,
        revocations=revocations,
        events=among.membership.events,
        tenant=deployment.tenant,
    )
