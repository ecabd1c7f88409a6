# SPDX-License-Identifier: Apache-2.0
"""A few mutants of a few modules; `make mutants` tries every one."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = ("core.tools.constraint.composed", "core.flow.justification", "core.oauth.access_token")


@pytest.mark.slow
def test_the_tests_notice_when_code_that_decides_is_wrong() -> None:
    """Of a sample, which is the same each time, at least 95 in 100 are caught."""
    command = [sys.executable, "-m", "tests.mutation", "--sample", "8", "--json", "build/mutants-sample.json"]
    for module in MODULES:
        command += ["--module", module]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
