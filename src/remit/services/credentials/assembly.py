# SPDX-License-Identifier: Apache-2.0
"""Put the services of credentials together."""

from __future__ import annotations

from dataclasses import dataclass

from remit.core.identity.deployment import Deployment
from remit.ports.adapters import Adapters
from remit.services.credentials.leak_alarms import SinkAlarms, leak_findings
from remit.services.credentials.leases import Leases
from remit.services.findings.assembly import FindingServices


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialSettings:
    """`for_one_call` are upstreams whose credentials are for one call; an end waits `settle_s` seconds."""

    for_one_call: frozenset[str] = frozenset()
    settle_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialServices:
    """The credentials of upstreams, and the findings about those that live too long."""

    leases: Leases
    sink_alarms: SinkAlarms


def credential_services(
    adapters: Adapters, deployment: Deployment, settings: CredentialSettings, findings: FindingServices
) -> CredentialServices:
    """Put them together."""
    leases = Leases(
        brokers=adapters.brokers,
        store=adapters.store,
        clock=adapters.clock,
        entropy=adapters.entropy,
        sealing=adapters.keys.sealing,
        tenant=deployment.tenant,
        settle_s=settings.settle_s,
        leak=leak_findings(findings.findings),
        processes=adapters.processes,
        for_one_call=settings.for_one_call,
    )
    return CredentialServices(
        leases=leases, sink_alarms=SinkAlarms(leases=leases, findings=findings.findings)
    )
