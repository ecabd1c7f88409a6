# SPDX-License-Identifier: Apache-2.0
"""The guide to limits by history shows counters, rules and cases that work together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from remit.rehearse import Rehearsal
from remit.rehearse.case_runs import CaseRuns
from remit.rehearse.policy_cases import read_cases
from tests.architecture.tree import ROOT

Json = Any
PAGE = (ROOT / "docs" / "howto" / "limit-by-history.md").read_text(encoding="utf-8")
TOOLS = {"contracts": ["export"], "mail": ["send"], "bank": ["pay"], "claims": ["approve", "pay"]}
TASK = """\
task: export-contracts
purpose: Export contracts
run_by: [group:bots]
requested_by: [group:staff]
deadline: 4h
grants: [{tool: contracts/export, other_arguments: true}]
"""


def shown(language: str) -> list[str]:
    """Return the blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_cases_of_the_guide_hold_under_its_rules(tmp_path: Path) -> None:
    """With its counters, in a folder that has the tools it speaks of."""
    counters, cases = shown("yaml")
    (rules,) = shown("cedar")
    files = {
        "policies/history.yaml": counters,
        "policies/rules.cedar": f'@id("all") permit (principal, action, resource);\n{rules}',
        "tasks/export.yaml": TASK,
        "tests/cases.yaml": cases,
        "remit.yaml": yaml.safe_dump({"upstreams": {name: {"command": ["rehearsed"]} for name in TOOLS}}),
    }
    for upstream, names in TOOLS.items():
        tools = {name: {"effect": "reversible", "audience": "internal"} for name in names}
        files[f"tools/{upstream}.yaml"] = yaml.safe_dump({"upstream": upstream, "tools": tools})
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with Rehearsal(tmp_path) as rehearsal:
        results = CaseRuns(rehearsal).run(read_cases(tmp_path))
    assert len(results) == 2
    assert all(one.holds for one in results), results
