# SPDX-License-Identifier: Apache-2.0
"""Put together what answers questions about the process itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from remit.core.controls.programme import Initiative
from remit.core.identity.access_review import ReviewRule
from remit.core.identity.deployment import Deployment
from remit.ports.adapters import Adapters
from remit.services.credentials.assembly import CredentialServices
from remit.services.decisions.assembly import DecisionServices
from remit.services.endings.assembly import EndingServices
from remit.services.evidence.assembly import EvidenceServices
from remit.services.findings.assembly import FindingServices
from remit.services.identity.assembly import IdentityServices, IdentitySettings
from remit.services.inspection.access_reviews import AccessReviews
from remit.services.inspection.activity import Activity
from remit.services.inspection.can import CanReports
from remit.services.inspection.explanation import Explanations
from remit.services.inspection.grant_use import GrantedUseReports
from remit.services.inspection.policy_suggestions import PolicySuggestions
from remit.services.inspection.programme import Programme
from remit.services.inspection.question_reports import QuestionHistory
from remit.services.inspection.reach_surveys import ReachSurveys
from remit.services.inspection.replica_status import ReplicaStatus
from remit.services.inspection.simulation import Simulations
from remit.services.inspection.who import Who
from remit.services.inspection.who_can import WhoCanReports
from remit.services.policy.assembly import proofs_of
from remit.services.policy.bundle import Policies
from remit.services.policy.proofs import PolicyProofs
from remit.services.replicas.assembly import ReplicaServices
from remit.services.tasks.assembly import TaskServices
from remit.services.tools.assembly import ToolServices


def _no_file(name: str) -> bytes | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionSettings:
    """When access reviews are due, the declared initiatives, and what reads a file of the bundle by its
    name.
    """

    reviews: ReviewRule | None = None
    initiatives: tuple[Initiative, ...] = ()
    bundle_file: Callable[[str], bytes | None] = _no_file


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionServices:
    """What answers `remit can` and `remit who`, what tries policies, which replicas enforce, and what happens
    now.
    """

    reports: CanReports
    who: Who
    roster: ReplicaStatus
    simulations: Simulations
    suggestions: PolicySuggestions
    explanations: Explanations
    who_can: WhoCanReports
    proofs: PolicyProofs
    questions: QuestionHistory
    activity: Activity
    granted_use: GrantedUseReports
    reach: ReachSurveys
    reviews: AccessReviews
    programme: Programme


def inspection_services(
    adapters: Adapters,
    deployment: Deployment,
    settings: IdentitySettings,
    own: InspectionSettings,
    unconstrained: frozenset[str],
    policies: Policies,
    tools: ToolServices,
    credentials: CredentialServices,
    among: ReplicaServices,
    tasks: TaskServices,
    decisions: DecisionServices,
    endings: EndingServices,
    identity: IdentityServices,
    evidence: EvidenceServices,
    findings: FindingServices,
) -> InspectionServices:
    """Put them together."""
    use = _granted_use(adapters, deployment, policies, tools, evidence)
    roster = ReplicaStatus(
        fleet=adapters.fleet, replicas=among.membership, policies=policies, reactions=endings.reactions
    )
    simulations = _simulations(adapters, deployment, policies, evidence)
    return InspectionServices(
        reports=CanReports(
            store=adapters.store,
            clock=adapters.clock,
            live=tasks.live,
            tools=tools.registry,
            authorizer=decisions.authorizer,
            policies=policies,
            surroundings=decisions.surroundings,
            tenant=deployment.tenant,
        ),
        who=Who(
            store=adapters.store,
            clock=adapters.clock,
            live=tasks.live,
            authenticator=identity.authenticator,
            members=deployment.members,
            tenant=deployment.tenant,
            unconstrained=unconstrained,
            own_uid=settings.own_uid,
            issuing=settings.issuing,
            leases=credentials.leases,
            locks=endings.locks,
            roster=roster,
        ),
        roster=roster,
        proofs=proofs_of(adapters, deployment, policies),
        questions=_questions(adapters, deployment, decisions, evidence),
        simulations=simulations,
        suggestions=_suggestions(adapters, deployment, policies, evidence, simulations),
        who_can=_who_can(adapters, deployment, policies, tools),
        explanations=_explanations(adapters, deployment, policies, evidence),
        reach=_reach(deployment, policies, decisions),
        activity=Activity(store=adapters.store, clock=adapters.clock, tenant=deployment.tenant),
        granted_use=use,
        programme=_programme(adapters, deployment, own),
        reviews=_reviews(adapters, deployment, own, policies, identity, findings, use),
    )


def _programme(adapters: Adapters, deployment: Deployment, settings: InspectionSettings) -> Programme:
    return Programme(
        store=adapters.store,
        clock=adapters.clock,
        tenant=deployment.tenant,
        initiatives=settings.initiatives,
    )


def _reviews(
    adapters: Adapters,
    deployment: Deployment,
    settings: InspectionSettings,
    policies: Policies,
    identity: IdentityServices,
    findings: FindingServices,
    use: GrantedUseReports,
) -> AccessReviews:
    return AccessReviews(
        store=adapters.store,
        clock=adapters.clock,
        tenant=deployment.tenant,
        directory=identity.directory,
        findings=findings.findings,
        policies=policies,
        members=deployment.members,
        use=use,
        rule=settings.reviews,
        second_person=deployment.second_person,
        file=settings.bundle_file,
    )


def _granted_use(
    adapters: Adapters,
    deployment: Deployment,
    policies: Policies,
    tools: ToolServices,
    evidence: EvidenceServices,
) -> GrantedUseReports:
    return GrantedUseReports(
        log=evidence.log,
        searches=evidence.searches,
        policies=policies,
        tools=tools.registry,
        members=deployment.members,
        clock=adapters.clock,
    )


def _simulations(
    adapters: Adapters, deployment: Deployment, policies: Policies, evidence: EvidenceServices
) -> Simulations:
    return Simulations(
        store=adapters.store,
        log=evidence.log,
        policies=policies,
        members=deployment.members,
        tenant=deployment.tenant,
    )


def _reach(deployment: Deployment, policies: Policies, decisions: DecisionServices) -> ReachSurveys:
    return ReachSurveys(
        policies=policies,
        groups=deployment.members.groups,
        observed=lambda: decisions.authorizer.observed,
    )


def _questions(
    adapters: Adapters, deployment: Deployment, decisions: DecisionServices, evidence: EvidenceServices
) -> QuestionHistory:
    return QuestionHistory(
        log=evidence.log,
        store=adapters.store,
        authorizer=decisions.authorizer,
        approvals=decisions.approvals,
        tenant=deployment.tenant,
    )


def _suggestions(
    adapters: Adapters,
    deployment: Deployment,
    policies: Policies,
    evidence: EvidenceServices,
    simulations: Simulations,
) -> PolicySuggestions:
    return PolicySuggestions(
        log=evidence.log,
        store=adapters.store,
        policies=policies,
        simulations=simulations,
        tenant=deployment.tenant,
    )


def _who_can(
    adapters: Adapters, deployment: Deployment, policies: Policies, tools: ToolServices
) -> WhoCanReports:
    return WhoCanReports(
        store=adapters.store,
        tools=tools.registry,
        policies=policies,
        members=deployment.members,
        tenant=deployment.tenant,
    )


def _explanations(
    adapters: Adapters, deployment: Deployment, policies: Policies, evidence: EvidenceServices
) -> Explanations:
    return Explanations(
        store=adapters.store,
        searches=evidence.searches,
        policies=policies,
        members=deployment.members,
        tenant=deployment.tenant,
    )
