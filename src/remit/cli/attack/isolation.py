# SPDX-License-Identifier: Apache-2.0
"""Namespaces for an attack: a network with loopback alone, and a copy of /etc for managed settings.

Only Linux has them. Without them an attack still runs on loopback, but no managed settings can be tried.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

#: Tells the inner process that it is inside.
INSIDE: Final = "REMIT_ATTACK_INSIDE"
_SETUP: Final = (
    "set -e; ip link set lo up; place=$(mktemp -d); mount -t tmpfs tmpfs $place; "
    "cp -a /etc $place/ 2>/dev/null || true; "
    'mkdir -p $place/etc/claude-code; mount --bind $place/etc /etc; exec "$@"'
)
_TRYING_S: Final = 30


def is_inside() -> bool:
    """Return whether this process has separate namespaces."""
    return os.environ.get(INSIDE) == "1"


def can_isolate() -> bool:
    """Return whether this system gives an unprivileged process such namespaces."""
    if sys.platform != "linux" or not shutil.which("unshare") or not shutil.which("ip"):
        return False
    try:
        tried = subprocess.run(_wrapped(["true"]), capture_output=True, timeout=_TRYING_S, check=False)  # noqa: S603 - fixed words
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0


def run_inside(words: list[str], work: Path) -> int:
    """Run a command in separate namespaces; return its exit code."""
    env = {**os.environ, INSIDE: "1", "TMPDIR": str(work)}
    return subprocess.run(_wrapped(words), env=env, check=False).returncode  # noqa: S603 - this program itself


def _wrapped(words: list[str]) -> list[str]:
    return ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c", _SETUP, "sh", *words]
