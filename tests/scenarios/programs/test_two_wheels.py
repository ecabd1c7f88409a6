# SPDX-License-Identifier: Apache-2.0
"""Both wheels in an empty environment: the SDK brings no server, and remit brings its own SDK."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.slow


def run(*words: str, at: Path) -> str:
    """Run a command that must succeed, outside this repository, and return what it says."""
    told = subprocess.run(words, cwd=at, capture_output=True, text=True, timeout=600, check=False)
    assert told.returncode == 0, told.stderr
    return told.stdout


def test_both_wheels_install_and_run(tmp_path: Path) -> None:
    """`pip install remit-sdk` and `pip install remit`, from what the two projects build."""
    wheels = tmp_path / "wheels"
    for project in (ROOT / "sdk", ROOT):
        run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", str(wheels), str(project), at=tmp_path)
    sdk, whole = sorted(wheels.glob("remit_sdk-*.whl")), sorted(wheels.glob("remit-*.whl"))
    assert (len(sdk), len(whole)) == (1, 1)
    assert not [name for name in zipfile.ZipFile(whole[0]).namelist() if name.startswith("remit_sdk/")]
    assert not [name for name in zipfile.ZipFile(sdk[0]).namelist() if name.startswith("remit/")]
    home = tmp_path / "env"
    venv.create(home, with_pip=True)
    python = str(home / ("Scripts" if sys.platform == "win32" else "bin") / "python")
    run(python, "-I", "-m", "pip", "install", "-q", str(sdk[0]), at=tmp_path)
    run(python, "-I", "-c", "import remit_sdk; remit_sdk.task; remit_sdk.Refused", at=tmp_path)
    absent = "import importlib.util as u; assert not any(map(u.find_spec, ('remit', 'mcp', 'starlette')))"
    run(python, "-I", "-c", absent, at=tmp_path)
    run(python, "-I", "-m", "pip", "install", "-q", "--find-links", str(wheels), str(whole[0]), at=tmp_path)
    assert "remit" in run(python, "-I", "-m", "remit", "--version", at=tmp_path)
