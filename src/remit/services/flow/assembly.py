# SPDX-License-Identifier: Apache-2.0
"""Put the services of flow together."""

from __future__ import annotations

from dataclasses import dataclass

from remit.core.identity.deployment import Deployment
from remit.ports.adapters import Adapters
from remit.services.flow.assumed_labels import AssumedLabels
from remit.services.flow.declassification import Declassifications
from remit.services.flow.memory_limit import MemoryLimit
from remit.services.flow.observation import Observer
from remit.services.flow.stored_labels import StoredLabels
from remit.services.limits.time_slices import Ends, TimeSlices
from remit.services.policy.bundle import Policies
from remit.services.tasks.assembly import TaskServices
from remit.services.tools.assembly import ToolServices


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowServices:
    """What is known of data: of what tasks have taken in, and of what lies at upstreams."""

    assumed_labels: AssumedLabels
    stored_labels: StoredLabels
    observer: Observer
    declassifications: Declassifications


def flow_services(
    adapters: Adapters,
    deployment: Deployment,
    policies: Policies,
    tools: ToolServices,
    tasks: TaskServices,
    ends: Ends,
) -> FlowServices:
    """Put them together; long work waits for `ends`."""
    store, clock, tenant = adapters.store, adapters.clock, deployment.tenant
    assumed_labels = AssumedLabels(
        store=store, policies=policies, tools=tools.registry, live=tasks.live, clock=clock, tenant=tenant
    )
    tools.registry.follow(assumed_labels.recompute)
    tasks.live.read_labels_by(assumed_labels.read)
    stored_labels = StoredLabels(
        store=store,
        policies=policies,
        tools=tools.registry,
        clock=clock,
        tenant=tenant,
        fleet=adapters.fleet,
        assumed_labels=assumed_labels,
    )
    return FlowServices(
        assumed_labels=assumed_labels,
        stored_labels=stored_labels,
        observer=Observer(
            store=store,
            policies=policies,
            stored_labels=stored_labels,
            room=MemoryLimit(tasks.live, adapters.entropy),
            clock=clock,
            turns=TimeSlices(clock, ends),
        ),
        declassifications=Declassifications(
            store=store,
            clock=clock,
            policies=policies,
            live=tasks.live,
            tasks=tasks.tasks,
            stored_labels=stored_labels,
            assumed_labels=assumed_labels,
            tenant=tenant,
            second_person=deployment.second_person,
        ),
    )
