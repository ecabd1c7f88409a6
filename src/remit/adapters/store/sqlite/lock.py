# SPDX-License-Identifier: Apache-2.0
"""The lock that makes one process the only one that writes a store."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from remit.core.errors import StoreUnavailable


def lock_file(path: Path) -> int:
    """Take the lock that makes this the one process that writes; give its descriptor, which holds it while
    open.

    The lock is on the store itself, so that no other name of it gives another one. The file beside it names
    the process. INVARIANT: the descriptor is closed after SQLite's are: a process that closes any descriptor
    of a file loses all POSIX locks that it has there, SQLite's among them.
    """
    place = path.with_name(path.name + ".lock")
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise StoreUnavailable(
            f"`{path}` cannot be opened",
            remediation="create its folder and make it writable",
            debug=str(fault),
        ) from fault
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise StoreUnavailable(
            f"the store `{path}` is in use by process {_holder(place) or 'unknown'}",
            remediation="stop that process, or use another file for this one",
        ) from None
    note = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(note, f"{os.getpid()}\n".encode())
    finally:
        os.close(note)
    return lock


def _holder(place: Path) -> str:
    try:
        return place.read_bytes()[:32].decode("ascii", "replace").strip()
    except OSError:
        return ""
