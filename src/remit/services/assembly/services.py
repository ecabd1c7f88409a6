# SPDX-License-Identifier: Apache-2.0
"""All services of one process, put together by `compose` and handed to the doors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from remit.core.json_value import Json
from remit.ports.forwarding import Forwarder
from remit.ports.issuers import TrustedIssuers
from remit.ports.keys import TokenKeys
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.store import Store
from remit.ports.upstream import Upstream
from remit.services.assembly.people import PeopleServices
from remit.services.authzen.evaluation import AuthzenEvaluations
from remit.services.credentials.leak_alarms import SinkAlarms
from remit.services.credentials.leases import Leases
from remit.services.decisions.approvals import Approvals
from remit.services.decisions.authorizer import Authorizer
from remit.services.decisions.plan_changes import Plans
from remit.services.endings.bundle_change import BundleChange
from remit.services.endings.closure import DerivedPermissions
from remit.services.endings.ending import Endings
from remit.services.endings.locks import Locks
from remit.services.endings.priority import EndPriority
from remit.services.endings.remote_endings import RemoteEndings
from remit.services.endings.spent_budgets import SpentTasks
from remit.services.endings.takeover import Takeover
from remit.services.evidence.chains import Chains
from remit.services.evidence.log import Evidence
from remit.services.evidence.log_audit import LogAudit
from remit.services.evidence.receipts import Receipts
from remit.services.findings.findings import Findings
from remit.services.findings.shared_identities import SharedIdentities
from remit.services.flow.declassification import Declassifications
from remit.services.flow.stored_labels import StoredLabels
from remit.services.identity.attestation import Attestors
from remit.services.identity.authenticator import Authenticator
from remit.services.identity.directory import Directory
from remit.services.identity.keys import KeyRotations
from remit.services.identity.people import PersonAdministration
from remit.services.identity.svid_issuing import SvidIssuing
from remit.services.inspection.can import CanReports
from remit.services.inspection.replica_status import ReplicaStatus
from remit.services.inspection.who import Who
from remit.services.mediation.deferred_calls import Deferrals
from remit.services.mediation.lists import Lists
from remit.services.mediation.mediator import Mediator
from remit.services.oauth.dpop_replay import DpopReplay
from remit.services.oauth.presented_tokens import PresentedTokens
from remit.services.oauth.server import AuthorizationServer
from remit.services.people.delegations import Delegations
from remit.services.people.erasure import Erasure
from remit.services.policy.bundle import Policies
from remit.services.replicas.forwarding import Forwarding
from remit.services.replicas.replica_lease import Replicas
from remit.services.replicas.task_ownership import Ownership
from remit.services.signals.notifications import Notifications
from remit.services.signals.polling import Polling
from remit.services.signals.receiver import HeardSignals
from remit.services.signals.silence import TransmitterSilence
from remit.services.signals.streams import Streams
from remit.services.signals.transmitter import SignalTransmitter
from remit.services.tasks.live_tasks import LiveTasks
from remit.services.tasks.tasks import Tasks
from remit.services.tools.pinned_tools import ToolCatalogue
from remit.services.tools.reachability import UpstreamReachability


class Announcements:
    """Passes on what upstreams say outside of calls, to whichever doors want to hear it."""

    def __init__(self) -> None:
        """Begin with nobody listening."""
        self._changed: list[Callable[[str, frozenset[str]], None]] = []
        self._notified: list[Callable[[str, str, Json], None]] = []

    def listen(
        self,
        changed: Callable[[str, frozenset[str]], None],
        notified: Callable[[str, str, Json], None],
    ) -> None:
        """Have `changed(upstream, lists)` and `notified(upstream, method, params)` called from now on."""
        self._changed.append(changed)
        self._notified.append(notified)

    def changed(self, upstream: str, lists: frozenset[str]) -> None:
        """What an upstream offers, or what of it was accepted, has changed in these of its `LISTS`."""
        for told in self._changed:
            told(upstream, lists)

    def notified(self, upstream: str, method: str, params: Json) -> None:
        """An upstream has sent a notification that belongs to no call."""
        for told in self._notified:
            told(upstream, method, params)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the doors work with. `public_url` is where this process is reached."""

    tenant: str
    public_url: str
    clock: Clock
    entropy: Entropy
    token_keys: TokenKeys
    rotations: KeyRotations
    issuing: SvidIssuing | None
    store: Store
    attestors: Attestors
    issuers: TrustedIssuers
    upstreams: Mapping[str, Upstream]
    policies: Policies
    reached: UpstreamReachability
    tools: ToolCatalogue
    lists: Lists
    live: LiveTasks
    authenticator: Authenticator
    oauth: AuthorizationServer
    proofs: DpopReplay
    credentials: PresentedTokens
    authorizer: Authorizer
    stored_labels: StoredLabels
    declassifications: Declassifications
    approvals: Approvals
    leases: Leases
    sink_alarms: SinkAlarms
    revocations: Endings
    replicas: Replicas
    ownership: Ownership
    remains: Takeover
    spent: SpentTasks
    precedence: EndPriority
    reactions: RemoteEndings
    roster: ReplicaStatus
    passing: Forwarding
    forwarder: Forwarder | None
    tasks: Tasks
    rebundling: BundleChange
    plans: Plans
    directory: Directory
    personnel: PersonAdministration
    locks: Locks
    delegations: Delegations
    findings: Findings
    sightings: SharedIdentities
    mediator: Mediator
    deferrals: Deferrals
    answers: AuthzenEvaluations
    evidence: Evidence
    log_reading: LogAudit
    forgetting: Erasure
    derived: DerivedPermissions
    receipts: Receipts
    chains: Chains
    reports: CanReports
    who: Who
    signals: HeardSignals
    polling: Polling
    silence: TransmitterSilence
    streams: Streams
    telling: SignalTransmitter
    notifications: Notifications
    people: PeopleServices
    announcements: Announcements = field(default_factory=Announcements)
