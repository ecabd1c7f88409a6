# SPDX-License-Identifier: Apache-2.0
"""What the configuration says, room by room. Times are in seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from remit.core.findings.anomaly_rules import AnomalyRules
from remit.core.policy.bundle import Bundle
from remit.core.replicas.replica import Replica
from remit.services.authzen.assembly import EvaluationSettings
from remit.services.credentials.assembly import CredentialSettings
from remit.services.decisions.assembly import DecisionSettings
from remit.services.discovery.assembly import DiscoverySettings
from remit.services.evidence.assembly import EvidenceSettings
from remit.services.guard.assembly import GuardSettings
from remit.services.identity.assembly import IdentitySettings
from remit.services.inspection.assembly import InspectionSettings
from remit.services.mediation.assembly import CallSettings
from remit.services.oauth.assembly import TokenSettings
from remit.services.people.assembly import PeopleSettings
from remit.services.signals.assembly import SignalSettings
from remit.services.tasks.opening_limits import OpeningBounds
from remit.services.tools.reachability import UpstreamReachability


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSettings:
    """What others are told of this process, and what reads the bundle again where they have changed it."""

    replica: Replica | None = None
    reload: Callable[[], Bundle] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of each room; `reached` is what upstreams have told before there are services."""

    reached: UpstreamReachability | None = None
    openings: OpeningBounds = field(default_factory=OpeningBounds)
    credentials: CredentialSettings = field(default_factory=CredentialSettings)
    replicas: ReplicaSettings = field(default_factory=ReplicaSettings)
    decisions: DecisionSettings = field(default_factory=DecisionSettings)
    identity: IdentitySettings = field(default_factory=IdentitySettings)
    evidence: EvidenceSettings = field(default_factory=EvidenceSettings)
    calls: CallSettings = field(default_factory=CallSettings)
    tokens: TokenSettings = field(default_factory=TokenSettings)
    signals: SignalSettings = field(default_factory=SignalSettings)
    evaluations: EvaluationSettings = field(default_factory=EvaluationSettings)
    guard: GuardSettings = field(default_factory=GuardSettings)
    people: PeopleSettings = field(default_factory=PeopleSettings)
    inspection: InspectionSettings = field(default_factory=InspectionSettings)
    discovery: DiscoverySettings = field(default_factory=DiscoverySettings)
    anomalies: AnomalyRules = field(default_factory=AnomalyRules)
