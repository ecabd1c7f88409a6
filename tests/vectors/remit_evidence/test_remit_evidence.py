# SPDX-License-Identifier: Apache-2.0
"""The published vectors of `remit_evidence/1`, for remit's verifier and for an independent one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from remit.core.evidence.checkpoint import VerifierKey
from remit.core.evidence.verification import verify_export
from tests.samples.independent_verifier import independent_verifier

Json = Any

REFERENCE = Path(__file__).resolve().parents[3] / "docs/reference"
FOLDER = REFERENCE / "evidence"
VECTORS = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))
SCHEMA = json.loads((REFERENCE / "schemas/evidence.json").read_text(encoding="utf-8"))
FILES = sorted({case["file"] for case in VECTORS["cases"]})
KEY = VECTORS["key"]


def text_of(case: Json) -> bytes:
    """Return the file of a case as the case has it."""
    lines = (FOLDER / case["file"]).read_bytes().decode().split("\n")
    if "line" in case:
        place = case["line"] - 1
        assert case["old"] in lines[place]
        lines[place] = lines[place].replace(case["old"], case["new"], 1)
    return "\n".join(lines).encode()


@pytest.fixture(scope="module")
def independent() -> Any:
    """The verifier of the reference, which uses nothing of remit."""
    return independent_verifier()


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: f"{case['file']}: {case['what']}")
def test_a_vector_holds_or_not_for_both_verifiers(case: Json, independent: Any) -> None:
    """Who reads the reference and writes a verifier comes to the same answer."""
    data = text_of(case)
    key = case.get("key", KEY)
    assert verify_export(data.splitlines(keepends=True), VerifierKey.parse(key)).holds is case["holds"]
    if case["holds"]:
        bare = data.count(b'"pruned":["')
        assert len(independent.verify(data, key)) == data.count(b"\n") - 2 - bare
    else:
        with pytest.raises(Exception, match=r".*"):
            independent.verify(data, key)


@pytest.mark.parametrize("file", FILES)
def test_lines_and_leaves_are_what_the_schema_says(file: str) -> None:
    """The schema is one, and what remit writes is valid by it."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    leaf = {**SCHEMA, "oneOf": [{"$ref": "#/$defs/leaf"}]}
    for line in (FOLDER / file).read_text(encoding="utf-8").split("\n")[:-1]:
        said = json.loads(line)
        jsonschema.validate(said, SCHEMA)
        if "leaf" in said:
            jsonschema.validate(json.loads(said["leaf"]), leaf)


def test_the_independent_verifier_runs_by_itself() -> None:
    """`python verify_evidence.py FILE KEY` says how many events hold, and fails where they do not."""
    program = [sys.executable, "-O", str(FOLDER / "verify_evidence.py")]
    good = subprocess.run(
        [*program, str(FOLDER / "whole.jsonl"), KEY], capture_output=True, text=True, check=False
    )
    assert (good.returncode, good.stdout) == (0, "22 events hold\n")
    bad = subprocess.run([*program, str(FOLDER / "cases.json"), KEY], capture_output=True, check=False)
    assert bad.returncode != 0
