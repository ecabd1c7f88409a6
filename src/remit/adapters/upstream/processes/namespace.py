# SPDX-License-Identifier: Apache-2.0
"""A PID namespace for one program. Standard library only; Linux.

When the first process of a PID namespace ends, the kernel kills every other process in it, and completes the
end of the first process only when no other is left. No process can leave its namespace, however it forks or
renames itself. So the end of the first process is the end of all, and its proof.

Root creates the namespace directly. Other users create a user namespace around it, in which only their own
user id exists. `/proc` inside shows only the processes of the namespace. If one of the three cannot be made
(in a container, or on a distribution that forbids user namespaces), none is made.

    python -I -S namespace.py    ends with 0 where a namespace can be made
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct
import sys
from typing import Final

#: A system call with the same number on every architecture, and the flags of the namespaces that it creates
#: (`clone(2)`).
_CLONE3: Final = 435
_NEW_MOUNTS, _NEW_USERS, _NEW_PIDS = 0x20000, 0x10000000, 0x20000000
_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4
#: Mounts inside are not visible outside; nothing in `/proc` can be executed.
_SLAVE_BELOW: Final = 0x4000 | 0x80000
_NOTHING_RUN: Final = 2 | 4 | 8
_CANNOT: Final = 126


def begin() -> int:
    """Fork into a namespace; return 0 in its first process, that process's id outside, and -1 on failure.

    The first process ends with status 126 if the namespace cannot be set up.
    """
    if sys.platform != "linux":
        return -1
    user, group = os.geteuid(), os.getegid()
    flags = _NEW_PIDS | _NEW_MOUNTS | (_NEW_USERS if user else 0)
    asked = struct.pack("8Q", flags, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    # Keeps the interpreter's lock: the only thread of this process continues in both processes.
    syscall = ctypes.PyDLL(None).syscall
    syscall.restype = ctypes.c_long
    pid = int(syscall(_CLONE3, asked, ctypes.c_size_t(len(asked))))
    if pid == 0:
        with contextlib.suppress(OSError):
            _set_up(user, group)
            return 0
        os._exit(_CANNOT)
    return pid


def possible() -> bool:
    """Return whether a namespace can be made here, by making one."""
    pid = begin()
    if pid == 0:
        os._exit(0)
    return pid > 0 and os.waitpid(pid, 0)[1] == 0


def _set_up(user: int, group: int) -> None:
    """Keep the same user id inside, and show only the processes of the namespace in `/proc`."""
    libc = ctypes.CDLL(None, use_errno=True)
    if user:
        # A process that is not dumpable may not write its own id maps.
        dumpable = libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0)
        libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as opened:
                opened.write(text)
        libc.prctl(_PR_SET_DUMPABLE, dumpable, 0, 0, 0)
    for source, place, kind, how in (
        (None, b"/", None, _SLAVE_BELOW),
        (b"proc", b"/proc", b"proc", _NOTHING_RUN),
    ):
        if libc.mount(source, place, kind, ctypes.c_ulong(how), None):
            raise OSError(ctypes.get_errno(), "cannot be mounted")


if __name__ == "__main__":
    with contextlib.suppress(OSError):
        sys.exit(0 if possible() else 1)
    sys.exit(1)
