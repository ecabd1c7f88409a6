# SPDX-License-Identifier: Apache-2.0
"""Escalation paths in exports of Kubernetes, Azure, Google Cloud and GitHub: recall, false paths, time."""

import time
from typing import Any

from bench.figure import Figure
from remit.core.discovery.declared import PermissionSource
from remit.core.findings.kinds import FindingKind
from tests.samples.privileges import azure, gcp, github, kubernetes
from tests.samples.privileges.case import exports_of, findings_of, paths_in
from tests.samples.privileges.large import large

_CASES: dict[PermissionSource, Any] = {
    PermissionSource.KUBERNETES: kubernetes,
    PermissionSource.AZURE: azure,
    PermissionSource.GCP: gcp,
    PermissionSource.GITHUB: github,
}
RECALLS = [f"privileges: {provider} recall" for provider in _CASES]
FALSE_ONES = [f"privileges: {provider} false paths" for provider in _CASES]
TIMES = [f"privileges: {provider} 1,000 parts" for provider in _CASES]


def privileges_clouds(quick: bool) -> list[Figure]:
    """Measure each provider; a quick run has a tenth of the large export."""
    return [figure for provider in _CASES for figure in _measured(provider, 100 if quick else 1_000)]


def _measured(provider: PermissionSource, parts: int) -> list[Figure]:
    labelled = [*_CASES[provider].PATHS, *_CASES[provider].NEAR_MISSES]
    found = [paths_in(findings_of(provider, exports_of(case))) for case in labelled]
    wanted = sum(len(case.paths) for case in labelled)
    hit = sum(len(case.paths & paths) for case, paths in zip(labelled, found, strict=True))
    false = sum(len(paths - case.paths) for case, paths in zip(labelled, found, strict=True))
    exports, gains = large(provider, parts)
    began = time.perf_counter()
    findings = findings_of(provider, exports)
    seconds = time.perf_counter() - began
    those = {finding.about for finding in findings if finding.kind is FindingKind.ESCALATION_PATH}
    name, how = f"privileges: {provider}", f"{len(labelled)} labelled exports, {wanted} paths"
    made_up = f"one made-up export of {parts} namespaces, groups, projects or workflows"
    return [
        Figure(name=f"{name} recall", value=hit / wanted, unit="", how=how),
        Figure(name=f"{name} false paths", value=false / len(labelled), unit="per export", how=how),
        Figure(name=f"{name} {parts:,} parts", value=seconds, unit="s", how=made_up),
        Figure(
            name=f"{name} {parts:,} parts, missed or false",
            value=len(those ^ gains),
            unit="",
            how=f"{made_up}, {len(gains)} that can gain rights",
        ),
    ]
