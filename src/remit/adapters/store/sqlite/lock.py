# SPDX-License-Identifier: Apache-2.0
"""The lock that makes one process the only writer of a store."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from remit.core.errors import StoreUnavailable


def lock_file(path: Path) -> int:
    """Lock the store for this process as its only writer, and return the descriptor.

    The descriptor holds the lock while it is open.

    The lock is on the store file itself, so that another name of the file does not yield another lock. The
    `.lock` file names the process. INVARIANT: the descriptor is closed after SQLite's descriptors: a process
    that closes any descriptor of a file loses all its POSIX locks on that file, including SQLite's.
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
