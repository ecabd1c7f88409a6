# SPDX-License-Identifier: Apache-2.0
"""Whether this user could do what remit can: then nothing in it is safe from what this user runs."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit


def isolation(base_url: str) -> tuple[str, str]:
    """Give the isolation between this user and the remit at an address, and why.

    `none`: it runs on this machine as this user, who can read its keys and change its store. `user`: it runs
    here as another user. `host`: it runs elsewhere. Empty where that cannot be told.
    """
    parts = urlsplit(base_url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if not _is_local(host):
        return "host", "remit runs on another machine"
    owner = _owner_of(port)
    if owner is None:
        return "", ""
    if owner == os.geteuid():
        return "none", "remit runs as this very user, who could read its keys"
    return "user", "remit runs as another user of this machine"


def _is_local(host: str) -> bool:
    if host in ("localhost", "::1") or host.startswith("127."):
        return True
    try:
        addresses = {found[4][0] for found in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return any(str(one).startswith("127.") or one == "::1" for one in addresses)


def _owner_of(port: int) -> int | None:
    """Give the user id of whoever listens on a port of this machine, where the kernel tells (Linux)."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            # Address and port in hex; state 0A is LISTEN; the eighth field is the user.
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                return int(fields[7])
    return None
