# SPDX-License-Identifier: Apache-2.0
"""Peers of Unix sockets on Linux: `SO_PEERCRED`, a pidfd of the peer, and its executable through `/proc`.

This identifies the process that connected and the file of its program, and no more. An interpreter's digest
does not identify the script, and a user who may trace the process can act as it. So the result is graded
`asserted`.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import select
import socket
import struct
import sys
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from remit.core.errors import Unauthenticated
from remit.ports.attestor import ShownPeer

#: Whether this system can identify the peer of a Unix socket.
CAN_TELL: Final = sys.platform == "linux" and hasattr(os, "pidfd_open")

# `struct ucred` of unix(7): pid, uid, gid.
_UCRED: Final = struct.Struct("iII")
#: Linux 6.5: a pidfd of the process that actually connected. Python has no name for it yet.
_SO_PEERPIDFD: Final = 77
#: Larger executables are not read.
MAX_EXECUTABLE_BYTES: Final = 1 << 30
#: Cached digests, keyed by the file's identity, size and times of change.
MAX_DIGESTS: Final = 256
#: Programs read at once. A user who repeatedly presents large programs delays other processes, and nothing
#: else.
READERS: Final = 2
_PIECE: Final = 1 << 20

_FileKey = tuple[int, int, int, int, int]


class LinuxPeers:
    """`ports.peers.Peers` on Linux. Digests of executables are cached while their files are unchanged."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        """Start with no cached digest."""
        self._proc = proc
        self._digests: OrderedDict[_FileKey, str] = OrderedDict()
        self.readers = ThreadPoolExecutor(READERS, thread_name_prefix="peers")

    def at(self, descriptor: int) -> LinuxPeer:
        """Return the process at the other end of a connected Unix socket."""
        if not CAN_TELL:
            raise _unknown("this system does not report it")
        try:
            with socket.socket(fileno=os.dup(descriptor)) as sock:
                if sock.family != socket.AF_UNIX:
                    raise _unknown("it is not a Unix socket")
                raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
                pid, uid, _ = _UCRED.unpack(raw)
                # 0: the peer is in another pid namespace; -1: the peer has none.
                if pid <= 0:
                    raise _unknown("its process is not visible from here")
                handle = _pidfd(sock, pid)
                try:
                    return LinuxPeer(self, pid, uid, handle, self.program_of(pid))
                except OSError:
                    os.close(handle)
                    raise
        except OSError as fault:
            raise _unknown(str(fault)) from None

    def program_of(self, pid: int) -> int:
        """Return a descriptor of the file that a process runs, or -1 if access is denied.

        The descriptor only names the file and does not open it for reading. While it is held, no other file
        gets the same identity.
        """
        try:
            return os.open(self._proc / str(pid) / "exe", os.O_PATH | os.O_CLOEXEC)
        except PermissionError:
            return -1

    def same(self, pid: int, uid: int, program: int) -> bool:
        """Return whether a process still runs this program as this user; blocks. Raises `OSError`."""
        ids = (self._proc / str(pid) / "status").read_text().partition("\nUid:")[2].split(maxsplit=2)
        if len(ids) < 2 or ids[1] != str(uid):
            return False
        return program < 0 or os.path.samestat(os.fstat(program), os.stat(self._proc / str(pid) / "exe"))

    def digest_of(self, program: int) -> str:
        """Return the SHA-256 (hex) of the file that a descriptor names; blocks. Raises `OSError`."""
        # Opened through the descriptor: the file itself, whatever its name refers to now.
        with (self._proc / "self" / "fd" / str(program)).open("rb", buffering=0) as opened:
            status = os.fstat(opened.fileno())
            if status.st_size > MAX_EXECUTABLE_BYTES:
                raise OSError("the executable is too large")
            key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            if (found := self._digests.get(key)) is not None:
                return found
            digest = hashlib.sha256()
            while piece := opened.read(_PIECE):
                digest.update(piece)
        self._digests[key] = digest.hexdigest()
        if len(self._digests) > MAX_DIGESTS:
            self._digests.popitem(last=False)
        return digest.hexdigest()


class LinuxPeer:
    """One process, held by a kernel handle, with the program that it ran when it connected.

    A process that has switched to another program or user no longer counts as the one that connected.
    Otherwise a process that inherited the connection before the switch would be served under the new
    identity.
    """

    def __init__(self, peers: LinuxPeers, pid: int, uid: int, handle: int, program: int) -> None:
        """Take the handle and the program's descriptor, which `close` closes."""
        self.pid = pid
        self.uid = uid
        self._peers = peers
        self._handle = handle
        self._program = program

    async def shown(self) -> ShownPeer:
        """Return the process's current identity."""
        run = asyncio.get_running_loop().run_in_executor
        try:
            digest = await run(self._peers.readers, self._look)
        except OSError as fault:
            raise _unknown(str(fault)) from None
        # INVARIANT: checked after the reading. While the process lives, its number is not reused, so what was
        # read belongs to it and not to a later process.
        if self._handle < 0 or _ended(self._handle):
            raise _unknown("its process has ended")
        return ShownPeer(pid=self.pid, uid=self.uid, executable_digest=digest)

    def _look(self) -> str:
        """Return the digest of the program; blocks.

        Raises `OSError`, also if the process runs another program now.
        """
        digest = ""
        if self._program >= 0:
            try:
                digest = self._peers.digest_of(self._program)
            except PermissionError:
                # Only a user who may trace a process of another user sees its program (proc_pid_exe(5)); the
                # user id is known all the same.
                digest = ""
        # INVARIANT: the digest is of the program that connected, and the process still runs it.
        if not self._peers.same(self.pid, self.uid, self._program if digest else -1):
            raise OSError("its program or user has changed since it connected")
        return digest

    def close(self) -> None:
        """Release the handles of the process."""
        handles, self._handle, self._program = (self._handle, self._program), -1, -1
        for one in handles:
            if one >= 0:
                os.close(one)


def _pidfd(sock: socket.socket, pid: int) -> int:
    try:
        return sock.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError:
        # Before Linux 6.5: by number. A process that took over the number since the connection began would
        # pass for the peer, which is one more reason for the grade `asserted`.
        return os.pidfd_open(pid)


def _ended(handle: int) -> bool:
    # pidfd_open(2): the pidfd becomes readable when the process ends.
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(0))


def _unknown(debug: str) -> Unauthenticated:
    return Unauthenticated(
        "the process cannot be identified",
        code="peer-unknown",
        remediation="connect from a running process of this machine, over the Unix socket",
        debug=debug,
        step=1,
    )
