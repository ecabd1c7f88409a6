# SPDX-License-Identifier: Apache-2.0
"""What the steps of every call work with, and where its answer goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from remit.core.decisions.mediation import Delivery
from remit.ports.runtime import Clock
from remit.ports.store.units import UnitStore
from remit.ports.upstream import Upstream
from remit.services.credentials.leases import Leases
from remit.services.decisions.approvals import Approvals
from remit.services.decisions.authorizer import Authorizer
from remit.services.decisions.circumstances import Surroundings
from remit.services.decisions.refusals import Refusals
from remit.services.decisions.write_behind import WriteBehind
from remit.services.endings.priority import EndPriority
from remit.services.flow.observation import Observer
from remit.services.flow.stored_labels import StoredLabels
from remit.services.identity.authenticator import Authenticator
from remit.services.limits.deadlines import Deadlines
from remit.services.mediation.deferred_calls import Deferrals
from remit.services.policy.bundle import Policies
from remit.services.policy.shadow import PolicyShadow
from remit.services.tasks.live_tasks import LiveTasks


class Sink(Protocol):
    """Receiver of released chunks: the agent's side of the endpoint."""

    async def release(self, chunk: Delivery) -> None:
        """Pass a chunk that was taken in to the agent.

        Waits while the agent does not keep up. Raises where the agent is gone.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What the steps work with; the same for all calls."""

    authenticator: Authenticator
    live: LiveTasks
    authorizer: Authorizer
    approvals: Approvals
    policies: Policies
    store: UnitStore
    late: WriteBehind
    refusals: Refusals
    shadow: PolicyShadow
    stored_labels: StoredLabels
    surroundings: Surroundings
    observer: Observer
    clock: Clock
    upstreams: Mapping[str, Upstream]
    leases: Leases
    deferrals: Deferrals
    precedence: EndPriority
    call_timeout_s: float
    max_calls_per_task: int
    alarms: Deadlines = field(default_factory=Deadlines)
