# SPDX-License-Identifier: Apache-2.0
"""Put the services of a process together: room by room, in the order in which rooms may know each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from remit.core.identity.deployment import Deployment
from remit.core.oauth.resource import Resources
from remit.ports.adapters import Adapters
from remit.ports.upstream import HttpUpstream
from remit.services.assembly.services import Services
from remit.services.assembly.settings import Settings
from remit.services.authzen.access_requests import AccessRequests
from remit.services.authzen.assembly import access_requests_of, answers_of
from remit.services.credentials.assembly import credential_services
from remit.services.decisions.assembly import DecisionServices, decision_services
from remit.services.discovery.assembly import discovery_services
from remit.services.endings.assembly import ending_services
from remit.services.endings.priority import EndPriority
from remit.services.evidence.assembly import evidence_services
from remit.services.findings.assembly import FindingServices, finding_services
from remit.services.flow.assembly import flow_services
from remit.services.guard.assembly import guard_of
from remit.services.identity.assembly import identity_services
from remit.services.inspection.assembly import inspection_services
from remit.services.mediation.assembly import mediation_services
from remit.services.oauth.assembly import authorization_server
from remit.services.people.assembly import people_services
from remit.services.policy.assembly import policies_of
from remit.services.policy.bundle import Policies
from remit.services.replicas.assembly import replica_services
from remit.services.separation.second_person import SecondPerson
from remit.services.separation.sign_in_methods import hands_of
from remit.services.signals.assembly import SignalSettings, signal_services
from remit.services.tasks.assembly import task_services
from remit.services.tools.assembly import tool_services


def assemble(adapters: Adapters, deployment: Deployment, settings: Settings) -> Services:
    """Build the services; start nothing and apply no policy bundle yet."""
    at = (adapters, deployment)
    policies, second = policies_of(*at, _hands(*at)), _second_person(*at)
    findings, tools = _findings(*at, policies, settings), tool_services(*at, policies, settings.reached)
    credentials = credential_services(*at, settings.credentials, findings)
    evidence, named = evidence_services(*at, settings.evidence, findings), _resources(*at)
    replicas, precedence = replica_services(*at, settings.replicas.replica), EndPriority()
    tasks = task_services(*at, settings.openings, named, policies, replicas)
    decisions = decision_services(*at, settings.decisions, policies, tools, tasks, findings)
    flow, unbound = flow_services(*at, policies, tools, tasks, precedence), settings.decisions.unconstrained
    endings = ending_services(
        *(*at, policies, tools, credentials, replicas, tasks, decisions, second, precedence),
        settle_s=settings.credentials.settle_s,
        reload=settings.replicas.reload,
    )
    identity = identity_services(
        *(*at, settings.identity, named, policies, findings, credentials, tasks, decisions, endings, second)
    )
    mediation = mediation_services(
        *(adapters, settings.calls, policies, tools, credentials, tasks, decisions, flow, endings, identity)
    )
    requests, told = _access_requests(*at, settings, decisions)
    oauth = authorization_server(
        *(*at, settings.tokens, settings.identity.attestors, identity, policies, tasks, _points(settings))
    )
    inspection = inspection_services(
        *(*at, settings.identity, settings.inspection, unbound, policies, tools, credentials),
        *(replicas, tasks, decisions, endings, identity, evidence, findings),
    )
    return Services(
        tenant=deployment.tenant,
        public_url=deployment.public_url,
        clock=adapters.clock,
        entropy=adapters.entropy,
        store=adapters.store,
        keys=adapters.keys,
        upstreams=adapters.upstreams,
        policies=policies,
        findings=findings,
        tools=tools,
        credentials=credentials,
        evidence=evidence,
        replicas=replicas,
        tasks=tasks,
        decisions=decisions,
        flow=flow,
        endings=endings,
        identity=identity,
        oauth=oauth,
        mediation=mediation,
        inspection=inspection,
        discovery=discovery_services(*at, settings.discovery, findings, identity, inspection),
        signals=signal_services(*at, told, findings, evidence, decisions, endings, identity),
        access_requests=requests,
        answers=answers_of(*at, settings.evaluations, mediation.parts),
        guard=guard_of(*at, settings.guard, tasks, endings, identity, mediation),
        people=people_services(
            *(*at, settings.people, policies, tools, findings, evidence, tasks, endings, identity, oauth)
        ),
    )


def _findings(
    adapters: Adapters, deployment: Deployment, policies: Policies, settings: Settings
) -> FindingServices:
    return finding_services(adapters, deployment, lambda: policies.applied.bundle.tools, settings.anomalies)


def _points(settings: Settings) -> frozenset[str]:
    """Return the names of the enforcement points."""
    return frozenset(settings.evaluations.enforcement_points)


def _access_requests(
    adapters: Adapters, deployment: Deployment, settings: Settings, decisions: DecisionServices
) -> tuple[AccessRequests, SignalSettings]:
    """Return the access requests, and who is told of events: also the enforcement points that wait."""
    requests = access_requests_of(adapters, deployment, decisions)
    waiting = requests.targets(settings.evaluations.enforcement_points, settings.evaluations.deliveries)
    return requests, replace(settings.signals, addressees={**settings.signals.addressees, **waiting})


def _resources(adapters: Adapters, deployment: Deployment) -> Resources:
    """Return what tokens may name: upstreams, of which some are HTTP APIs."""
    apis = [name for name, one in adapters.upstreams.items() if isinstance(one, HttpUpstream)]
    return Resources(deployment.public_url, adapters.upstreams, apis)


def _hands(adapters: Adapters, deployment: Deployment) -> Callable[[str], Awaitable[frozenset[str]]]:
    """Return who may be acting as a person."""

    async def behind(person: str) -> frozenset[str]:
        return await hands_of(adapters.store, deployment.tenant, person, adapters.clock.now())

    return behind


def _second_person(adapters: Adapters, deployment: Deployment) -> SecondPerson:
    return SecondPerson(
        store=adapters.store,
        clock=adapters.clock,
        tenant=deployment.tenant,
        wanted=deployment.second_person,
    )
