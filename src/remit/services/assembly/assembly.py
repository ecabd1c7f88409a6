# SPDX-License-Identifier: Apache-2.0
"""Furnishing a house: from what a process has (adapters and settings) to the services that work with it."""

from __future__ import annotations

from remit.core.oauth.mission import authority_hash, authority_set
from remit.core.oauth.resource import Resources
from remit.core.tasks.task import Task
from remit.ports.upstream import HttpUpstream
from remit.services.assembly.oauth import authorization_server
from remit.services.assembly.people import people_of, personnel_of
from remit.services.assembly.replicas import (
    reactions_of,
    remains_of,
    roster_of,
    spent_of,
    standing_among,
)
from remit.services.assembly.services import Services
from remit.services.assembly.settings import Settings
from remit.services.authzen.enforcement_points import AskedSubjects
from remit.services.authzen.evaluation import AuthzenEvaluations
from remit.services.credentials.leak_alarms import SinkAlarms, tell_of_leaks
from remit.services.credentials.leases import Leases
from remit.services.decisions.approvals import Approvals
from remit.services.decisions.authorizer import Authorizer
from remit.services.decisions.plan_changes import Plans
from remit.services.decisions.refusals import Refusals
from remit.services.decisions.write_behind import WriteBehind
from remit.services.endings.bundle_change import BundleChange
from remit.services.endings.closure import DerivedPermissions
from remit.services.endings.ending import Endings
from remit.services.endings.locks import Locks
from remit.services.endings.priority import EndPriority
from remit.services.evidence.chains import Chains
from remit.services.evidence.followers import Followers
from remit.services.evidence.log import Evidence
from remit.services.evidence.log_audit import LogAudit
from remit.services.evidence.receipts import Receipts
from remit.services.findings.findings import Findings
from remit.services.findings.shared_identities import SharedIdentities
from remit.services.flow.declassification import Declassifications
from remit.services.flow.memory_limit import MemoryLimit
from remit.services.flow.observation import Observer
from remit.services.flow.stored_labels import StoredLabels
from remit.services.identity.authenticator import Authenticator
from remit.services.identity.directory import Directory
from remit.services.identity.keys import KeyRotations
from remit.services.inspection.can import CanReports
from remit.services.inspection.who import Who
from remit.services.mediation.deferred_calls import Deferrals
from remit.services.mediation.dependencies import Dependencies
from remit.services.mediation.lists import Lists
from remit.services.mediation.mediator import Mediator
from remit.services.oauth.dpop_replay import DpopReplay
from remit.services.oauth.presented_tokens import PresentedTokens
from remit.services.people.delegations import Delegations
from remit.services.people.erasure import Erasure
from remit.services.policy.bundle import Policies
from remit.services.signals.notifications import Notifications
from remit.services.signals.polling import Polling
from remit.services.signals.reactions import SignalReactions
from remit.services.signals.receiver import HeardSignals
from remit.services.signals.silence import TransmitterSilence
from remit.services.signals.streams import Streams
from remit.services.signals.subjects import SignalSubjects
from remit.services.signals.transmitter import SignalTransmitter
from remit.services.tasks.live_tasks import LiveTasks
from remit.services.tasks.tasks import Tasks
from remit.services.tools.pinned_tools import ToolCatalogue
from remit.services.tools.reachability import UpstreamReachability


