# SPDX-License-Identifier: Apache-2.0
"""Put the services of a process together from its configuration: each section has what it is read by."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from remit.adapters.policy.cedar import CedarPolicies, cedar_apart, cedar_here
from remit.adapters.policy.languages import PolicyLanguages
from remit.adapters.runtime.claude_transcripts import ClaudeTranscripts
from remit.adapters.runtime.own_files import PathsOfRemit
from remit.adapters.runtime.peer_processes import ProcessTable
from remit.compose.evidence.assembly import evidence_settings
from remit.compose.keys import REST, fingerprint_key, periods_of
from remit.compose.people import document_fetch_of, identity_providers, people_settings
from remit.compose.replicas import fleet_of, forwarder_of, replica_of, several
from remit.compose.signals import callback_deliveries, signal_settings
from remit.compose.sources import tls_of
from remit.compose.store import pins_of
from remit.compose.trust import Trusted
from remit.compose.upstreams import starters_of
from remit.config import Config, bases_of, load_bundle, load_config, own_places
from remit.config.sections.policy import ENDINGS
from remit.core.controls.programme import Initiative
from remit.core.errors import ConfigInvalid
from remit.core.identity.access_review import ReviewRule
from remit.core.identity.deployment import Deployment
from remit.core.identity.principals import Memberships
from remit.core.identity.workload import Assurance
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.policy.vocabulary import DeclaredNames
from remit.core.tools.tool import Tool
from remit.ports.adapters import Adapters
from remit.ports.broker import Broker, SecretProbe
from remit.ports.evidence.log import HeadKeeper
from remit.ports.keys import Keyring
from remit.ports.policy import PolicyEngine, PolicyProver
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.store import Store
from remit.ports.telemetry.tracer import Tracer
from remit.ports.upstream import Upstream
from remit.services.assembly.assembly import assemble
from remit.services.assembly.services import Services
from remit.services.assembly.settings import ReplicaSettings, Settings
from remit.services.authzen.assembly import EvaluationSettings
from remit.services.authzen.enforcement_points import EnforcementPoint
from remit.services.credentials.assembly import CredentialSettings
from remit.services.decisions.assembly import DecisionSettings
from remit.services.decisions.break_glass import GlassRule
from remit.services.decisions.escalations import EscalationStep
from remit.services.discovery.assembly import DiscoverySettings
from remit.services.guard.assembly import GuardSettings
from remit.services.guard.client import GuardedClient, GuardMode
from remit.services.identity.assembly import IdentitySettings
from remit.services.identity.attestation import Attestors, NoIssuers
from remit.services.identity.svid_issuing import SvidIssuing
from remit.services.inspection.assembly import InspectionSettings
from remit.services.mediation.assembly import CallSettings
from remit.services.oauth.assembly import TokenSettings
from remit.services.people.connections import Connections
from remit.services.tasks.opening_limits import OpeningBounds
from remit.services.tools.pinned_tools import as_last_seen
from remit.services.tools.reachability import UpstreamReachability


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedProcess:
    """What a process has opened before its services are put together."""

    clock: Clock
    entropy: Entropy
    keys: Keyring
    store: Store
    heads: HeadKeeper
    upstreams: Mapping[str, Upstream]
    brokers: Mapping[str, Broker] = field(default_factory=dict)
    trust: Trusted | None = None
    issuing: SvidIssuing | None = None
    connections: Connections | None = None
    reached: UpstreamReachability | None = None
    probes: Sequence[SecretProbe] = ()
    tracer: Tracer | None = None
    #: `None` for the engine of remit's own policies, which no process apart needs to read first.
    engine: PolicyEngine | None = None


def build(config: Config, opened: OpenedProcess, public_url: str, address: str = "") -> Services:
    """Assemble the services; start and apply nothing yet.

    `address` is where other replicas reach this process.
    """
    deployment = Deployment(
        tenant=config.tenant,
        public_url=public_url,
        origin=log_origin(config.tenant),
        members=memberships(config),
        second_person=config.people.second_person,
        second_person_for_policies=config.policies.second_person,
    )
    return assemble(_adapters(config, opened), deployment, _settings(config, opened, public_url, address))


def _adapters(config: Config, opened: OpenedProcess) -> Adapters:
    return Adapters(
        clock=opened.clock,
        entropy=opened.entropy,
        store=opened.store,
        heads=opened.heads,
        keys=opened.keys,
        engine=opened.engine or cedar_here(config.data_classes),
        prover=policy_prover(config),
        issuers=opened.trust.issuers if opened.trust else NoIssuers(),
        upstreams=opened.upstreams,
        brokers=opened.brokers,
        processes=starters_of(opened.upstreams),
        own_files=PathsOfRemit(own_places(config), bases_of(config)),
        # Only Linux shows which process holds a connection.
        running=ProcessTable() if config.guards and sys.platform == "linux" else None,
        transcripts=ClaudeTranscripts() if config.guards else None,
        document_fetch=document_fetch_of(config),
        fleet=fleet_of(config, opened.store, opened.clock),
        forwarder=forwarder_of(config),
        tracer=opened.tracer,
    )


def _settings(config: Config, opened: OpenedProcess, public_url: str, address: str) -> Settings:
    return Settings(
        reached=opened.reached,
        openings=OpeningBounds(
            per_minute=config.agents.openings_per_minute, open_at_once=config.agents.open_at_once
        ),
        credentials=_credential_settings(config),
        replicas=ReplicaSettings(
            replica=replica_of(config, address, opened.clock),
            reload=lambda: load_bundle(load_config(config.file)),
        ),
        decisions=_decision_settings(config),
        identity=_identity_settings(config, opened),
        calls=CallSettings(
            call_timeout_s=config.limits.call_timeout_s,
            max_calls_per_task=config.limits.max_calls_per_task,
            functions={name: float(one.report_within_s) for name, one in config.functions.items()},
        ),
        tokens=_token_settings(config),
        evidence=evidence_settings(config),
        anomalies=config.anomalies.rules_in_core,
        signals=signal_settings(config, public_url),
        evaluations=EvaluationSettings(
            enforcement_points=enforcement_points(config),
            deliveries=callback_deliveries(config),
            permit_ttl_s=int(config.authzen.permit_ttl_s),
            report_within_s=int(config.authzen.report_within_s),
        ),
        guard=GuardSettings(clients=guarded_clients(config)),
        people=people_settings(config, opened.connections),
        inspection=_inspection_settings(config),
        discovery=DiscoverySettings(
            scanners=config.discovery.scanners, probes=opened.probes, key=partial(fingerprint_key, config)
        ),
    )


def _inspection_settings(config: Config) -> InspectionSettings:
    reviews = config.agents.reviews

    def file(name: str) -> bytes | None:
        try:
            return config.at(name).read_bytes()
        except OSError:
            return None

    rule = None
    if reviews is not None:
        rule = ReviewRule(
            every=timedelta(seconds=reviews.every),
            grace=timedelta(seconds=reviews.grace),
            suspends=reviews.overdue == "suspend",
        )
    return InspectionSettings(reviews=rule, initiatives=initiatives_of(config), bundle_file=file)


def _credential_settings(config: Config) -> CredentialSettings:
    return CredentialSettings(
        for_one_call=frozenset(
            name for name, one in config.upstreams.items() if one.lease and one.lease.per == "call"
        ),
        settle_s=config.limits.closure_wait_s,
    )


def _decision_settings(config: Config) -> DecisionSettings:
    return DecisionSettings(
        observed=config.observed,
        # A client under guard holds no token that could be copied: its process is looked at instead.
        unconstrained=frozenset(
            (
                *(name for name, one in config.upstreams.items() if one.sender_constraint == "optional"),
                *config.guards,
            )
        ),
        approval_ttl_s=int(config.limits.approval_ttl_s),
        windows={name: one.window for name, one in config.environment.windows.items()},
        networks=config.environment.networks,
        notified=frozenset(config.notify),
        tell_blind=True,
        escalate=[
            EscalationStep(timedelta(seconds=step.after), step.to) for step in config.approvals.escalate
        ],
        break_glass=GlassRule(glass.group, glass.sign_in)
        if (glass := config.approvals.break_glass)
        else None,
    )


def _identity_settings(config: Config, opened: OpenedProcess) -> IdentitySettings:
    return IdentitySettings(
        attestors=opened.trust.attestors if opened.trust else Attestors(),
        issuing=opened.issuing,
        own_uid=os.geteuid() if hasattr(os, "geteuid") else -1,
        session_ttl_s=int(config.limits.session_ttl_s),
        suspend_on=frozenset(config.agents.suspend_on),
        providers=identity_providers(config),
        end_on=frozenset(config.agents.end_on),
        key_periods=periods_of(config.keys, config.workload_api),
        key_rest=REST if several(config) else timedelta(),
    )


def _token_settings(config: Config) -> TokenSettings:
    return TokenSettings(
        token_ttl_s=int(config.limits.token_ttl_s),
        refresh_ttl_s=int(config.oauth.refresh_ttl_s),
        proof_age_s=int(config.limits.proof_age_s),
        leeway_s=int(config.oauth.clock_skew_s),
        introspectors=frozenset(config.oauth.introspectors),
    )


def guarded_clients(config: Config) -> dict[str, GuardedClient]:
    """Return the coding assistants under guard, by name."""
    return {
        name: GuardedClient(
            name=name,
            agent=section.agent,
            task_type=section.task,
            person=section.person,
            mode=GuardMode(section.mode),
            secret_digest=section.secret_sha256,
            silent_permits=section.permits == "silent",
            headless_words=section.headless == "person",
            wait_s=section.wait_s,
            managed=section.settings == "managed",
            relays=frozenset((section.agent, *section.relays)),
        )
        for name, section in config.guards.items()
    }


def enforcement_points(config: Config) -> dict[str, EnforcementPoint]:
    """Return the parties that may also ask for decisions, by the names of their agents."""
    return {
        name: EnforcementPoint(
            name=name,
            resources=frozenset(section.resources),
            agents=frozenset(section.agents),
            vouches=Assurance.from_word(section.vouches) if section.vouches else None,
            constrained=section.sender_constraint == "required",
            callbacks=frozenset(section.callbacks),
        )
        for name, section in config.enforcement_points.items()
    }


def policy_engine(config: Config, stack: AsyncExitStack | None = None) -> PolicyEngine:
    """Return the policy engine that the configuration names; `stack` closes its connections.

    Candidates may be in the other language.
    """
    others = _rego_aside if config.policy.kind == "cedar" else _cedar_apart
    endings = ENDINGS["rego" if config.policy.kind == "cedar" else "cedar"]
    return PolicyLanguages(_engine_in_force(config, stack), {one: partial(others, config) for one in endings})


def _engine_in_force(config: Config, stack: AsyncExitStack | None) -> PolicyEngine:
    section = config.policy.server
    if section is None:
        return surveying_engine(config)
    from remit.adapters.policy.rego.server import OpaPolicies, OpaServer

    server = OpaServer(
        section.url,
        timeout_s=section.timeout_s,
        token=section.token.resolve if section.token else None,
        tls=tls_of(section.tls_ca, config),
    )
    if stack is not None:
        stack.push_async_callback(server.close)
    return OpaPolicies(server, classes=config.data_classes, declared=declared_names(config))


def built_policies(config: Config, bundle: Bundle, tools: Sequence[Tool]) -> PolicySource:
    """Return a bundle's Rego policies as OPA builds them; raises `ConfigInvalid`."""
    if config.policy.kind == "cedar":
        raise ConfigInvalid("policies in Cedar need no building", key="policy.kind")
    from remit.adapters.policy.rego import RegoPolicies

    engine = RegoPolicies(
        classes=config.data_classes,
        in_process=config.policy.kind == "rego",
        declared=declared_names(config),
    )
    return engine.bundle(bundle.policies, tools, list(bundle.task_types.values()), bundle.history)


