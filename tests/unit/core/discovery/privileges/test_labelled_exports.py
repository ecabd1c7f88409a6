# SPDX-License-Identifier: Apache-2.0
"""Each labelled export has exactly the escalation paths of its label."""

from __future__ import annotations

import re

import msgspec
import pytest

from remit.core.discovery.declared import PermissionSource
from remit.core.discovery.privileges.azure import techniques as azure_techniques
from remit.core.discovery.privileges.gcp import steps as gcp_steps
from remit.core.discovery.privileges.kubernetes import techniques as kubernetes_techniques
from remit.core.findings.kinds import FindingKind
from tests.samples.privileges import azure, gcp, github, kubernetes
from tests.samples.privileges.case import ANALYSES, Case, exports_of, findings_of, paths_in
from tests.samples.privileges.cluster_rules import RULES, ClusterRule
from tests.samples.privileges.large import large

PATHS = [case for module in (azure, gcp, github, kubernetes) for case in module.PATHS]
NEAR_MISSES = [case for module in (azure, gcp, github, kubernetes) for case in module.NEAR_MISSES]


def _id(case: Case) -> str:
    return f"{case.provider}: {case.name}"


@pytest.mark.parametrize("case", PATHS, ids=_id)
def test_each_path_is_found_and_no_other(case: Case) -> None:
    """The paths that are found are those of the label."""
    assert paths_in(findings_of(case.provider, exports_of(case))) == case.paths


@pytest.mark.parametrize("case", NEAR_MISSES, ids=_id)
def test_what_lacks_a_part_is_no_path(case: Case) -> None:
    """Where a part of what a step needs is absent, no path is reported."""
    assert not case.paths
    assert not paths_in(findings_of(case.provider, exports_of(case)))


@pytest.mark.parametrize("given", RULES, ids=lambda given: f"{given.source}: {given.name}")
def test_a_rule_of_another_scanner_is_found_or_has_a_reason(given: ClusterRule) -> None:
    """What other scanners flag is found by its techniques; what alone gains nothing is no path."""
    assert bool(given.techniques) != bool(given.why)
    assert paths_in(findings_of(given.case.provider, exports_of(given.case))) == given.case.paths


@pytest.mark.parametrize("case", PATHS, ids=_id)
def test_a_path_is_spelt_out(case: Case) -> None:
    """A path has sentences, a place in the export, its reach and a remediation."""
    for finding in findings_of(case.provider, exports_of(case)):
        if finding.kind is FindingKind.ESCALATION_PATH:
            assert finding.steps
            assert finding.reach
            assert finding.remediation
            assert {place.file for place in finding.places} <= set(case.documents)
            assert finding.places
            assert all(re.fullmatch(r"`.+` can .+\.", step, re.DOTALL) for step in finding.steps)
            assert "{chosen}" not in " ".join(finding.steps)


def test_findings_of_an_export_have_different_ids() -> None:
    """No two findings of one export have the same id."""
    for case in PATHS:
        ids = [finding.id for finding in findings_of(case.provider, exports_of(case))]
        assert len(ids) == len(set(ids)), case.name


def test_each_technique_has_a_case() -> None:
    """Each technique that has a remediation is in the label of a case."""
    from_tables = set()
    for module in (azure_techniques, gcp_steps, kubernetes_techniques):
        from_tables |= set(module.REMEDIATIONS)
    assert not from_tables - {path.rpartition(" ")[2] for case in PATHS for path in case.paths}


@pytest.mark.parametrize("provider", list(ANALYSES))
def test_a_large_export_endangers_those_who_can_gain_and_no_one_else(provider: PermissionSource) -> None:
    """Among many identities, exactly those with a path are found."""
    exports, gains = large(provider, 30)
    found = [f for f in findings_of(provider, exports) if f.kind is FindingKind.ESCALATION_PATH]
    assert {finding.about for finding in found} == gains


def test_what_a_history_holds_is_not_permitted_any_more() -> None:
    """An export of an earlier commit has no findings."""
    for case in PATHS:
        old = [
            msgspec.structs.replace(export, place=msgspec.structs.replace(export.place, commit="0123abc"))
            for export in exports_of(case)
        ]
        assert not findings_of(case.provider, old)
