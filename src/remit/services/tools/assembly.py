# SPDX-License-Identifier: Apache-2.0
"""Put the services of tools together."""

from __future__ import annotations

from dataclasses import dataclass

from remit.core.identity.deployment import Deployment
from remit.ports.adapters import Adapters
from remit.services.policy.bundle import Policies
from remit.services.tools.announcements import Announcements
from remit.services.tools.pinned_tools import ToolCatalogue
from remit.services.tools.reachability import UpstreamReachability


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolServices:
    """Which tools there are, and which upstreams can be reached."""

    registry: ToolCatalogue
    reached: UpstreamReachability
    announcements: Announcements


def tool_services(
    adapters: Adapters, deployment: Deployment, policies: Policies, reached: UpstreamReachability | None
) -> ToolServices:
    """Put them together; `reached` is what upstreams have told of themselves before there were services."""
    return ToolServices(
        registry=ToolCatalogue(
            store=adapters.store, clock=adapters.clock, policies=policies, tenant=deployment.tenant
        ),
        reached=reached or UpstreamReachability(adapters.clock),
        announcements=Announcements(),
    )
