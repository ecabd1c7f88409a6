# SPDX-License-Identifier: Apache-2.0
"""Finding the processes of one lease by the mark in their environment, whoever their parent is by now.

Linux alone: a process's environment is read from `/proc`. One that was started with an environment of its own
making is not found so; its guard has it among its descendants. A guard, and the first process of a PID
namespace, are found by their command line: nobody but root reads their environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

#: The variable that names the lease that a process serves.
MARK: Final = "REMIT_LEASE"
#: Where a machine says which it is, and which start of it this is.
_PLACE: Final = {"machine": "/etc/machine-id", "boot": "/proc/sys/kernel/random/boot_id"}
_ROUNDS: Final = 100
_PAUSE_S: Final = 0.005


def place() -> dict[str, str]:
    """Say where processes are looked for: the machine, this start of it, and this PID namespace. What cannot
    be known here is missing.
    """
    found = {}
    for name, file in _PLACE.items():
        with contextlib.suppress(OSError):
            found[name] = Path(file).read_text("ascii").strip()
    with contextlib.suppress(OSError):
        found["namespace"] = str(os.stat("/proc/self/ns/pid").st_ino)
    return found


def started_again(kept: Mapping[str, str]) -> bool:
    """Whether this machine was started again since a place was kept: then nothing from before it runs."""
    here = place()
    known = all(kept.get(name) and here.get(name) for name in _PLACE)
    return known and kept["machine"] == here["machine"] and kept["boot"] != here["boot"]


def looked_at(kept: Mapping[str, str]) -> bool:
    """Whether what runs in a place that was kept can be seen here."""
    here = place()
    return all(kept.get(name, "") == here.get(name, "") != "" for name in ("boot", "namespace"))


def identity(pid: int) -> str:
    """Say which process has a number now, by when it was started; empty where none runs."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in ("Z", "X") else f"{pid} {fields[18]}"


def runs(kept: str) -> bool:
    """Whether a process that was kept by its identity still runs."""
    number = kept.partition(" ")[0]
    return number.isdecimal() and identity(int(number)) == kept


def can_mark() -> bool:
    """Whether marks can be found here."""
    return sys.platform == "linux"


def marked(lease: str) -> list[int]:
    """Return the processes that carry a lease's mark; those that have ended do not."""
    wanted = _mark(lease)
    return [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit() and _carries(one, wanted)]


def kill_marked(lease: str) -> list[int]:
    """Kill what carries a lease's mark, and what it starts meanwhile; give what is left of it."""
    wanted = _mark(lease)
    for _ in range(_ROUNDS):
        left = marked(lease)
        if not left:
            break
        for pid in left:
            with contextlib.suppress(OSError):
                _kill(pid, wanted)
        time.sleep(_PAUSE_S)
    return marked(lease)


def _mark(lease: str) -> bytes:
    return f"{MARK}={lease}".encode()


def _carries(place: Path, wanted: bytes) -> bool:
    for name in ("environ", "cmdline"):
        # One that is gone, or somebody else's, cannot be read; root has programs that run as others.
        with contextlib.suppress(OSError):
            if wanted in (place / name).read_bytes().split(b"\0"):
                return _ours(place)
    return False


def _ours(place: Path) -> bool:
    """Whether a process is of this user, also one that nobody looks into; `/proc` gives those to root."""
    ids = next(one for one in (place / "status").read_text("utf-8").splitlines() if one.startswith("Uid:"))
    return os.geteuid() in (0, int(ids.split()[2]))


def _kill(pid: int, wanted: bytes) -> None:
    """Kill a process that still is the one that was found: numbers are used again."""
    held = os.pidfd_open(pid)
    try:
        if _carries(Path(f"/proc/{pid}"), wanted):
            signal.pidfd_send_signal(held, signal.SIGKILL)
    finally:
        os.close(held)
