# SPDX-License-Identifier: Apache-2.0
"""One labelled export, and what an analysis found in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from remit.core.discovery.declared import PermissionExport, PermissionSource
from remit.core.discovery.discovered import Discovered, FilePlace
from remit.core.discovery.privileges.azure.findings import azure_findings
from remit.core.discovery.privileges.gcp.findings import gcp_findings
from remit.core.discovery.privileges.github.findings import github_findings
from remit.core.discovery.privileges.kubernetes.findings import kubernetes_findings
from remit.core.findings.kinds import FindingKind
from remit.core.json_value import Json

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
ANALYSES: dict[PermissionSource, Callable[..., list[Discovered]]] = {
    PermissionSource.KUBERNETES: kubernetes_findings,
    PermissionSource.AZURE: azure_findings,
    PermissionSource.GCP: gcp_findings,
    PermissionSource.GITHUB: github_findings,
}


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Documents by file name, and the paths in them: `PRINCIPAL TECHNIQUE`.

    `source` is where the fact is from. Empty `paths` are a near miss: a part of what a step needs is absent.
    """

    name: str
    provider: PermissionSource
    documents: dict[str, Json]
    paths: frozenset[str] = frozenset()
    source: str = ""


def exports_of(case: Case) -> list[PermissionExport]:
    """Return the exports of a case."""
    return [
        PermissionExport(provider=case.provider, place=FilePlace(file=file), document=document)
        for file, document in case.documents.items()
    ]


def findings_of(provider: PermissionSource, exports: Sequence[PermissionExport]) -> list[Discovered]:
    """Return what the analysis of a provider finds."""
    return ANALYSES[provider](exports, now=NOW)


def paths_in(found: Sequence[Discovered]) -> frozenset[str]:
    """Return the escalation paths among findings, as cases name them."""
    return frozenset(
        f"{finding.about.rpartition(':')[2]} {finding.evidence['technique']}"
        for finding in found
        if finding.kind is FindingKind.ESCALATION_PATH
    )
