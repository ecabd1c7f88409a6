# SPDX-License-Identifier: Apache-2.0
"""What others' cases about policy languages come to: those that pass, and those left out for a reason."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from tests.interop.suite import HOME, ROOT

PLACES = ("tests/vectors/cedar_cases", "tests/vectors/opa_cases")
LATEST = ROOT / "build" / "policy-cases.json"
PUBLISHED = ROOT / "docs" / "reference" / "policy-cases.json"
NAMES = {
    "test_opa_s_own_cases_pass": "OPA's compliance cases, in process",
    "test_the_cases_of_cedar_in_go_pass": "Cedar in Go: policies, validations and requests",
    "test_the_cases_of_cedar_s_program_pass": "Cedar's program: policies, validations and requests",
    "test_the_example_policies_decide_every_call_as_in_cedar": "Cedar's program: calls of its examples",
    "test_the_integration_tests_of_cedar_pass": "Cedar's integration tests",
}
#: OPA's cases are each compiled.
LONGEST_S = 3600


def measure(*, publish: bool) -> int:
    """Run the cases, write what they came to, and return the exit code."""
    HOME.mkdir(parents=True, exist_ok=True)
    report = HOME / "policy-cases.xml"
    # The figures are properties of tests, which only this form of the report has.
    options = ("-q", "-rs", "-o", "junit_family=xunit1", f"--junitxml={report}")
    command = [sys.executable, "-m", "pytest", *options, *PLACES]
    done = subprocess.run(command, cwd=ROOT, timeout=LONGEST_S, check=False)
    if done.returncode:
        return 1
    cases = []
    for case in ET.parse(report).iter("testcase"):
        counts = {one.attrib["name"]: int(one.attrib["value"]) for one in case.iter("property")}
        if case.attrib["name"] in NAMES and counts:
            cases.append({"name": NAMES[case.attrib["name"]], "counts": counts})
    found = {"date": datetime.now(UTC).date().isoformat(), "cases": cases}
    for path in (LATEST, PUBLISHED) if publish else (LATEST,):
        _write(path, found)
    return 0


def _write(path: Path, found: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
