# SPDX-License-Identifier: Apache-2.0
"""The two wheels of this tree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.architecture.tree import ROOT


def built(folder: Path) -> list[Path]:
    """Build both wheels there: that of remit, and that of its SDK."""
    words = ("--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(folder))
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *words, str(ROOT), str(ROOT / "sdk")],
        check=True,
        capture_output=True,
    )
    remit, sdk = sorted(folder.glob("*.whl"))
    return [remit, sdk]
