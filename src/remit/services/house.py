# SPDX-License-Identifier: Apache-2.0
"""All services of one process, put together by `compose` and handed to the doors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remit.ports.keys import TokenKeys
from remit.ports.runtime import Clock, Entropy
from remit.ports.store import Store
from remit.ports.upstream import Upstream
from remit.services.approvals import Approvals
from remit.services.authenticate import Authenticator
from remit.services.authorize import Authorizer
from remit.services.directory import Directory
from remit.services.evidence import Evidence
from remit.services.live import Live
from remit.services.mediate import Mediator
from remit.services.policies import Policies
from remit.services.reports import Reports
from remit.services.revocations import Revocations
from remit.services.tasks import Tasks
from remit.services.tools import Tools


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What the doors work with. `public_url` is where people and agents reach this process."""

    tenant: str
    public_url: str
    clock: Clock
    entropy: Entropy
    token_keys: TokenKeys
    store: Store
    upstreams: Mapping[str, Upstream]
    policies: Policies
    tools: Tools
    live: Live
    authenticator: Authenticator
    authorizer: Authorizer
    approvals: Approvals
    revocations: Revocations
    tasks: Tasks
    directory: Directory
    mediator: Mediator
    evidence: Evidence
    reports: Reports
