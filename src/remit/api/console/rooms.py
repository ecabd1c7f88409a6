# SPDX-License-Identifier: Apache-2.0
"""The rooms that the console's pages work with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from remit.api.oauth.browser.rooms import PageRooms
from remit.ports.upstream import Upstream
from remit.services.credentials.assembly import CredentialServices
from remit.services.decisions.assembly import DecisionServices
from remit.services.evidence.assembly import EvidenceServices
from remit.services.guard.guard import CodingGuard
from remit.services.inspection.assembly import InspectionServices
from remit.services.limits.rate_limit import RateLimit
from remit.services.policy.bundle import Policies
from remit.services.replicas.assembly import ReplicaServices
from remit.services.signals.assembly import SignalServices
from remit.services.signals.question_links import QuestionLinks
from remit.services.tools.assembly import ToolServices

#: What a person may change through the console within a minute.
ACTS_PER_MINUTE: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleRooms(PageRooms):
    """Those of the console; `acts` bounds how much a person changes through it."""

    upstreams: Mapping[str, Upstream]
    credentials: CredentialServices
    decisions: DecisionServices
    evidence: EvidenceServices
    links: QuestionLinks
    guard: CodingGuard
    inspection: InspectionServices
    policies: Policies
    replicas: ReplicaServices
    signals: SignalServices
    tools: ToolServices
    acts: RateLimit = field(default_factory=lambda: RateLimit(ACTS_PER_MINUTE, 60.0))
