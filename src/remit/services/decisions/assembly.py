# SPDX-License-Identifier: Apache-2.0
"""Put the services of decisions together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from remit.core.circumstances.networks import Networks
from remit.core.circumstances.time_window import TimeWindow
from remit.core.identity.deployment import Deployment
from remit.ports.adapters import Adapters
from remit.services.decisions.absences import Absences
from remit.services.decisions.approvals import Approvals
from remit.services.decisions.approvers import Approvers
from remit.services.decisions.authorizer import Authorizer
from remit.services.decisions.break_glass import BreakGlass, GlassRule
from remit.services.decisions.circumstances import Surroundings
from remit.services.decisions.escalations import Escalations, EscalationStep
from remit.services.decisions.freezes import Freezes
from remit.services.decisions.plan_changes import Plans
from remit.services.decisions.refusals import Refusals
from remit.services.decisions.upstream_modes import UpstreamModes
from remit.services.decisions.write_behind import WriteBehind
from remit.services.findings.assembly import FindingServices
from remit.services.policy.bundle import Policies
from remit.services.policy.shadow import PolicyShadow
from remit.services.tasks.assembly import TaskServices
from remit.services.tools.assembly import ToolServices


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSettings:
    """Upstreams that are only `observed`, those whose callers prove no key, and how long questions wait.

    `windows` are the time windows that policies may read, `networks` the network zones, `notified` the
    addressees that a rule may notify. `escalate` are the steps of questions without an answer; without
    `break_glass` no person approves in place of others. `tell_blind`: policies read where no one looks for
    anomalies.
    """

    observed: frozenset[str] = frozenset()
    unconstrained: frozenset[str] = frozenset()
    approval_ttl_s: int = 900
    windows: Mapping[str, TimeWindow] = field(default_factory=dict)
    networks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notified: frozenset[str] = frozenset()
    escalate: Sequence[EscalationStep] = ()
    break_glass: GlassRule | None = None
    tell_blind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionServices:
    """What decides, what people decide, and how decisions are kept."""

    authorizer: Authorizer
    approvals: Approvals
    absences: Absences
    escalations: Escalations
    glass: BreakGlass
    plans: Plans
    late: WriteBehind
    refusals: Refusals
    modes: UpstreamModes
    shadow: PolicyShadow
    surroundings: Surroundings
    freezes: Freezes


def decision_services(
    adapters: Adapters,
    deployment: Deployment,
    settings: DecisionSettings,
    policies: Policies,
    tools: ToolServices,
    tasks: TaskServices,
    findings: FindingServices,
) -> DecisionServices:
    """Put them together."""
    store, clock, entropy = adapters.store, adapters.clock, adapters.entropy
    approvers = _approvers(adapters, deployment, settings)
    authorizer = Authorizer(
        store=store,
        approvers=approvers,
        policies=policies,
        tools=tools.registry,
        histories=tasks.histories,
        entropy=entropy,
        tenant=deployment.tenant,
        observed=settings.observed,
        unconstrained=settings.unconstrained,
        own_files=adapters.own_files,
        addressees=settings.notified,
    )
    approvals = _approvals(adapters, deployment, settings, approvers)
    late = WriteBehind(store)
    shadow = PolicyShadow(
        policies=policies, store=store, clock=clock, entropy=entropy, tenant=deployment.tenant
    )
    surroundings = _surroundings(adapters, deployment, settings)
    refusals = Refusals(store, clock, late, lambda tool: tools.registry.get(tool) is not None)
    plans = Plans(
        store=store,
        clock=clock,
        entropy=entropy,
        live=tasks.live,
        tasks=tasks.tasks,
        authorizer=authorizer,
        approvals=approvals,
        refusals=refusals,
        shadow=shadow,
        surroundings=surroundings,
    )
    return DecisionServices(
        authorizer=authorizer,
        approvals=approvals,
        absences=Absences(store=store, clock=clock, tenant=deployment.tenant),
        escalations=Escalations(store=store, clock=clock, tenant=deployment.tenant, steps=settings.escalate),
        glass=_glass(adapters, deployment, settings, approvals, approvers, findings),
        plans=plans,
        late=late,
        refusals=refusals,
        modes=_modes(adapters, deployment, authorizer, tools),
        shadow=shadow,
        surroundings=surroundings,
        freezes=Freezes(store=store, clock=clock, entropy=entropy, tenant=deployment.tenant),
    )


def _modes(
    adapters: Adapters, deployment: Deployment, authorizer: Authorizer, tools: ToolServices
) -> UpstreamModes:
    return UpstreamModes(
        store=adapters.store,
        clock=adapters.clock,
        tenant=deployment.tenant,
        authorizer=authorizer,
        announcements=tools.announcements,
        upstreams=frozenset(adapters.upstreams),
    )


def _approvers(adapters: Adapters, deployment: Deployment, settings: DecisionSettings) -> Approvers:
    return Approvers(
        store=adapters.store,
        members=deployment.members,
        tenant=deployment.tenant,
        second_person=deployment.second_person,
        glass=settings.break_glass.group if settings.break_glass is not None else None,
    )


def _glass(
    adapters: Adapters,
    deployment: Deployment,
    settings: DecisionSettings,
    approvals: Approvals,
    approvers: Approvers,
    findings: FindingServices,
) -> BreakGlass:
    return BreakGlass(
        store=adapters.store,
        clock=adapters.clock,
        tenant=deployment.tenant,
        approvals=approvals,
        approvers=approvers,
        findings=findings.findings,
        rule=settings.break_glass,
    )


def _approvals(
    adapters: Adapters, deployment: Deployment, settings: DecisionSettings, approvers: Approvers
) -> Approvals:
    return Approvals(
        store=adapters.store,
        clock=adapters.clock,
        entropy=adapters.entropy,
        tenant=deployment.tenant,
        ttl_s=settings.approval_ttl_s,
        approvers=approvers,
    )


def _surroundings(adapters: Adapters, deployment: Deployment, settings: DecisionSettings) -> Surroundings:
    return Surroundings(
        store=adapters.store,
        clock=adapters.clock,
        tenant=deployment.tenant,
        windows=settings.windows,
        networks=Networks(settings.networks),
        tell_blind=settings.tell_blind,
    )
