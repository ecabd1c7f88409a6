# SPDX-License-Identifier: Apache-2.0
"""All services of one process, put together by `compose` and handed to the doors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from remit.ports.issuers import TrustedIssuers
from remit.ports.keys import TokenKeys
from remit.ports.passing import Passer
from remit.ports.runtime import Clock, Entropy
from remit.ports.store import Store
from remit.ports.upstream import Upstream
from remit.services.answer import Answers
from remit.services.approvals import Approvals
from remit.services.attestors import Attestors
from remit.services.authenticate import Authenticator
from remit.services.authorization_server import AuthorizationServer
from remit.services.authorize import Authorizer
from remit.services.chains import Chains
from remit.services.credentials import Credentials
from remit.services.declassify import Declassifications
from remit.services.deferrals import Deferrals
from remit.services.delegations import Delegations
from remit.services.derived import Derived
from remit.services.directory import Directory
from remit.services.evidence import Evidence
from remit.services.findings import Findings
from remit.services.forgetting import Forgetting
from remit.services.holdings import Holdings
from remit.services.issuing import Issuing
from remit.services.leases import Leases
from remit.services.lists import Lists
from remit.services.live import Live
from remit.services.locks import Locks
from remit.services.log_reading import LogReading
from remit.services.mediate import Mediator
from remit.services.notifications import Notifications
from remit.services.ownership import Ownership
from remit.services.passing import Passing
from remit.services.people import People
from remit.services.personnel import Personnel
from remit.services.plans import Plans
from remit.services.policies import Policies
from remit.services.polling import Polling
from remit.services.precedence import Precedence
from remit.services.proofs import Proofs
from remit.services.reached import Reached
from remit.services.reactions import Reactions
from remit.services.rebundling import Rebundling
from remit.services.receipts import Receipts
from remit.services.remains import Remains
from remit.services.replicas import Replicas
from remit.services.reports import Reports
from remit.services.revocations import Revocations
from remit.services.roster import Roster
from remit.services.rotations import Rotations
from remit.services.sightings import Sightings
from remit.services.signals import HeardSignals
from remit.services.silence import Silence
from remit.services.sink_alarms import SinkAlarms
from remit.services.spent import SpentTasks
from remit.services.streams import Streams
from remit.services.tasks import Tasks
from remit.services.telling import Telling
from remit.services.tools import Tools
from remit.services.waking import Waking
from remit.services.who import Who

Json = Any


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
class House:
    """What the doors work with. `public_url` is where this process is reached."""

    tenant: str
    public_url: str
    clock: Clock
    entropy: Entropy
    token_keys: TokenKeys
    rotations: Rotations
    issuing: Issuing | None
    store: Store
    attestors: Attestors
    issuers: TrustedIssuers
    upstreams: Mapping[str, Upstream]
    policies: Policies
    reached: Reached
    tools: Tools
    lists: Lists
    live: Live
    authenticator: Authenticator
    oauth: AuthorizationServer
    proofs: Proofs
    credentials: Credentials
    authorizer: Authorizer
    holdings: Holdings
    declassifications: Declassifications
    approvals: Approvals
    leases: Leases
    sink_alarms: SinkAlarms
    revocations: Revocations
    replicas: Replicas
    ownership: Ownership
    remains: Remains
    spent: SpentTasks
    precedence: Precedence
    reactions: Reactions
    waking: Waking
    roster: Roster
    passing: Passing
    passer: Passer | None
    tasks: Tasks
    rebundling: Rebundling
    plans: Plans
    directory: Directory
    personnel: Personnel
    locks: Locks
    delegations: Delegations
    findings: Findings
    sightings: Sightings
    mediator: Mediator
    deferrals: Deferrals
    answers: Answers
    evidence: Evidence
    log_reading: LogReading
    forgetting: Forgetting
    derived: Derived
    receipts: Receipts
    chains: Chains
    reports: Reports
    who: Who
    signals: HeardSignals
    polling: Polling
    silence: Silence
    streams: Streams
    telling: Telling
    notifications: Notifications
    people: People
    announcements: Announcements = field(default_factory=Announcements)
