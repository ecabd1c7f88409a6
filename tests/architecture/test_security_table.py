# SPDX-License-Identifier: Apache-2.0
"""Each threat that SECURITY.md answers names the tests that hold the answer."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_each_row_names_tests_that_exist() -> None:
    """A promise that no test holds is no promise; a renamed module is named again."""
    known = {place.stem.removeprefix("test_") for place in (ROOT / "tests").rglob("test_*.py")}
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| ")
    ][2:]
    assert len(rows) > 40
    for row in rows:
        named = re.findall(r"`(\w+)`", row[-1])
        assert named, f"no test is named for: {row[0]}"
        assert known.issuperset(named), f"{set(named) - known} is no module of tests: {row[0]}"
        assert re.fullmatch(r"(`\w+`(, )?)+", row[-1]), row[0]
