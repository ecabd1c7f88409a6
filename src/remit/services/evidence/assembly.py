# SPDX-License-Identifier: Apache-2.0
"""Put the services of evidence together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remit.core.identity.deployment import Deployment
from remit.ports.adapters import Adapters
from remit.services.evidence.chains import Chains
from remit.services.evidence.event_search import EventSearches
from remit.services.evidence.exports import Exports, ExportTarget
from remit.services.evidence.followers import Followers
from remit.services.evidence.log import Evidence
from remit.services.evidence.log_audit import LogAudit
from remit.services.evidence.receipts import Receipts
from remit.services.evidence.retention import Retention, RetentionRule
from remit.services.evidence.state_audit import StateAudit
from remit.services.evidence.tiles import LogTiles
from remit.services.evidence.witnesses import Witnesses, WitnessSettings
from remit.services.findings.assembly import FindingServices


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceSettings:
    """The witnesses of the log, whether everyone may read checkpoint and hashes, the sinks of exports, and
    how long events are kept.

    `version` is the version of remit that exports name.
    """

    witnesses: WitnessSettings = field(default_factory=WitnessSettings)
    published: bool = False
    exports: Mapping[str, ExportTarget] = field(default_factory=dict)
    retention: RetentionRule = field(default_factory=RetentionRule)
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceServices:
    """The log, and what is made of it."""

    log: Evidence
    state: StateAudit
    log_reading: LogAudit
    receipts: Receipts
    chains: Chains
    followers: Followers
    searches: EventSearches
    witnesses: Witnesses
    tiles: LogTiles
    published: bool
    exports: Exports
    retention: Retention


def evidence_services(
    adapters: Adapters, deployment: Deployment, settings: EvidenceSettings, findings: FindingServices
) -> EvidenceServices:
    """Put them together."""
    store, clock, tenant = adapters.store, adapters.clock, deployment.tenant
    evidence = Evidence(
        store=store,
        heads=adapters.heads,
        keys=adapters.keys.checkpoints,
        clock=clock,
        tenant=tenant,
        origin=deployment.origin,
    )
    witnesses = Witnesses(
        store=store,
        evidence=evidence,
        findings=findings.findings,
        clock=clock,
        tenant=tenant,
        settings=settings.witnesses,
    )
    evidence.cosign = witnesses.cosigned
    followers = Followers(store=store, tenant=tenant)
    log_reading = LogAudit(store=store, evidence=evidence, findings=findings.findings, tenant=tenant)
    return EvidenceServices(
        log=evidence,
        witnesses=witnesses,
        tiles=LogTiles(store=store, evidence=evidence, witnesses=witnesses, tenant=tenant),
        published=settings.published,
        log_reading=log_reading,
        state=StateAudit(
            store=store, log_reading=log_reading, findings=findings.findings, clock=clock, tenant=tenant
        ),
        receipts=Receipts(store=store, evidence=evidence, clock=clock, tenant=tenant),
        chains=Chains(evidence),
        followers=followers,
        searches=EventSearches(store=store, tenant=tenant),
        exports=Exports(
            store=store,
            clock=clock,
            cursors=followers,
            signed=evidence.signed,
            findings=findings.findings,
            tenant=tenant,
            origin=deployment.origin,
            version=settings.version,
            targets=settings.exports,
        ),
        retention=Retention(
            store=store,
            clock=clock,
            cursors=followers,
            signed=evidence.signed,
            changed=lambda: evidence.forked or log_reading.state == "changed",
            targets=settings.exports,
            tenant=tenant,
            rule=settings.retention,
        ),
    )
