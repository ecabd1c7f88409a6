# SPDX-License-Identifier: Apache-2.0
"""What the guide to rehearsing shows works on the folder that it speaks of."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.architecture.tree import ROOT

PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


SHELL = re.compile(r"^    ((?:remit|python) .*)$", re.MULTILINE)
PAGE = (ROOT / "docs" / "howto" / "rehearse-a-bundle.md").read_text(encoding="utf-8")


def test_the_commands_of_the_guide_work_in_an_empty_folder(tmp_path: Path) -> None:
    """As they stand there, with this Python, but for what is installed here already."""
    (shown,) = PYTHON.findall(PAGE)
    begin, install, test = SHELL.findall(PAGE)
    assert install == "python -m pip install pytest"
    here = tmp_path / "bin"
    here.mkdir()
    for name, words in (("python", ""), ("remit", "-m remit ")):
        (here / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words}"$@"\n')
        (here / name).chmod(0o755)
    # Plugins that are here for the sake of other tests stay out of it.
    env = {
        **os.environ,
        "PATH": f"{here}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    for command, folder in ((begin, tmp_path), (test, tmp_path / "rehearsed")):
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        if command == begin:
            (tmp_path / "rehearsed" / "test_bundle.py").write_text(shown, encoding="utf-8")
        else:
            assert "2 passed" in done.stdout
