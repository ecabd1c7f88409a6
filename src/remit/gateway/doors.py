# SPDX-License-Identifier: Apache-2.0
"""Each door of traffic, made of the services that it uses."""

from __future__ import annotations

from collections.abc import Iterable

from remit.gateway.asgi import Application, RequestsInProgress
from remit.gateway.forwarding import ForwardingFront
from remit.gateway.http import HttpEndpoint, HttpLimits
from remit.gateway.mcp import McpEndpoint, McpLimits
from remit.ports.replicas.forwarding import Forwarder
from remit.services.assembly.services import Services


def http_endpoint(
    services: Services,
    *,
    limits: HttpLimits | None = None,
    in_hand: RequestsInProgress | None = None,
    forward: bool = False,
) -> HttpEndpoint:
    """Return the door for agents that call REST APIs."""
    return HttpEndpoint(
        public_url=services.public_url,
        clock=services.clock,
        upstreams=services.upstreams,
        sightings=services.findings.sightings,
        registry=services.tools.registry,
        live=services.tasks.live,
        decisions=services.decisions,
        authenticator=services.identity.authenticator,
        oauth=services.oauth,
        mediator=services.mediation.mediator,
        limits=limits,
        in_hand=in_hand,
        forward=forward,
    )


def mcp_endpoint(
    services: Services,
    *,
    limits: McpLimits | None = None,
    in_hand: RequestsInProgress | None = None,
    origins: Iterable[str] = (),
    hosts: Iterable[str] = (),
) -> McpEndpoint:
    """Return the door for MCP; raises `ConfigInvalid` where tools of two upstreams could share a name."""
    return McpEndpoint(
        public_url=services.public_url,
        clock=services.clock,
        entropy=services.entropy,
        upstreams=services.upstreams,
        sightings=services.findings.sightings,
        tools=services.tools,
        live=services.tasks.live,
        approvals=services.decisions.approvals,
        ends=services.endings.events,
        authenticator=services.identity.authenticator,
        oauth=services.oauth,
        mediation=services.mediation,
        limits=limits,
        in_hand=in_hand,
        origins=origins,
        hosts=hosts,
    )


def forwarding_front(
    services: Services, forwarder: Forwarder, inner: Application, *, max_body_bytes: int
) -> ForwardingFront:
    """Return what forwards requests to other replicas, before all doors."""
    return ForwardingFront(
        clock=services.clock,
        authenticator=services.identity.authenticator,
        replicas=services.replicas,
        forwarder=forwarder,
        inner=inner,
        max_body_bytes=max_body_bytes,
    )
