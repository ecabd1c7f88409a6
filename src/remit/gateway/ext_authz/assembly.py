# SPDX-License-Identifier: Apache-2.0
"""The listener for Envoy, made of the services that it uses."""

from __future__ import annotations

from collections.abc import Iterable

from remit.gateway.asgi import RequestsInProgress
from remit.gateway.endpoints import resource_of
from remit.gateway.ext_authz.endpoint import NAME, ExtAuthzEndpoint
from remit.gateway.ext_authz.listener import ExtAuthzListener
from remit.gateway.mcp import McpLimits
from remit.gateway.mcp.endpoint import PREFIX
from remit.gateway.mcp.listing import Listing, check_joined
from remit.services.assembly.services import Services
from remit.services.authzen.declared_mapping import Expressions
from remit.services.authzen.enforcement_points import EnforcementPoint


def ext_authz_listener(
    services: Services,
    upstreams: Iterable[str],
    resources: Iterable[str] = (),
    *,
    expressions: Expressions,
    limits: McpLimits | None = None,
    http: bool = False,
) -> ExtAuthzListener:
    """Return what answers a proxy about requests for `upstreams`; it does not listen yet.

    `resources` are the types of resources that mappings of their tools may name; with `http` it answers that
    form, too. Raises `ConfigInvalid`
    where two upstreams could give different tools one name at `/mcp`.
    """
    limits, guarded = limits or McpLimits(), frozenset(upstreams)
    check_joined(tuple(guarded))
    endpoint = ExtAuthzEndpoint(
        point=EnforcementPoint(
            name=NAME, resources=guarded | set(resources), agents=frozenset({"*"}), reports=False
        ),
        upstreams=guarded,
        expressions=expressions,
        public_url=services.public_url,
        resource=resource_of(services, PREFIX),
        clock=services.clock,
        live=services.tasks.live,
        listing=Listing(services.mediation.lists, services.tools.registry),
        answers=services.answers,
        approvals=services.decisions.approvals,
        sightings=services.findings.sightings,
        limits=limits,
        in_hand=RequestsInProgress(most=limits.max_calls_in_flight, most_of_agent=limits.max_calls_per_agent),
    )
    return ExtAuthzListener(endpoint, max_request_bytes=limits.max_request_bytes, http=http)
