# SPDX-License-Identifier: Apache-2.0
"""Hand each part of the interface the rooms that it works with."""

from __future__ import annotations

from remit.api.authzen.rooms import AuthzenRooms
from remit.api.console.rooms import ConsoleRooms
from remit.api.health import HealthRooms
from remit.api.oauth.browser.rooms import PageRooms
from remit.api.oauth.rooms import OAuthRooms
from remit.api.rest.approvals import ApprovalRooms
from remit.api.rest.decisions.absences import AbsenceRooms
from remit.api.rest.decisions.freezes import FreezeRooms
from remit.api.rest.decisions.function_calls import FunctionRooms
from remit.api.rest.decisions.telemetry import TelemetryRooms
from remit.api.rest.endings import EndRooms
from remit.api.rest.evidence import EvidenceRooms
from remit.api.rest.findings import FindingRooms
from remit.api.rest.guards import GuardRooms
from remit.api.rest.identity.agents import AgentRooms
from remit.api.rest.identity.delegations import DelegationRooms
from remit.api.rest.identity.keys import KeyRooms
from remit.api.rest.identity.people import PersonRooms
from remit.api.rest.identity.reviews import ReviewRooms
from remit.api.rest.identity.sign_in import SignInRooms
from remit.api.rest.inspection import InspectionRooms
from remit.api.rest.policies.explanation import ExplanationRooms
from remit.api.rest.policies.shadow import ShadowRooms
from remit.api.rest.policy import PolicyRooms
from remit.api.rest.policy_simulation import SimulationRooms
from remit.api.rest.policy_versions import PolicyVersionRooms
from remit.api.rest.replicas import ReplicaRooms
from remit.api.rest.service import ServiceRooms
from remit.api.rest.stored_labels import StoredLabelRooms
from remit.api.rest.tasks import TaskRooms
from remit.api.rest.tools import ToolRooms
from remit.api.rest.upstreams import UpstreamRooms
from remit.api.ssf.rooms import StreamRooms
from remit.services.assembly.services import Services


def endpoint_rooms(services: Services) -> dict[type[object], object]:
    """Return the rooms of the endpoints of the route table, by the type that an endpoint asks for."""
    every: tuple[object, ...] = (
        AgentRooms(findings=services.findings, identity=services.identity),
        ReviewRooms(identity=services.identity, inspection=services.inspection, tasks=services.tasks),
        DelegationRooms(people=services.people),
        SignInRooms(identity=services.identity, people=services.people),
        PersonRooms(identity=services.identity, people=services.people),
        KeyRooms(identity=services.identity, people=services.people),
        EndRooms(
            upstreams=services.upstreams,
            findings=services.findings,
            tools=services.tools,
            credentials=services.credentials,
            evidence=services.evidence,
            tasks=services.tasks,
            endings=services.endings,
            identity=services.identity,
            people=services.people,
        ),
        UpstreamRooms(upstreams=services.upstreams, tools=services.tools, decisions=services.decisions),
        GuardRooms(guard=services.guard),
        AbsenceRooms(decisions=services.decisions),
        FreezeRooms(decisions=services.decisions),
        TelemetryRooms(tasks=services.tasks),
        FunctionRooms(mediation=services.mediation),
        EvidenceRooms(evidence=services.evidence),
        StoredLabelRooms(flow=services.flow),
        FindingRooms(findings=services.findings, identity=services.identity, discovery=services.discovery),
        InspectionRooms(tasks=services.tasks, identity=services.identity, inspection=services.inspection),
        *_deciding_rooms(services),
        PolicyVersionRooms(
            policies=services.policies,
            tools=services.tools,
            endings=services.endings,
            evidence=services.evidence,
        ),
        PolicyRooms(
            policies=services.policies,
            tools=services.tools,
            replicas=services.replicas,
            endings=services.endings,
            decisions=services.decisions,
        ),
        _service_rooms(services),
        _approval_rooms(services),
        ReplicaRooms(replicas=services.replicas, endings=services.endings, inspection=services.inspection),
        ToolRooms(policies=services.policies, tools=services.tools, decisions=services.decisions),
        TaskRooms(
            policies=services.policies,
            findings=services.findings,
            tools=services.tools,
            tasks=services.tasks,
            decisions=services.decisions,
            endings=services.endings,
            identity=services.identity,
        ),
        _authzen_rooms(services),
        StreamRooms(signals=services.signals),
    )
    return {type(one): one for one in every}


def _deciding_rooms(services: Services) -> tuple[object, ...]:
    """Return the rooms of what looks at how policies decide."""
    return (
        SimulationRooms(policies=services.policies, inspection=services.inspection),
        ExplanationRooms(inspection=services.inspection),
        ShadowRooms(policies=services.policies, decisions=services.decisions),
    )


def _approval_rooms(services: Services) -> ApprovalRooms:
    return ApprovalRooms(
        tasks=services.tasks,
        decisions=services.decisions,
        identity=services.identity,
        inspection=services.inspection,
    )


def _authzen_rooms(services: Services) -> AuthzenRooms:
    return AuthzenRooms(
        replicas=services.replicas,
        decisions=services.decisions,
        identity=services.identity,
        answers=services.answers,
        access_requests=services.access_requests,
    )


def _service_rooms(services: Services) -> ServiceRooms:
    return ServiceRooms(
        upstreams=services.upstreams,
        policies=services.policies,
        tools=services.tools,
        replicas=services.replicas,
        endings=services.endings,
        decisions=services.decisions,
        evidence=services.evidence,
        findings=services.findings,
        mediation=services.mediation,
        guard=services.guard,
    )


def health_rooms(services: Services) -> HealthRooms:
    """Return what readiness and figures are about."""
    return HealthRooms(
        upstreams=services.upstreams,
        clock=services.clock,
        policies=services.policies,
        tools=services.tools,
        credentials=services.credentials,
        evidence=services.evidence,
        replicas=services.replicas,
        tasks=services.tasks,
        decisions=services.decisions,
        endings=services.endings,
        mediation=services.mediation,
        inspection=services.inspection,
        signals=services.signals,
    )


def oauth_rooms(services: Services) -> OAuthRooms:
    """Return the rooms of the endpoints that programs use."""
    return OAuthRooms(
        keys=services.keys,
        clock=services.clock,
        findings=services.findings,
        identity=services.identity,
        oauth=services.oauth,
    )


def page_rooms(services: Services) -> PageRooms:
    """Return the rooms of the pages."""
    return PageRooms(
        keys=services.keys,
        clock=services.clock,
        entropy=services.entropy,
        findings=services.findings,
        tasks=services.tasks,
        endings=services.endings,
        identity=services.identity,
        oauth=services.oauth,
        people=services.people,
    )


def console_rooms(services: Services) -> ConsoleRooms:
    """Return the rooms of the console's pages."""
    return ConsoleRooms(
        keys=services.keys,
        clock=services.clock,
        entropy=services.entropy,
        findings=services.findings,
        tasks=services.tasks,
        endings=services.endings,
        identity=services.identity,
        oauth=services.oauth,
        people=services.people,
        upstreams=services.upstreams,
        credentials=services.credentials,
        decisions=services.decisions,
        evidence=services.evidence,
        links=services.signals.links,
        guard=services.guard,
        inspection=services.inspection,
        policies=services.policies,
        replicas=services.replicas,
        signals=services.signals,
        tools=services.tools,
    )
