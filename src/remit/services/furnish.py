# SPDX-License-Identifier: Apache-2.0
"""Furnishing a house: from what a process has (adapters and settings) to the services that work with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remit.core.identity import Memberships
from remit.ports.broker import Broker
from remit.ports.keys import CheckpointKeys, TokenKeys
from remit.ports.log import HeadKeeper
from remit.ports.policy import PolicyEngine
from remit.ports.runtime import Clock, Entropy
from remit.ports.store import Store
from remit.ports.upstream import Upstream
from remit.services.approvals import Approvals
from remit.services.authenticate import Authenticator
from remit.services.authorize import Authorizer
from remit.services.directory import Directory
from remit.services.drive import Parts
from remit.services.evidence import Evidence
from remit.services.house import House
from remit.services.late import LateOutcomes
from remit.services.live import Live
from remit.services.mediate import Mediator
from remit.services.policies import Policies
from remit.services.reports import Reports
from remit.services.revocations import Revocations
from remit.services.tasks import Tasks
from remit.services.tools import Tools


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
    token_keys: TokenKeys
    checkpoint_keys: CheckpointKeys
    engine: PolicyEngine
    upstreams: Mapping[str, Upstream]
    brokers: Mapping[str, Broker] = field(default_factory=dict)
    members: Memberships = field(default_factory=Memberships)
    observed: frozenset[str] = frozenset()
    token_ttl_s: int = 300
    session_ttl_s: int = 12 * 3600
    approval_ttl_s: int = 900
    call_timeout_s: float = 300.0
    max_calls_per_task: int = 64


def furnish(o: Outfit) -> House:
    """Put the services together; nothing is started and nothing is applied yet."""
    policies = Policies(engine=o.engine, store=o.store, clock=o.clock, tenant=o.tenant, members=o.members)
    tools = Tools(store=o.store, clock=o.clock, policies=policies, tenant=o.tenant)
    live = Live(o.store, o.clock, o.tenant, o.members)
    authenticator = Authenticator(
        store=o.store,
        keys=o.token_keys,
        clock=o.clock,
        entropy=o.entropy,
        tenant=o.tenant,
        issuer=o.public_url,
        audience=f"{o.public_url}/mcp",
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
        authenticator=authenticator,
        live=live,
        members=o.members,
        tenant=o.tenant,
    )
    mediator = Mediator(
        Parts(
            authenticator=authenticator,
            live=live,
            authorizer=authorizer,
            approvals=approvals,
            policies=policies,
            store=o.store,
            late=LateOutcomes(o.store),
            clock=o.clock,
            upstreams=o.upstreams,
            brokers=o.brokers,
            call_timeout_s=o.call_timeout_s,
            max_calls_per_task=o.max_calls_per_task,
        )
    )
    return House(
        tenant=o.tenant,
        public_url=o.public_url,
        clock=o.clock,
        entropy=o.entropy,
        token_keys=o.token_keys,
        store=o.store,
        upstreams=o.upstreams,
        policies=policies,
        tools=tools,
        live=live,
        authenticator=authenticator,
        authorizer=authorizer,
        approvals=approvals,
        revocations=revocations,
        tasks=tasks,
        directory=Directory(
            store=o.store,
            clock=o.clock,
            live=live,
            policies=policies,
            revocations=revocations,
            tenant=o.tenant,
        ),
        mediator=mediator,
        evidence=Evidence(
            store=o.store,
            heads=o.heads,
            keys=o.checkpoint_keys,
            clock=o.clock,
            tenant=o.tenant,
            origin=o.origin,
        ),
        reports=Reports(
            store=o.store,
            clock=o.clock,
            live=live,
            tools=tools,
            authenticator=authenticator,
            authorizer=authorizer,
            approvals=approvals,
            tenant=o.tenant,
        ),
    )
