# SPDX-License-Identifier: Apache-2.0
"""Other users of this machine: who may be become, with what interpreter, and what runs as them."""

import os
import shutil
import stat
from pathlib import Path

import pytest

NOBODY = 65_534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="user ids are changed by root alone")

#: An interpreter that other users can run; one's own may lie where they cannot go.
OPEN_PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin") or ""
#: Whether other users can go where these tests lie: a program of theirs reads its code here.
REACHED = all(place.stat().st_mode & stat.S_IXOTH for place in Path(__file__).resolve().parents)
needs_open_python = pytest.mark.skipif(
    not os.geteuid() and not (OPEN_PYTHON and REACHED),
    reason="other users can run no interpreter, or not go to where these tests lie",
)


def of_user(user: int) -> list[int]:
    """Return the processes of a user that run."""
    out = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if (
                place.stat().st_uid == user
                and (place / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
            ):
                out.append(int(place.name))
        except OSError:
            continue
    return out
