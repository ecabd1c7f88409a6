# SPDX-License-Identifier: Apache-2.0
"""Each endpoint of traffic, made of the services that it uses."""

from __future__ import annotations

from collections.abc import Iterable

from remit.gateway.asgi import Application, RequestsInProgress
from remit.gateway.forwarding import ForwardingFront
from remit.gateway.hooks import HooksEndpoint, HooksLimits
from remit.gateway.http import HttpEndpoint, HttpLimits
from remit.gateway.http.endpoint import PREFIX as HTTP
from remit.gateway.mcp import McpEndpoint, McpLimits
from remit.gateway.mcp.calls import Calls
from remit.gateway.mcp.deferred import DeferredMethods
from remit.gateway.mcp.endpoint import PREFIX as MCP
from remit.gateway.mcp.input_rounds import Rounds
from remit.gateway.mcp.listing import Listing
from remit.gateway.mcp.methods import Methods
from remit.gateway.mcp.parked import ParkedMethods
from remit.gateway.mcp.questions import SeenQuestions
from remit.gateway.mcp.sessions import Sessions
from remit.gateway.mcp.subscriptions import Subscriptions
from remit.gateway.protected_resource import ProtectedResource
from remit.ports.forwarding import Forwarder
from remit.ports.upstream import HttpUpstream
from remit.services.assembly.services import Services


def http_endpoint(
    services: Services,
    *,
    limits: HttpLimits | None = None,
    in_hand: RequestsInProgress | None = None,
) -> HttpEndpoint:
    """Return the endpoint for agents that call REST APIs."""
    return HttpEndpoint(
        public_url=services.public_url,
        resource=resource_of(services, HTTP),
        clock=services.clock,
        apis={name: one for name, one in services.upstreams.items() if isinstance(one, HttpUpstream)},
        sightings=services.findings.sightings,
        registry=services.tools.registry,
        live=services.tasks.live,
        decisions=services.decisions,
        mediator=services.mediation.mediator,
        limits=limits,
        in_hand=in_hand,
    )


def hooks_endpoint(
    services: Services, *, in_hand: RequestsInProgress, limits: HooksLimits | None = None
) -> HooksEndpoint:
    """Return the endpoint for the hooks of coding assistants."""
    return HooksEndpoint(services.guard, services.identity.authenticator, in_hand=in_hand, limits=limits)


def mcp_endpoint(
    services: Services,
    *,
    limits: McpLimits | None = None,
    in_hand: RequestsInProgress | None = None,
    origins: Iterable[str] = (),
    hosts: Iterable[str] = (),
) -> McpEndpoint:
    """Return the endpoint for MCP; raises `ConfigInvalid` where tools of two upstreams could share a name."""
    limits = limits or McpLimits()
    sessions = Sessions(
        services.clock,
        services.entropy,
        per_task=limits.sessions_per_task,
        total=limits.sessions,
        idle_s=limits.session_idle_s,
    )
    subscriptions = Subscriptions(per_task=limits.streams_per_task, total=limits.streams)
    return McpEndpoint(
        upstreams=tuple(services.upstreams),
        public_url=services.public_url,
        resource=resource_of(services, MCP),
        methods=_methods(services, sessions, subscriptions),
        sessions=sessions,
        subscriptions=subscriptions,
        sightings=services.findings.sightings,
        turns=services.flow.observer.turns,
        ends=services.endings.events,
        announcements=services.tools.announcements,
        limits=limits,
        in_hand=in_hand,
        origins=origins,
        hosts=hosts,
    )


def _methods(services: Services, sessions: Sessions, subscriptions: Subscriptions) -> Methods:
    clock, live = services.clock, services.tasks.live
    listing = Listing(services.mediation.lists, services.tools.registry)
    rounds, seen = Rounds(clock, services.entropy), SeenQuestions()
    calls = Calls(
        clock=clock,
        registry=services.tools.registry,
        live=live,
        approvals=services.decisions.approvals,
        mediator=services.mediation.mediator,
        listing=listing,
        rounds=rounds,
        seen=seen,
        turns=services.flow.observer.turns,
        public_url=services.public_url,
    )
    parked = ParkedMethods(
        clock=clock,
        authenticator=services.identity.authenticator,
        live=live,
        parked_calls=services.mediation.parked,
        calls=calls,
        listing=listing,
        seen=seen,
        public_url=services.public_url,
    )
    return Methods(
        clock=clock,
        sightings=services.findings.sightings,
        live=live,
        authenticator=services.identity.authenticator,
        listing=listing,
        calls=calls,
        deferred=DeferredMethods(clock, live, services.mediation, calls, rounds, parked),
        sessions=sessions,
        subscriptions=subscriptions,
    )


def resource_of(services: Services, prefix: str) -> ProtectedResource:
    """Return the resources below a path, and the authentication of their callers."""
    return ProtectedResource(
        public_url=services.public_url,
        prefix=prefix,
        clock=services.clock,
        authenticator=services.identity.authenticator,
        oauth=services.oauth,
    )


def forwarding_front(
    services: Services, forwarder: Forwarder, inner: Application, *, max_body_bytes: int
) -> ForwardingFront:
    """Return what forwards requests to other replicas, before all endpoints."""
    return ForwardingFront(
        clock=services.clock,
        authenticator=services.identity.authenticator,
        replicas=services.replicas,
        forwarder=forwarder,
        inner=inner,
        max_body_bytes=max_body_bytes,
    )
