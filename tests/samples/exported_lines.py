# SPDX-License-Identifier: Apache-2.0
"""Lines of a continuous export, read as a program does that knows nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CHECKER = Path(__file__).resolve().parents[2] / "docs/reference/evidence/check_export.py"


def checked(lines: Sequence[str], key: str) -> tuple[int, str]:
    """Return what the checker of the documents says, as a separate program."""
    ran = subprocess.run(
        [sys.executable, "-O", str(CHECKER), key],
        input="".join(f"{one}\n" for one in lines).encode(),
        capture_output=True,
        check=False,
    )
    return ran.returncode, (ran.stdout + ran.stderr).decode().strip().splitlines()[-1]


def indexes(lines: Sequence[str]) -> list[int]:
    """Return the events of lines, without checkpoints."""
    told = [json.loads(one)["unmapped"] for one in lines]
    return [one["index"] for one in told if "checkpoint" not in one]


def put_aside(path: Path) -> list[Path]:
    """Return the files that were put aside before an exported file, the oldest first."""
    return sorted(path.parent.glob(f"{path.name}.*"), key=lambda one: int(one.suffix[1:]))


def lines_of(path: Path) -> list[str]:
    """Return the lines of an exported file and of those that were put aside before it."""
    parts = [one for one in (*put_aside(path), path) if one.exists()]
    text = "".join(one.read_text(encoding="utf-8") for one in parts)
    assert text.endswith("\n")
    return text.split("\n")[:-1]