def surveying_engine(config: Config) -> PolicyEngine:
    """Return the engine that evaluates the policies in this process, even where a server decides by them."""
    return _cedar_apart(config) if config.policy.kind == "cedar" else _rego_aside(config)


def _rego_aside(config: Config) -> PolicyEngine:
    from remit.adapters.policy.rego import RegoPolicies

    return RegoPolicies(classes=config.data_classes, declared=declared_names(config))


def _cedar_apart(config: Config) -> CedarPolicies:
    return cedar_apart(config.data_classes, declared_names(config))


def policy_prover(config: Config) -> PolicyProver | None:
    """Return what proves statements about the policies; None where they are not in Cedar."""
    return _cedar_apart(config).prover() if config.policy.kind == "cedar" else None


def declared_names(config: Config) -> DeclaredNames:
    """Return the names that the configuration declares and policies may use."""
    return DeclaredNames(
        zones=tuple(config.zones),
        groups=tuple(config.groups),
        initiatives=tuple(config.initiatives),
        windows=tuple(config.environment.windows),
        networks=tuple(config.environment.networks),
        claims={
            name: one.type for issuer in config.trust.issuers.values() for name, one in issuer.posture.items()
        },
    )


def log_origin(tenant: str) -> str:
    """Return the origin of a tenant's log in its checkpoints."""
    return f"remit/{tenant}"


def memberships(config: Config) -> Memberships:
    """Return the group memberships in the configuration."""
    initiatives = {agent: name for name, one in config.initiatives.items() for agent in one.agents}
    return Memberships(groups=dict(config.groups), initiatives=initiatives)


def initiatives_of(config: Config) -> tuple[Initiative, ...]:
    """Return the initiatives in the configuration."""
    return tuple(
        Initiative(
            name=name, sponsor=one.sponsor, description=one.description, agents=one.agents, acts=one.acts
        )
        for name, one in config.initiatives.items()
    )


def last_seen_tools(config: Config, bundle: Bundle) -> list[Tool]:
    """Return a bundle's tools joined with what their upstreams last offered; reads only."""
    return as_last_seen(bundle, pins_of(config))
