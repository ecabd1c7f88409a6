# SPDX-License-Identifier: Apache-2.0
"""Put together what carries calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remit.ports.adapters import Adapters
from remit.services.credentials.assembly import CredentialServices
from remit.services.decisions.assembly import DecisionServices
from remit.services.endings.assembly import EndingServices
from remit.services.flow.assembly import FlowServices
from remit.services.identity.assembly import IdentityServices
from remit.services.mediation.deferred_calls import Deferrals
from remit.services.mediation.dependencies import Dependencies
from remit.services.mediation.function_calls import FunctionCalls
from remit.services.mediation.lists import Lists
from remit.services.mediation.mediator import Mediator
from remit.services.mediation.parked_calls import ParkedCalls
from remit.services.policy.bundle import Policies
from remit.services.tasks.assembly import TaskServices
from remit.services.tools.assembly import ToolServices


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings:
    """How long a call may take, and how many of one task may go on at once.

    `functions` are the owners of functions that agents carry out, with the seconds in which each result is
    reported.
    """

    call_timeout_s: float = 300.0
    max_calls_per_task: int = 64
    functions: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediationServices:
    """What carries calls and lists, and what every call is driven with."""

    mediator: Mediator
    lists: Lists
    deferrals: Deferrals
    parked: ParkedCalls
    functions: FunctionCalls
    parts: Dependencies


def mediation_services(
    adapters: Adapters,
    settings: CallSettings,
    policies: Policies,
    tools: ToolServices,
    credentials: CredentialServices,
    tasks: TaskServices,
    decisions: DecisionServices,
    flow: FlowServices,
    endings: EndingServices,
    identity: IdentityServices,
) -> MediationServices:
    """Put them together."""
    deferrals = Deferrals(
        upstreams=adapters.upstreams,
        late=decisions.late,
        histories=tasks.histories,
        clock=adapters.clock,
        entropy=adapters.entropy,
        events=endings.events,
    )
    parts = Dependencies(
        deferrals=deferrals,
        authenticator=identity.authenticator,
        live=tasks.live,
        authorizer=decisions.authorizer,
        approvals=decisions.approvals,
        policies=policies,
        store=adapters.store,
        late=decisions.late,
        refusals=decisions.refusals,
        shadow=decisions.shadow,
        stored_labels=flow.stored_labels,
        surroundings=decisions.surroundings,
        observer=flow.observer,
        clock=adapters.clock,
        upstreams=adapters.upstreams,
        leases=credentials.leases,
        precedence=endings.precedence,
        call_timeout_s=settings.call_timeout_s,
        max_calls_per_task=settings.max_calls_per_task,
    )
    mediator = Mediator(parts, adapters.tracer)
    return MediationServices(
        mediator=mediator,
        functions=FunctionCalls(parts, mediator, settings.functions),
        lists=Lists(parts, tools=tools.registry, entropy=adapters.entropy),
        deferrals=deferrals,
        parked=ParkedCalls(
            store=adapters.store,
            approvals=decisions.approvals,
            live=tasks.live,
            clock=adapters.clock,
            events=endings.events,
        ),
        parts=parts,
    )
