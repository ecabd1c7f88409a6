# SPDX-License-Identifier: Apache-2.0
"""What a crash leaves in the folder of a store."""

from __future__ import annotations

import shutil
from pathlib import Path


def crashed(folder: Path, into: Path) -> Path:
    """Return what a crash at this moment would leave: files as they are, locks gone, memory lost."""
    shutil.copytree(folder, into, ignore=shutil.ignore_patterns("*.lock", "*-shm"))
    return into
