# SPDX-License-Identifier: Apache-2.0
"""All services of one process, by room; each endpoint receives only those that it uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remit.ports.keys import Keyring
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.store import Store
from remit.ports.upstream import Upstream
from remit.services.authzen.access_requests import AccessRequests
from remit.services.authzen.evaluation import AuthzenEvaluations
from remit.services.credentials.assembly import CredentialServices
from remit.services.decisions.assembly import DecisionServices
from remit.services.discovery.assembly import DiscoveryServices
from remit.services.endings.assembly import EndingServices
from remit.services.evidence.assembly import EvidenceServices
from remit.services.findings.assembly import FindingServices
from remit.services.flow.assembly import FlowServices
from remit.services.guard.guard import CodingGuard
from remit.services.identity.assembly import IdentityServices
from remit.services.inspection.assembly import InspectionServices
from remit.services.mediation.assembly import MediationServices
from remit.services.oauth.server import AuthorizationServer
from remit.services.people.assembly import PeopleServices
from remit.services.policy.bundle import Policies
from remit.services.replicas.assembly import ReplicaServices
from remit.services.signals.assembly import SignalServices
from remit.services.tasks.assembly import TaskServices
from remit.services.tools.assembly import ToolServices


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """`public_url` is where this process is reached. A room with one service is that service."""

    tenant: str
    public_url: str
    clock: Clock
    entropy: Entropy
    store: Store
    keys: Keyring
    upstreams: Mapping[str, Upstream]
    policies: Policies
    findings: FindingServices
    tools: ToolServices
    credentials: CredentialServices
    evidence: EvidenceServices
    replicas: ReplicaServices
    tasks: TaskServices
    decisions: DecisionServices
    flow: FlowServices
    endings: EndingServices
    identity: IdentityServices
    oauth: AuthorizationServer
    mediation: MediationServices
    inspection: InspectionServices
    signals: SignalServices
    answers: AuthzenEvaluations
    access_requests: AccessRequests
    guard: CodingGuard
    people: PeopleServices
    discovery: DiscoveryServices
