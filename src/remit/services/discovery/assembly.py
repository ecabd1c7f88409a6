# SPDX-License-Identifier: Apache-2.0
"""Put the services of discovery together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from remit.core.identity.deployment import Deployment
from remit.ports.adapters import Adapters
from remit.ports.broker import SecretProbe
from remit.services.discovery.deliveries import ScanDeliveries
from remit.services.discovery.live_use import LiveTraffic
from remit.services.discovery.proofs import SecretProofs
from remit.services.discovery.scan_loop import ScheduledScans
from remit.services.findings.assembly import FindingServices
from remit.services.identity.assembly import IdentityServices
from remit.services.inspection.assembly import InspectionServices


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverySettings:
    """The agents that deliver scans with their scopes, where secrets can be tried, the fingerprints' key."""

    scanners: Mapping[str, Sequence[str]] = field(default_factory=dict)
    probes: Sequence[SecretProbe] = ()
    key: Callable[[], bytes] = bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryServices:
    """What takes scans, what scans on a schedule, and what proves that a secret is dead."""

    deliveries: ScanDeliveries
    scheduled: ScheduledScans
    live: LiveTraffic
    proofs: SecretProofs


def discovery_services(
    adapters: Adapters,
    deployment: Deployment,
    settings: DiscoverySettings,
    findings: FindingServices,
    identity: IdentityServices,
    inspection: InspectionServices,
) -> DiscoveryServices:
    """Put them together."""
    deliveries = ScanDeliveries(
        store=adapters.store,
        clock=adapters.clock,
        tenant=deployment.tenant,
        findings=findings.findings,
        scanners=settings.scanners,
    )
    live = LiveTraffic(
        store=adapters.store,
        clock=adapters.clock,
        tenant=deployment.tenant,
        directory=identity.directory,
        use=inspection.granted_use,
        upstreams=frozenset(adapters.upstreams),
    )
    return DiscoveryServices(
        deliveries=deliveries,
        live=live,
        scheduled=ScheduledScans(entropy=adapters.entropy, deliveries=deliveries, live=live),
        proofs=SecretProofs(
            store=adapters.store,
            clock=adapters.clock,
            entropy=adapters.entropy,
            findings=findings.findings,
            probes=settings.probes,
            key=settings.key,
        ),
    )
