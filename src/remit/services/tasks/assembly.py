# SPDX-License-Identifier: Apache-2.0
"""Put the services of tasks together."""

from __future__ import annotations

from dataclasses import dataclass

from remit.core.identity.deployment import Deployment
from remit.core.oauth.mission import authority_hash, authority_set
from remit.core.oauth.resource import Resources
from remit.core.tasks.task import Task
from remit.ports.adapters import Adapters
from remit.services.policy.bundle import Policies
from remit.services.replicas.assembly import ReplicaServices
from remit.services.tasks.histories import Histories
from remit.services.tasks.live_tasks import LiveTasks
from remit.services.tasks.model_usage import ModelUsage
from remit.services.tasks.opening_limits import OpeningBounds
from remit.services.tasks.tasks import Tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskServices:
    """Tasks as they are kept, and as they live in this process."""

    tasks: Tasks
    live: LiveTasks
    histories: Histories
    usage: ModelUsage


def task_services(
    adapters: Adapters,
    deployment: Deployment,
    bounds: OpeningBounds,
    resources: Resources,
    policies: Policies,
    among: ReplicaServices,
) -> TaskServices:
    """Put them together; `bounds` limit how many are opened."""

    def authority(task: Task) -> str:
        return authority_hash(deployment.public_url, authority_set(task, resources))

    live = LiveTasks(
        *(adapters.store, adapters.clock, adapters.entropy),
        *(deployment.tenant, deployment.members, authority),
        classes=lambda: policies.applied.bundle.classes,
        replicas=among.membership,
        ownership=among.ownership,
    )
    tasks = Tasks(
        store=adapters.store,
        clock=adapters.clock,
        entropy=adapters.entropy,
        policies=policies,
        live=live,
        members=deployment.members,
        tenant=deployment.tenant,
        bounds=bounds,
    )
    histories = Histories(
        store=adapters.store, policies=policies, ownership=among.ownership, tenant=deployment.tenant
    )
    usage = ModelUsage(
        store=adapters.store,
        clock=adapters.clock,
        live=live,
        prices=lambda: policies.applied.bundle.prices,
        tenant=deployment.tenant,
    )
    return TaskServices(tasks=tasks, live=live, histories=histories, usage=usage)
