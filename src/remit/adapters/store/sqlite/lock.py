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
    """
    place = path.with_name(path.name + ".lock")
    try:
        lock = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise StoreUnavailable(
            f"`{place}` cannot be opened", way_out="create its folder and make it writable", debug=str(fault)
        ) from fault
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise StoreUnavailable(
            f"the store `{path}` is in use by process {holder or 'unknown'}",
            way_out="stop that process, or give this one a file of its own",
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock
