# SPDX-License-Identifier: Apache-2.0
"""Which process is at the other end of a local connection, and whether it descends from this process.

On Linux, `/proc/net/tcp` contains the inode of a socket, `/proc/<pid>/fd` the processes that hold it, and
`/proc/<pid>/stat` their parents. Limits: docs/explanation/relay.md. On other systems it is unknown, and the
user is informed of that.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
#: Whether this system reveals which process holds a socket.
CAN_TELL: Final = sys.platform == "linux" and (PROC / "self" / "net" / "tcp").exists()

Address = tuple[str, int]

# prctl(2)
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def descendants(root: int) -> set[int]:
    """Return the processes below `root`, without `root`, at this moment."""
    children: dict[int, list[int]] = {}
    for pid in _pids():
        children.setdefault(_parent(pid), []).append(pid)
    found: set[int] = set()
    open_ends = [root]
    while open_ends:
        for child in children.get(open_ends.pop(), ()):
            if child not in found:
                found.add(child)
                open_ends.append(child)
    return found


def descends(root: int, peer: Address, own: Address) -> bool:
    """Return whether the process that connected from `peer` to `own` (both IPv4, local) is below `root`.

    Return False also if it is unknown: the process is gone, or hides its descriptors.
    """
    inode = socket_inode(peer, own)
    return inode is not None and any(_holds(pid, inode) for pid in descendants(root))


def socket_inode(local: Address, remote: Address) -> str | None:
    """Return the inode of the socket that is bound to `local` and connected to `remote`."""
    for table, mapped in (("tcp", False), ("tcp6", True)):
        wanted = (_as_kernel_writes(local, mapped), _as_kernel_writes(remote, mapped))
        try:
            text = (PROC / "self" / "net" / table).read_text("ascii")
        except OSError:
            continue
        for line in text.splitlines()[1:]:
            columns = line.split()
            if (columns[1], columns[2]) == wanted and columns[9] != "0":
                return columns[9]
    return None


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants, so that they stay below this process."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_with_parent(parent: int, signal_number: int) -> None:
    """Arrange that this new child gets a signal when `parent` ends in any way; call it before the program
    starts.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent:  # the parent ended before the call
            os.kill(os.getpid(), signal_number)


def bury(keep: int) -> None:
    """Collect adopted descendants that have ended, except `keep`, for which another task waits."""
    if not CAN_TELL:
        return
    own = os.getpid()
    for pid in _pids():
        if pid != keep and _parent(pid) == own:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue


def _pids() -> Iterator[int]:
    with os.scandir(PROC) as entries:
        for entry in entries:
            if entry.name.isdecimal():
                yield int(entry.name)


def _parent(pid: int) -> int:
    try:
        # The second field is a name in parentheses with any characters, even parentheses.
        return int((PROC / str(pid) / "stat").read_text("ascii", "replace").rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _holds(pid: int, inode: str) -> bool:
    wanted = f"socket:[{inode}]"
    try:
        with os.scandir(PROC / str(pid) / "fd") as entries:
            for entry in entries:
                try:
                    if os.readlink(entry.path) == wanted:
                        return True
                except OSError:
                    continue
    except OSError:
        pass
    return False


def _as_kernel_writes(address: Address, mapped: bool) -> str:
    """Return an IPv4 address as the kernel's tables write it: hexadecimal words in the machine's byte
    order.
    """
    packed = socket.inet_aton(address[0])
    if mapped:  # an IPv6 socket with an IPv4 connection
        packed = bytes(10) + b"\xff\xff" + packed
    words = [packed[at : at + 4] for at in range(0, len(packed), 4)]
    if sys.byteorder == "little":
        words = [word[::-1] for word in words]
    return f"{b''.join(words).hex().upper()}:{address[1]:04X}"
