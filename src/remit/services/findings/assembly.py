# SPDX-License-Identifier: Apache-2.0
"""Put the services of findings together."""

from __future__ import annotations

from dataclasses import dataclass

from remit.core.identity.deployment import Deployment
from remit.ports.adapters import Adapters
from remit.services.findings.findings import Findings
from remit.services.findings.shared_identities import SharedIdentities


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingServices:
    """What is found, and what finds identities that several share."""

    findings: Findings
    sightings: SharedIdentities


def finding_services(adapters: Adapters, deployment: Deployment) -> FindingServices:
    """Put them together."""
    findings = Findings(store=adapters.store, clock=adapters.clock, tenant=deployment.tenant)
    return FindingServices(
        findings=findings,
        sightings=SharedIdentities(
            store=adapters.store, clock=adapters.clock, findings=findings, tenant=deployment.tenant
        ),
    )
