# SPDX-License-Identifier: Apache-2.0
"""Finding the processes of one lease by the mark in their environment, whatever their parent now is.

Linux only: a process's environment is read from `/proc`. A process that was started with another environment
is not found this way; its guard finds it among its descendants. A guard, and the first process of a PID
namespace, are found by their command line, because only root can read their environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

#: The variable that names the lease that a process serves.
MARK: Final = "REMIT_LEASE"
#: The files that identify the machine and its current boot.
_PLACE: Final = {"machine": "/etc/machine-id", "boot": "/proc/sys/kernel/random/boot_id"}
#: Seconds, 2.5 in all. Short pauses first, since others may be started in the meantime; then long ones, since
#: a killed process needs a processor to end, which a busy machine gives it late.
_PAUSES_S: Final = (*[0.005] * 100, *[0.1] * 20)


def place() -> dict[str, str]:
    """Return the place in which processes are visible: the machine, its boot, and this PID namespace.

    Values that cannot be determined are missing.
    """
    found = {}
    for name, file in _PLACE.items():
        with contextlib.suppress(OSError):
            found[name] = Path(file).read_text("ascii").strip()
    with contextlib.suppress(OSError):
        found["namespace"] = str(os.stat("/proc/self/ns/pid").st_ino)
    return found


def started_again(kept: Mapping[str, str]) -> bool:
    """Return whether this machine was restarted since the place was stored: then no earlier process runs."""
    here = place()
    known = all(kept.get(name) and here.get(name) for name in _PLACE)
    return known and kept["machine"] == here["machine"] and kept["boot"] != here["boot"]


def looked_at(kept: Mapping[str, str]) -> bool:
    """Return whether the processes of a stored place are visible here."""
    here = place()
    return all(kept.get(name, "") == here.get(name, "") != "" for name in ("boot", "namespace"))


def identity(pid: int) -> str:
    """Return the identity of the process with this id, by its start time; empty if none runs."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in ("Z", "X") else f"{pid} {fields[18]}"


def runs(kept: str) -> bool:
    """Return whether a process still runs, by its stored identity."""
    number = kept.partition(" ")[0]
    return number.isdecimal() and identity(int(number)) == kept


def can_mark() -> bool:
    """Return whether marks can be found on this machine."""
    return sys.platform == "linux"


def marked(lease: str) -> list[int]:
    """Return the processes that carry a lease's mark, without ended ones."""
    wanted = _mark(lease)
    return [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit() and _carries(one, wanted)]


def kill_marked(lease: str) -> list[int]:
    """Kill the processes with a lease's mark, and those that they start in the meantime; return what is
    left.
    """
    wanted = _mark(lease)
    for pause_s in _PAUSES_S:
        left = marked(lease)
        if not left:
            break
        for pid in left:
            with contextlib.suppress(OSError):
                _kill(pid, wanted)
        time.sleep(pause_s)
    return marked(lease)


def ends(still: Callable[[], bool]) -> bool:
    """Return whether what was killed ends in the time that a busy machine may need."""
    for pause_s in _PAUSES_S:
        if not still():
            return True
        time.sleep(pause_s)
    return not still()


def _mark(lease: str) -> bytes:
    return f"{MARK}={lease}".encode()


def _carries(place: Path, wanted: bytes) -> bool:
    for name in ("environ", "cmdline"):
        # A process that is gone, or belongs to another user, cannot be read; root has programs that run as
        # others.
        with contextlib.suppress(OSError):
            if wanted in (place / name).read_bytes().split(b"\0"):
                return _ours(place)
    return False


def _ours(place: Path) -> bool:
    """Return whether a process belongs to this user, even if it is hidden; `/proc` assigns those to root."""
    ids = next(one for one in (place / "status").read_text("utf-8").splitlines() if one.startswith("Uid:"))
    return os.geteuid() in (0, int(ids.split()[2]))


def _kill(pid: int, wanted: bytes) -> None:
    """Kill a process if it is still the one that was found, because process ids are reused."""
    held = os.pidfd_open(pid)
    try:
        if _carries(Path(f"/proc/{pid}"), wanted):
            signal.pidfd_send_signal(held, signal.SIGKILL)
    finally:
        os.close(held)
