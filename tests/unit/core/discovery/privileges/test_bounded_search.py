# SPDX-License-Identifier: Apache-2.0
"""A search of paths that meets its bounds says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from remit.core.discovery.declared import PermissionExport, PermissionSource
from remit.core.discovery.discovered import FilePlace
from remit.core.discovery.privileges import paths
from remit.core.discovery.privileges.aws import paths as aws_paths
from remit.core.discovery.privileges.aws.findings import aws_findings
from remit.core.discovery.privileges.paths import PathStep, StepSearch
from remit.core.findings.kinds import Severity
from tests.samples.scan_reports import NOW


@pytest.mark.parametrize("bound", ["MOST_NODES", "MOST_OF_NODE", "MOST_STEPS"])
def test_a_search_that_met_a_bound_is_not_complete(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same steps, with and without room for them."""
    steps = {
        str(n): [PathStep(technique="t", target=str(to)) for to in (n + 1, n + 2, n + 3)] for n in range(20)
    }

    def searched() -> StepSearch:
        return StepSearch(["0"], lambda node: steps.get(node, []), {"9": Severity.HIGH}, lambda a, b: False)

    assert searched().complete
    monkeypatch.setattr(paths, bound, 2)
    assert not searched().complete


def test_files_of_aws_that_were_searched_in_part_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small account is searched whole."""
    file = Path(__file__).parents[5] / "examples/sprawl/cloud/aws/account-authorization-details.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    place = FilePlace(file="aws.json")
    exports = [PermissionExport(provider=PermissionSource.AWS, place=place, document=document)]
    cut: list[str] = []
    aws_findings(exports, now=NOW, cut=cut)
    assert cut == []
    monkeypatch.setattr(aws_paths, "MOST_VISITED", 0)
    aws_findings(exports, now=NOW, cut=cut)
    assert cut == ["aws.json"]
