# SPDX-License-Identifier: Apache-2.0
"""The processes at the other end of loopback connections, from Linux's tables of sockets and processes.

A secret in a client's settings can be read by all that the client starts. The system's own table says which
process really holds a connection. Elsewhere nothing is known, and callers must not assume anything.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Collection, Iterable

from remit.ports.runtime import ProcessLook, RunningProcess

_DEEPEST = 64
# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST = 1
_ALL_STATES = 0xFFFFFFFF
_NO_COOKIE = 0xFFFFFFFF
#: Behind the header: four bytes, the socket's id, and four numbers.
_INODE_AT = 16 + 4 + 48 + 16
#: Of the times in /proc, which begin when the machine does.
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_LITTLE = sys.byteorder == "little"


class ProcessTable:
    """`ports.runtime.Processes` of Linux; on other systems it knows nothing."""

    def behind(
        self, client: tuple[str, int], server: tuple[str, int], likely: Collection[int] = ()
    ) -> RunningProcess | None:
        """Return the process that holds the client's end of a connection."""
        try:
            inode = _asked(client, server) or _inode(client, server)
            if not inode:
                return None
            wanted = f"socket:[{inode}]"
            for pid in (*likely, *_others(likely)):
                if _holds(pid, wanted):
                    return process_of(pid)
        except (OSError, ValueError):
            return None
        return None

    def runs(self, process: RunningProcess) -> bool:
        """Return whether a process still runs; a later one with its id is another."""
        try:
            return process_of(process.pid) == process
        except (OSError, IndexError):
            return False

    def above(self, process: RunningProcess) -> tuple[RunningProcess, ...]:
        """Return the ancestors of a process, the parent first."""
        found: list[RunningProcess] = []
        pid = process.pid
        try:
            while len(found) < _DEEPEST and (pid := int(_fields(pid)[1])) > 0:
                found.append(process_of(pid))
        except (OSError, ValueError, IndexError):
            pass
        return tuple(found)

    def look(self, process: RunningProcess) -> ProcessLook | None:
        """Return name, terminal and start of a process that runs."""
        try:
            with open(f"/proc/{process.pid}/comm", encoding="utf-8", errors="replace") as opened:
                name = opened.read().rstrip("\n")
            fields = _fields(process.pid)
            if fields[19] != process.started:
                return None
            return ProcessLook(name, fields[4] != "0", int(process.started) / _TICKS_A_SECOND)
        except (OSError, ValueError, IndexError):
            return None


def process_of(pid: int) -> RunningProcess:
    """Return a process with its start time; raises `OSError` where it is gone."""
    return RunningProcess(pid, _fields(pid)[19])


def _fields(pid: int) -> list[str]:
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as opened:
        # The second field is a name in parentheses with any characters, even parentheses.
        return opened.read().rpartition(")")[2].split()


def _asked(client: tuple[str, int], server: tuple[str, int]) -> str:
    """Return the inode of the client's socket from the kernel (sock_diag(7)); empty where it tells nothing.

    It looks up the one socket. The table in /proc takes milliseconds on a machine with many connections.
    """
    ends = [ipaddress.ip_address(one[0]) for one in (client, server)]
    family = socket.AF_INET6 if ends[0].version == 6 else socket.AF_INET
    addresses = b"".join(one.packed.ljust(16, b"\0") for one in ends)
    ports = struct.pack(">HH", client[1], server[1])
    wanted = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, _ALL_STATES)
    body = wanted + ports + addresses + struct.pack("=III", 0, _NO_COOKIE, _NO_COOKIE)
    head = struct.pack("=IHHII", 16 + len(body), _SOCK_DIAG_BY_FAMILY, _REQUEST, 1, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as asked:
            asked.settimeout(1.0)
            asked.send(head + body)
            answer = asked.recv(4096)
    except OSError:
        return ""
    if len(answer) < _INODE_AT + 4 or struct.unpack_from("=H", answer, 4)[0] != _SOCK_DIAG_BY_FAMILY:
        return ""
    inode: int = struct.unpack_from("=I", answer, _INODE_AT)[0]
    return str(inode) if inode else ""


def _inode(client: tuple[str, int], server: tuple[str, int]) -> str:
    """Return the inode of the client's socket; empty where the table has no such connection."""
    for name in ("tcp6", "tcp") if ":" in client[0] else ("tcp", "tcp6"):
        # One search in the whole table: a busy machine has thousands of closed connections in it.
        wanted = f" {_written(client, name)} {_written(server, name)} ".encode()
        with open(f"/proc/net/{name}", "rb") as opened:
            table = opened.read()
        at = table.find(wanted)
        if at >= 0:
            inode = table[at : table.find(b"\n", at)].split()[8].decode()
            return inode if inode != "0" else ""
    return ""


def _written(address: tuple[str, int], table: str) -> str:
    """Return an address as the kernel writes it: 32-bit words in the byte order of the machine."""
    ip = ipaddress.ip_address(address[0])
    if table == "tcp6" and ip.version == 4:
        ip = ipaddress.ip_address(f"::ffff:{ip}")
    packed = ip.packed
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    return "".join((word[::-1] if _LITTLE else word).hex() for word in words).upper() + f":{address[1]:04X}"


def _others(likely: Collection[int]) -> Iterable[int]:
    # The newest first: a client has just connected.
    pids = sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True)
    return (pid for pid in pids if pid not in likely)


def _holds(pid: int, wanted: str) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return False  # it is gone, or another user's
    for name in names:
        try:
            if os.readlink(f"{folder}/{name}") == wanted:
                return True
        except OSError:
            continue
    return False