def assemble(o: Settings) -> Services:
    """Put the services together; nothing is started and nothing is applied yet."""
    rotations = KeyRotations(
        keys=o.keys, store=o.store, clock=o.clock, tenant=o.tenant, periods=dict(o.key_periods)
    )
    policies = Policies(engine=o.engine, store=o.store, clock=o.clock, tenant=o.tenant, members=o.members)
    tools = ToolCatalogue(store=o.store, clock=o.clock, policies=policies, tenant=o.tenant)
    apis = [name for name, one in o.upstreams.items() if isinstance(one, HttpUpstream)]
    resources = Resources(o.public_url, o.upstreams, apis)

    def authority(task: Task) -> str:
        return authority_hash(o.public_url, authority_set(task, resources))

    replicas, ownership, passing = standing_among(o)
    live = LiveTasks(
        *(o.store, o.clock, o.entropy, o.tenant, o.members, authority),
        classes=lambda: policies.applied.bundle.classes,
        replicas=replicas,
        ownership=ownership,
    )
    authenticator = Authenticator(
        store=o.store,
        keys=o.keys.tokens,
        clock=o.clock,
        entropy=o.entropy,
        tenant=o.tenant,
        issuer=o.public_url,
        resources=resources,
        session_ttl_s=o.session_ttl_s,
        members=o.members,
    )
    authorizer = Authorizer(
        store=o.store,
        policies=policies,
        tools=tools,
        entropy=o.entropy,
        tenant=o.tenant,
        observed=o.observed,
        unconstrained=o.unconstrained,
    )
    approvals = Approvals(
        store=o.store,
        clock=o.clock,
        entropy=o.entropy,
        tenant=o.tenant,
        ttl_s=o.approval_ttl_s,
        second_person=o.second_person,
    )
    leases = Leases(
        brokers=o.brokers,
        store=o.store,
        clock=o.clock,
        entropy=o.entropy,
        sealing=o.keys.sealing,
        tenant=o.tenant,
        settle_s=o.settle_s,
        processes=o.processes,
        for_one_call=o.for_one_call,
    )
    rotations.on_rewrap(leases.reseal)
    remains = remains_of(o, replicas, ownership, leases)
    derived = DerivedPermissions(
        store=o.store, clock=o.clock, live=live, approvals=approvals, tenant=o.tenant
    )
    precedence = EndPriority()
    revocations = Endings(
        store=o.store,
        clock=o.clock,
        entropy=o.entropy,
        live=live,
        derived=derived,
        leases=leases,
        replicas=replicas,
        ownership=ownership,
        remains=remains,
        precedence=precedence,
        tenant=o.tenant,
        settle_s=o.settle_s,
    )
    tasks = Tasks(
        store=o.store,
        clock=o.clock,
        entropy=o.entropy,
        policies=policies,
        live=live,
        members=o.members,
        tenant=o.tenant,
        bounds=o.openings,
    )
    findings = Findings(store=o.store, clock=o.clock, tenant=o.tenant)
    tell_of_leaks(leases, findings)
    directory = Directory(
        store=o.store,
        clock=o.clock,
        live=live,
        policies=policies,
        revocations=revocations,
        findings=findings,
        members=o.members,
        tenant=o.tenant,
        suspend_on=o.suspend_on,
        end_on=o.end_on,
    )
    personnel = personnel_of(o, authenticator, directory, revocations, approvals, findings)
    locks = Locks(store=o.store, revocations=revocations, agreed=personnel.agreed, tenant=o.tenant)
    signals = HeardSignals(
        store=o.store,
        clock=o.clock,
        issuers=o.issuers,
        subjects=SignalSubjects(store=o.store, members=o.members, tenant=o.tenant),
        taking_away=SignalReactions(revocations=revocations, personnel=personnel, directory=directory),
        tenant=o.tenant,
        transmitters=o.transmitters,
    )
    cursors = Followers(store=o.store, tenant=o.tenant)
    streams = Streams(
        store=o.store,
        clock=o.clock,
        entropy=o.entropy,
        cursors=cursors,
        tenant=o.tenant,
        receivers=o.receivers,
    )
    late = WriteBehind(o.store)
    stored_labels = StoredLabels(
        store=o.store, policies=policies, tools=tools, clock=o.clock, tenant=o.tenant, fleet=o.fleet
    )
    deferrals = Deferrals(upstreams=o.upstreams, late=late, clock=o.clock, entropy=o.entropy)
    revocations.on_end(deferrals.on_end)
    observer = Observer(
        store=o.store,
        policies=policies,
        stored_labels=stored_labels,
        room=MemoryLimit(live, o.entropy),
        clock=o.clock,
    )
    parts = Dependencies(
        deferrals=deferrals,
        authenticator=authenticator,
        live=live,
        authorizer=authorizer,
        approvals=approvals,
        policies=policies,
        store=o.store,
        late=late,
        refusals=Refusals(o.store, o.clock, late),
        stored_labels=stored_labels,
        observer=observer,
        clock=o.clock,
        upstreams=o.upstreams,
        leases=leases,
        precedence=precedence,
        call_timeout_s=o.call_timeout_s,
        max_calls_per_task=o.max_calls_per_task,
    )
    proofs = DpopReplay(o.clock, o.entropy, max_age_s=o.proof_age_s)
    people = people_of(o, authenticator, directory, tasks, tools, policies, revocations, findings)
    evidence = Evidence(
        store=o.store,
        heads=o.heads,
        keys=o.keys.checkpoints,
        clock=o.clock,
        tenant=o.tenant,
        origin=o.origin,
    )
    delegations = Delegations(
        store=o.store,
        clock=o.clock,
        entropy=o.entropy,
        policies=policies,
        revocations=revocations,
        members=o.members,
        tenant=o.tenant,
    )
    reactions = reactions_of(o, live, ownership, leases, revocations, policies, tools, replicas, remains)
    roster = roster_of(o, replicas, policies, reactions)
    return Services(
        tenant=o.tenant,
        public_url=o.public_url,
        clock=o.clock,
        entropy=o.entropy,
        token_keys=o.keys.tokens,
        rotations=rotations,
        issuing=o.issuing,
        store=o.store,
        attestors=o.attestors,
        issuers=o.issuers,
        upstreams=o.upstreams,
        policies=policies,
        tools=tools,
        lists=Lists(parts, tools=tools, entropy=o.entropy),
        live=live,
        authenticator=authenticator,
        oauth=authorization_server(o, authenticator, live, tasks, policies, people),
        proofs=proofs,
        credentials=PresentedTokens(authenticator, proofs),
        authorizer=authorizer,
        stored_labels=stored_labels,
        declassifications=Declassifications(
            store=o.store,
            clock=o.clock,
            policies=policies,
            live=live,
            tasks=tasks,
            stored_labels=stored_labels,
            tenant=o.tenant,
            second_person=o.second_person,
        ),
        approvals=approvals,
        leases=leases,
        sink_alarms=SinkAlarms(leases=leases, findings=findings),
        revocations=revocations,
        replicas=replicas,
        ownership=ownership,
        remains=remains,
        spent=spent_of(o, replicas, ownership, live, revocations),
        precedence=precedence,
        reactions=reactions,
        roster=roster,
        passing=passing,
        forwarder=o.forwarder,
        tasks=tasks,
        rebundling=BundleChange(
            store=o.store,
            clock=o.clock,
            live=live,
            tasks=tasks,
            policies=policies,
            revocations=revocations,
            members=o.members,
            tenant=o.tenant,
        ),
        plans=Plans(
            store=o.store,
            clock=o.clock,
            entropy=o.entropy,
            live=live,
            tasks=tasks,
            authorizer=authorizer,
            approvals=approvals,
            refusals=parts.refusals,
        ),
        directory=directory,
        personnel=personnel,
        locks=locks,
        delegations=delegations,
        findings=findings,
        reached=o.reached or UpstreamReachability(o.clock),
        sightings=SharedIdentities(store=o.store, clock=o.clock, findings=findings, tenant=o.tenant),
        mediator=Mediator(parts),
        deferrals=deferrals,
        answers=_answers(o, parts),
        evidence=evidence,
        forgetting=Erasure(
            store=o.store,
            clock=o.clock,
            evidence=evidence,
            delegations=delegations,
            revocations=revocations,
            tenant=o.tenant,
        ),
        derived=derived,
        receipts=Receipts(store=o.store, evidence=evidence, clock=o.clock, tenant=o.tenant),
        chains=Chains(evidence),
        reports=CanReports(
            store=o.store, clock=o.clock, live=live, tools=tools, authorizer=authorizer, tenant=o.tenant
        ),
        who=Who(
            store=o.store,
            clock=o.clock,
            live=live,
            authenticator=authenticator,
            members=o.members,
            tenant=o.tenant,
            unconstrained=o.unconstrained,
            own_uid=o.own_uid,
            issuing=o.issuing,
            leases=leases,
            locks=locks,
            roster=roster,
        ),
        signals=signals,
        polling=Polling(signals, o.polled, o.clock),
        log_reading=LogAudit(store=o.store, evidence=evidence, findings=findings, tenant=o.tenant),
        silence=TransmitterSilence(
            store=o.store,
            clock=o.clock,
            entropy=o.entropy,
            findings=findings,
            tenant=o.tenant,
            watched=o.watched,
        ),
        streams=streams,
        telling=SignalTransmitter(
            store=o.store,
            clock=o.clock,
            keys=o.keys.tokens,
            streams=streams,
            cursors=cursors,
            members=o.members,
            tenant=o.tenant,
            issuer=o.public_url,
            origin=o.origin,
            targets=o.push_targets,
        ),
        notifications=Notifications(
            store=o.store,
            clock=o.clock,
            cursors=cursors,
            tenant=o.tenant,
            origin=o.origin,
            addressees=o.addressees,
        ),
        people=people,
    )


def _answers(o: Settings, parts: Dependencies) -> AuthzenEvaluations:
    return AuthzenEvaluations(
        parts,
        AskedSubjects(store=o.store, authenticator=parts.authenticator, members=o.members, tenant=o.tenant),
        points=o.enforcement_points,
        permit_ttl_s=o.permit_ttl_s,
        report_within_s=o.report_within_s,
    )
