# SPDX-License-Identifier: Apache-2.0
"""What a process has, and what its configuration says, for the services that are made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from remit.core.findings.finding import FindingKind
from remit.core.identity.principals import Memberships
from remit.core.keys.own_keys import KeyKind
from remit.core.replicas.replica import Replica
from remit.ports.broker import Broker
from remit.ports.fetch import Fetch
from remit.ports.forwarding import Forwarder
from remit.ports.issuers import TrustedIssuers
from remit.ports.log import HeadKeeper
from remit.ports.policy import PolicyEngine
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.replicas import Fleet
from remit.ports.store.store import Store
from remit.ports.upstream import Upstream
from remit.services.authzen.enforcement_points import EnforcementPoint
from remit.services.identity.attestation import Attestors, NoIssuers
from remit.services.identity.keys import Keyring
from remit.services.identity.svid_issuing import SvidIssuing
from remit.services.people.connections import Connections
from remit.services.people.consents import ConsentRules
from remit.services.people.sessions import Entrance
from remit.services.signals.notifications import NotificationTarget
from remit.services.signals.polling import PolledSource
from remit.services.signals.receiver import Transmitter
from remit.services.signals.silence import WatchedTransmitter
from remit.services.signals.streams import Receiver
from remit.services.signals.transmitter import PushTarget
from remit.services.tasks.opening_limits import OpeningBounds
from remit.services.tools.reachability import UpstreamReachability


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
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
    #: Where several processes may serve one store: what they share, and what they are told of this one.
    fleet: Fleet | None = None
    replica: Replica | None = None
    forwarder: Forwarder | None = None
    upstreams: Mapping[str, Upstream]
    #: What these tell of themselves, which begins before there are services.
    reached: UpstreamReachability | None = None
    brokers: Mapping[str, Broker] = field(default_factory=dict)
    connections: Connections | None = None
    processes: Mapping[str, Broker] = field(default_factory=dict)
    for_one_call: frozenset[str] = frozenset()
    members: Memberships = field(default_factory=Memberships)
    observed: frozenset[str] = frozenset()
    unconstrained: frozenset[str] = frozenset()
    own_uid: int = -1
    proof_age_s: int = 300
    attestors: Attestors = field(default_factory=Attestors)
    issuers: TrustedIssuers = field(default_factory=NoIssuers)
    issuing: SvidIssuing | None = None
    key_periods: Mapping[KeyKind, timedelta] = field(default_factory=dict)
    token_ttl_s: int = 300
    refresh_ttl_s: int = 8 * 3600
    leeway_s: int = 5
    introspectors: frozenset[str] = frozenset()
    session_ttl_s: int = 12 * 3600
    approval_ttl_s: int = 900
    call_timeout_s: float = 300.0
    settle_s: float = 2.0
    max_calls_per_task: int = 64
    openings: OpeningBounds = field(default_factory=OpeningBounds)
    suspend_on: frozenset[FindingKind] = frozenset()
    end_on: frozenset[FindingKind] = frozenset()
    second_person: bool = False
    enforcement_points: Mapping[str, EnforcementPoint] = field(default_factory=dict)
    permit_ttl_s: int = 5
    report_within_s: int = 300
    document_fetch: Fetch | None = None
    entrances: Mapping[str, Entrance] = field(default_factory=dict)
    browser_ttl_s: int = 12 * 3600
    passkeys: bool = True
    consent: ConsentRules = field(default_factory=ConsentRules)
    transmitters: Mapping[str, Transmitter] = field(default_factory=dict)
    polled: Mapping[str, PolledSource] = field(default_factory=dict)
    watched: Mapping[str, WatchedTransmitter] = field(default_factory=dict)
    receivers: Mapping[str, Receiver] = field(default_factory=dict)
    push_targets: Mapping[str, PushTarget] = field(default_factory=dict)
    addressees: Mapping[str, NotificationTarget] = field(default_factory=dict)
