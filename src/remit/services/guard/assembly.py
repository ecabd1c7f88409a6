# SPDX-License-Identifier: Apache-2.0
"""Put together what guards coding assistants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remit.core.identity.deployment import Deployment
from remit.ports.adapters import Adapters
from remit.services.endings.assembly import EndingServices
from remit.services.guard.client import GuardedClient
from remit.services.guard.guard import CodingGuard
from remit.services.guard.heartbeat import Heartbeat
from remit.services.guard.sessions import GuardSessions
from remit.services.guard.usage import GuardedUsage
from remit.services.identity.assembly import IdentityServices
from remit.services.mediation.assembly import MediationServices
from remit.services.tasks.assembly import TaskServices


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSettings:
    """The guarded clients, by name."""

    clients: Mapping[str, GuardedClient] = field(default_factory=dict)


def guard_of(
    adapters: Adapters,
    deployment: Deployment,
    settings: GuardSettings,
    tasks: TaskServices,
    endings: EndingServices,
    identity: IdentityServices,
    mediation: MediationServices,
) -> CodingGuard:
    """Return the guard."""
    sessions = GuardSessions(
        tasks=tasks,
        directory=identity.directory,
        endings=endings,
        clock=adapters.clock,
        tenant=deployment.tenant,
        running=adapters.running,
        heartbeat=Heartbeat(adapters.store, adapters.clock, deployment.tenant),
    )
    return CodingGuard(
        clients=settings.clients,
        sessions=sessions,
        mediator=mediation.mediator,
        parts=mediation.parts,
        processes=adapters.running,
        transcripts=adapters.transcripts,
        governed=adapters.upstreams,
        usage=GuardedUsage(adapters.transcripts, tasks.usage),
    )
