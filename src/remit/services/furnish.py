# SPDX-License-Identifier: Apache-2.0
"""Furnishing a house: from what a process has (adapters and settings) to the services that work with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from remit.core.finding import FindingKind
from remit.core.identity import Memberships
from remit.core.key import KeyKind
from remit.core.mission import authority_hash, authority_set
from remit.core.resource import Resources
from remit.core.task import Task
from remit.ports.broker import Broker
from remit.ports.fetch import Fetch
from remit.ports.issuers import TrustedIssuers
from remit.ports.log import HeadKeeper
from remit.ports.policy import PolicyEngine
from remit.ports.runtime import Clock, Entropy
from remit.ports.store import Store
from remit.ports.upstream import Upstream
from remit.services.answer import Answers
from remit.services.approvals import Approvals
from remit.services.attestors import Attestors, NoIssuers
from remit.services.authenticate import Authenticator
from remit.services.authorization_server import AuthorizationServer
from remit.services.authorize import Authorizer
from remit.services.browsers import Browsers, Entrance
from remit.services.client_documents import ClientDocuments
from remit.services.clients import Clients
from remit.services.consents import ConsentRules, Consents
from remit.services.credentials import Credentials
from remit.services.delegations import Delegations
from remit.services.directory import Directory
from remit.services.drive import Parts
from remit.services.evidence import Evidence
from remit.services.exchange import Exchange
from remit.services.families import Families
from remit.services.findings import Findings
from remit.services.house import House
from remit.services.identity_assertions import IdentityAssertions
from remit.services.introspection import Introspection
from remit.services.issuing import Issuing
from remit.services.late import LateOutcomes
from remit.services.live import Live
from remit.services.mediate import Mediator
from remit.services.passkeys import Passkeys
from remit.services.people import People, pages_of
from remit.services.personnel import Personnel
from remit.services.points import EnforcementPoint, Subjects
from remit.services.policies import Policies
from remit.services.proofs import Proofs
from remit.services.refusals import Refusals
from remit.services.reports import Reports
from remit.services.revocations import Revocations
from remit.services.rotations import Keyring, Rotations
from remit.services.sightings import Sightings
from remit.services.tasks import OpeningBounds, Tasks
from remit.services.tokens import Tokens
from remit.services.tools import Tools
from remit.services.who import Who


@dataclass(frozen=True, slots=True, kw_only=True)
class Outfit:
    """What a process has: its adapters, and the settings that services need. Times are in seconds."""

    tenant: str
    public_url: str
    origin: str
    clock: Clock
    entropy: Entropy
    store: Store
    heads: HeadKeeper
    keys: Keyring
    engine: PolicyEngine
    upstreams: Mapping[str, Upstream]
    brokers: Mapping[str, Broker] = field(default_factory=dict)
    members: Memberships = field(default_factory=Memberships)
    observed: frozenset[str] = frozenset()
    unconstrained: frozenset[str] = frozenset()
    proof_age_s: int = 300
    attestors: Attestors = field(default_factory=Attestors)
    issuers: TrustedIssuers = field(default_factory=NoIssuers)
    issuing: Issuing | None = None
    key_periods: Mapping[KeyKind, timedelta] = field(default_factory=dict)
    token_ttl_s: int = 300
    refresh_ttl_s: int = 8 * 3600
    leeway_s: int = 5
    introspectors: frozenset[str] = frozenset()
    session_ttl_s: int = 12 * 3600
    approval_ttl_s: int = 900
    call_timeout_s: float = 300.0
    max_calls_per_task: int = 64
    openings: OpeningBounds = field(default_factory=OpeningBounds)
    suspend_on: frozenset[FindingKind] = frozenset()
    second_person: bool = False
    enforcement_points: Mapping[str, EnforcementPoint] = field(default_factory=dict)
    permit_ttl_s: int = 5
    report_within_s: int = 300
    document_fetch: Fetch | None = None
    entrances: Mapping[str, Entrance] = field(default_factory=dict)
    browser_ttl_s: int = 12 * 3600
    passkeys: bool = True
    consent: ConsentRules = field(default_factory=ConsentRules)


def furnish(o: Outfit) -> House:
    """Put the services together; nothing is started and nothing is applied yet."""
    rotations = Rotations(
        keys=o.keys, store=o.store, clock=o.clock, tenant=o.tenant, periods=dict(o.key_periods)
    )
    policies = Policies(engine=o.engine, store=o.store, clock=o.clock, tenant=o.tenant, members=o.members)
    tools = Tools(store=o.store, clock=o.clock, policies=policies, tenant=o.tenant)
    resources = Resources(o.public_url, o.upstreams)

    def authority(task: Task) -> str:
        return authority_hash(o.public_url, authority_set(task, resources))

    live = Live(o.store, o.clock, o.tenant, o.members, authority)
    authenticator = Authenticator(
        store=o.store,
        keys=o.keys.tokens,
        clock=o.clock,
        entropy=o.entropy,
        tenant=o.tenant,
        issuer=o.public_url,
        resources=resources,
        token_ttl_s=o.token_ttl_s,
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
        store=o.store, clock=o.clock, entropy=o.entropy, tenant=o.tenant, ttl_s=o.approval_ttl_s
    )
    revocations = Revocations(
        store=o.store, clock=o.clock, entropy=o.entropy, live=live, approvals=approvals, tenant=o.tenant
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
    )
    late = LateOutcomes(o.store)
    parts = Parts(
        authenticator=authenticator,
        live=live,
        authorizer=authorizer,
        approvals=approvals,
        policies=policies,
        store=o.store,
        late=late,
        refusals=Refusals(o.store, o.clock, late),
        clock=o.clock,
        upstreams=o.upstreams,
        brokers=o.brokers,
        call_timeout_s=o.call_timeout_s,
        max_calls_per_task=o.max_calls_per_task,
    )
    proofs = Proofs(o.clock, o.entropy, max_age_s=o.proof_age_s)
    people = _people(o, authenticator, directory, tasks, tools, policies, revocations)
    return House(
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
        live=live,
        authenticator=authenticator,
        oauth=_oauth(o, authenticator, live, tasks, policies, people),
        proofs=proofs,
        credentials=Credentials(authenticator, proofs),
        authorizer=authorizer,
        approvals=approvals,
        revocations=revocations,
        tasks=tasks,
        directory=directory,
        personnel=Personnel(
            store=o.store,
            clock=o.clock,
            directory=directory,
            authenticator=authenticator,
            revocations=revocations,
            findings=findings,
            tenant=o.tenant,
            second_person=o.second_person,
        ),
        delegations=Delegations(
            store=o.store,
            clock=o.clock,
            entropy=o.entropy,
            policies=policies,
            revocations=revocations,
            members=o.members,
            tenant=o.tenant,
        ),
        findings=findings,
        sightings=Sightings(store=o.store, clock=o.clock, findings=findings, tenant=o.tenant),
        mediator=Mediator(parts),
        answers=_answers(o, parts),
        evidence=Evidence(
            store=o.store,
            heads=o.heads,
            keys=o.keys.checkpoints,
            clock=o.clock,
            tenant=o.tenant,
            origin=o.origin,
        ),
        reports=Reports(
            store=o.store,
            clock=o.clock,
            live=live,
            tools=tools,
            authorizer=authorizer,
            tenant=o.tenant,
        ),
        who=Who(
            store=o.store,
            clock=o.clock,
            live=live,
            authenticator=authenticator,
            members=o.members,
            tenant=o.tenant,
            unconstrained=o.unconstrained,
        ),
        people=people,
    )


def _oauth(
    o: Outfit,
    authenticator: Authenticator,
    live: Live,
    tasks: Tasks,
    policies: Policies,
    people: People,
) -> AuthorizationServer:
    tokens = Tokens(
        store=o.store,
        keys=o.keys.tokens,
        clock=o.clock,
        entropy=o.entropy,
        live=live,
        tenant=o.tenant,
        issuer=o.public_url,
        resources=authenticator.resources,
        ttl_s=o.token_ttl_s,
    )
    return AuthorizationServer(
        clients=Clients(
            store=o.store,
            clock=o.clock,
            attestors=o.attestors,
            documents=people.documents,
            members=o.members,
            tenant=o.tenant,
            issuer=o.public_url,
            leeway_s=o.leeway_s,
        ),
        tokens=tokens,
        families=Families(
            store=o.store,
            clock=o.clock,
            entropy=o.entropy,
            tokens=tokens,
            tickets=people.browsers.tickets,
            tenant=o.tenant,
            refresh_ttl_s=o.refresh_ttl_s,
        ),
        exchange=Exchange(
            store=o.store,
            clock=o.clock,
            authenticator=authenticator,
            tokens=tokens,
            tasks=tasks,
            members=o.members,
            tenant=o.tenant,
        ),
        introspection=Introspection(
            store=o.store,
            clock=o.clock,
            authenticator=authenticator,
            live=live,
            tokens=tokens,
            tenant=o.tenant,
            introspectors=o.introspectors | frozenset(o.enforcement_points),
        ),
        assertions=IdentityAssertions(
            store=o.store,
            issuers=o.issuers,
            policies=policies,
            tasks=tasks,
            tokens=tokens,
            members=o.members,
            tenant=o.tenant,
        ),
    )


def _answers(o: Outfit, parts: Parts) -> Answers:
    return Answers(
        parts,
        Subjects(store=o.store, authenticator=parts.authenticator, members=o.members, tenant=o.tenant),
        points=o.enforcement_points,
        permit_ttl_s=o.permit_ttl_s,
        report_within_s=o.report_within_s,
    )


def _people(
    o: Outfit,
    authenticator: Authenticator,
    directory: Directory,
    tasks: Tasks,
    tools: Tools,
    policies: Policies,
    revocations: Revocations,
) -> People:
    origin = pages_of(o.public_url)
    documents = ClientDocuments(o.document_fetch, o.clock)
    browsers = Browsers(
        store=o.store,
        clock=o.clock,
        entropy=o.entropy,
        authenticator=authenticator,
        directory=directory,
        members=o.members,
        tenant=o.tenant,
        entrances=o.entrances,
        ttl_s=o.browser_ttl_s,
    )
    passkeys = Passkeys(
        store=o.store,
        clock=o.clock,
        entropy=o.entropy,
        authenticator=authenticator,
        browsers=browsers,
        tenant=o.tenant,
        origin=origin,
        wanted=o.passkeys,
    )
    consents = Consents(
        store=o.store,
        clock=o.clock,
        documents=documents,
        tickets=browsers.tickets,
        tasks=tasks,
        tools=tools,
        policies=policies,
        directory=directory,
        revocations=revocations,
        members=o.members,
        tenant=o.tenant,
        rules=o.consent,
    )
    return People(origin=origin, documents=documents, browsers=browsers, passkeys=passkeys, consents=consents)
