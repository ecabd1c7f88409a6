# SPDX-License-Identifier: Apache-2.0
"""Put the services of findings together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from remit.core.findings.anomaly_rules import AnomalyRules
from remit.core.identity.deployment import Deployment
from remit.core.tools.tool import Tool
from remit.ports.adapters import Adapters
from remit.services.findings.anomaly_watch import AnomalyWatch
from remit.services.findings.findings import Findings
from remit.services.findings.shared_identities import SharedIdentities


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingServices:
    """What is found, and what finds identities that several share and anomalies."""

    findings: Findings
    sightings: SharedIdentities
    anomalies: AnomalyWatch


def finding_services(
    adapters: Adapters, deployment: Deployment, tools: Callable[[], dict[str, Tool]], rules: AnomalyRules
) -> FindingServices:
    """Put them together; `tools` returns the tools of the bundle in force."""
    findings = Findings(store=adapters.store, clock=adapters.clock, tenant=deployment.tenant)
    return FindingServices(
        findings=findings,
        sightings=SharedIdentities(
            store=adapters.store, clock=adapters.clock, findings=findings, tenant=deployment.tenant
        ),
        anomalies=AnomalyWatch(
            store=adapters.store,
            clock=adapters.clock,
            findings=findings,
            tools=tools,
            tenant=deployment.tenant,
            rules=rules,
        ),
    )
