# SPDX-License-Identifier: Apache-2.0
"""What the guide to rehearsing shows works on the folder that it speaks of."""

import re
import subprocess
import sys
from pathlib import Path

from remit.config.scaffold import scaffold
from tests.architecture.tree import ROOT

PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_the_tests_of_the_guide_pass_in_a_folder_that_init_made(tmp_path: Path) -> None:
    """As they stand there."""
    (shown,) = PYTHON.findall((ROOT / "docs" / "howto" / "rehearse-a-bundle.md").read_text(encoding="utf-8"))
    scaffold(tmp_path)
    (tmp_path / "test_bundle.py").write_text(shown, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [*command, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
