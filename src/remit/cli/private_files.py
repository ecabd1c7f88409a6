# SPDX-License-Identifier: Apache-2.0
"""Files that only their owner can read: the command line's sessions, and codes that a file carries."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from remit.core.errors import KeyUnavailable


def read_private(place: Path) -> bytes:
    """Read a file; raises `KeyUnavailable` if other users could read it, `OSError` if it is unreadable."""
    descriptor = os.open(place, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(descriptor, "rb") as opened:
        status = os.fstat(descriptor)
        if os.name == "posix" and status.st_uid != os.geteuid():
            raise KeyUnavailable(
                f"`{place}` belongs to another user",
                code="open-to-others",
                remediation="use a file that belongs to you",
            )
        if os.name == "posix" and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyUnavailable(
                f"`{place}` is open to other users",
                code="open-to-others",
                remediation=f"run `chmod 600 {place}`; replace its secret, which others may have read",
            )
        return opened.read()


def open_private(place: Path) -> BinaryIO:
    """Open a file for writing, from its beginning; a new one is readable by its owner alone."""
    return os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def hold(lock: int) -> None:
    """Wait for the lock of an open file, on systems with such locks."""
    if os.name == "posix":
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX)
