# SPDX-License-Identifier: Apache-2.0
"""The published temporal policies of others, written again for `context.history`, in Cedar and in Rego.

AgentCore's and Dogwood's rules read the events of a session that the caller names; these read what remit has
counted of a task. Each file of `vectors/` has counters, the rules in both languages, and cases.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from remit.rehearse import Rehearsal
from remit.rehearse.case_runs import CaseResult, CaseRuns
from remit.rehearse.policy_cases import read_cases
from tests.servers import opa_server

Json = Any

VECTORS = sorted((Path(__file__).parent / "vectors").glob("*.yaml"))
TOOLS: dict[str, list[str]] = {
    "claims": ["approve", "deny", "pay"],
    "bank": ["transfer"],
    "market": ["quote", "trade"],
    "data": ["read", "export"],
    "door": ["login", "logout"],
}
TASK = {
    "task": "work",
    "purpose": "Work",
    "run_by": ["group:agents"],
    "requested_by": ["group:people"],
    "deadline": "4h",
    "grants": [
        {"tool": f"{upstream}/{name}", "other_arguments": True}
        for upstream, names in TOOLS.items()
        for name in names
    ],
}
PERMIT = {
    "cedar": '@id("all") permit (principal, action, resource);\n',
    "rego": 'package remit\n\npermit contains "all"\n\n',
}


def bundle(folder: Path, vector: dict[str, Json], kind: str) -> Path:
    """Write the bundle of a vector; return its folder."""
    for name in ("policies", "tools", "tasks", "tests"):
        (folder / name).mkdir(parents=True)
    (folder / "policies" / f"rules.{kind}").write_text(PERMIT[kind] + vector[kind])
    (folder / "policies" / "history.yaml").write_text(yaml.safe_dump({"counters": vector["counters"]}))
    (folder / "tasks" / "work.yaml").write_text(yaml.safe_dump(TASK))
    (folder / "tests" / "cases.yaml").write_text(yaml.safe_dump({"cases": vector["cases"]}, sort_keys=False))
    for upstream, names in TOOLS.items():
        tools = {name: {"effect": "reversible", "audience": "internal"} for name in names}
        text = yaml.safe_dump({"upstream": upstream, "tools": tools})
        (folder / "tools" / f"{upstream}.yaml").write_text(text)
    upstreams = {name: {"command": ["rehearsed"]} for name in TOOLS}
    config = {"upstreams": upstreams, "policy": {"kind": kind}}
    (folder / "remit.yaml").write_text(yaml.safe_dump(config))
    return folder


def results(folder: Path) -> list[CaseResult]:
    """Run the cases of a bundle."""
    with Rehearsal(folder) as rehearsal:
        return CaseRuns(rehearsal).run(read_cases(folder))


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_cedar_decides_each_case_as_its_author_says(path: Path, tmp_path: Path) -> None:
    """Every call of every case, and the rules that spoke; and each rule speaks in some case."""
    vector = yaml.safe_load(path.read_text())
    decided = results(bundle(tmp_path / "cedar", vector, "cedar"))
    for one in decided:
        assert one.holds, one
    wanted = {name for case in vector["cases"] for step in case["steps"] for name in step.get("rules", ())}
    assert wanted == {name for one in decided for step in one.steps for name in step.rules} - {"all"}


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_rego_answers_as_cedar_does(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outcome of every call, the rules that spoke, and their reasons."""
    program = opa_server.installed()
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    vector = yaml.safe_load(path.read_text())
    cedar, rego = (results(bundle(tmp_path / kind, vector, kind)) for kind in ("cedar", "rego"))
    assert all(one.holds for one in rego), rego
    assert [without_remediation(one) for one in cedar] == [without_remediation(one) for one in rego]


def without_remediation(one: CaseResult) -> list[tuple[str, tuple[str, ...], list[tuple[str, str]]]]:
    """Return what must be equal in both languages."""
    return [
        (step.got, step.rules, [(reason.rule, reason.text) for reason in step.reasons]) for step in one.steps
    ]


def test_there_are_vectors() -> None:
    """The folder was found."""
    assert len(VECTORS) >= 13
