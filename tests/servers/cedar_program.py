# SPDX-License-Identifier: Apache-2.0
"""The real program `cedar` with its analyzer, and the solver, for tests: as they are installed."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from remit.adapters.policy.cedar.proof.symbolic_compiler import PROGRAM


def installed() -> str:
    """Return the program; skips the test, with the reason, without it or without the solver."""
    beside = Path(sys.executable).parent / "cedar"
    found = os.environ.get(PROGRAM) or shutil.which(str(beside)) or shutil.which("cedar")
    if found is None:
        pytest.skip(f"`cedar` is not installed; {PROGRAM} may name it, and `make proof` builds it")
    if importlib.util.find_spec("cvc5") is None:
        pytest.skip("the solver `cvc5` is not installed")
    if not _analyzes(found):
        pytest.skip("this `cedar` was built without its analyzer; `make proof` builds one with it")
    return found


@functools.cache
def _analyzes(program: str) -> bool:
    return subprocess.run([program, "symcc", "--help"], capture_output=True, check=False).returncode == 0
