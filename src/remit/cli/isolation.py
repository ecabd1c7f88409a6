# SPDX-License-Identifier: Apache-2.0
"""Whether this user could do what remit can: then nothing in it is safe from what this user runs."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def isolation(base_url: str) -> tuple[str, str]:
    """Give the isolation between this user and the remit at an address, and why.

    `none`: it runs on this machine as this user, who can read its keys and change its store. `user`: it runs
    here as another user. `host`: it runs elsewhere. Empty where that cannot be told. What stands before it (a
    proxy of another user or machine) is taken for it.
    """
    parts = urlsplit(base_url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    here = [address for address in _addresses(host) if _is_of_this_machine(address)]
    if not here:
        return "host", "remit runs on another machine"
    owners = {owner for address in here if (owner := _owner_of(address, port)) is not None}
    if os.geteuid() in owners:
        return "none", "remit runs as this very user, who could read its keys"
    return ("user", "whoever listens there runs as another user of this machine") if owners else ("", "")


def _addresses(host: str) -> list[Address]:
    """Give what a name or an address stands for; nothing where that is not known."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [_plain(str(one[4][0]).partition("%")[0]) for one in found]


def _plain(text: str) -> Address:
    """Read an address; one of IPv4 that is written as one of IPv6 is the one of IPv4."""
    address = ipaddress.ip_address(text)
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def _is_of_this_machine(address: Address) -> bool:
    """Whether this machine has an address: only then can something listen at it here."""
    if address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.bind((str(address), 0))
    except OSError as fault:
        # An address with a scope (link-local) cannot be bound without it; it may well be ours.
        return fault.errno != errno.EADDRNOTAVAIL
    return True


def _owner_of(address: Address, port: int) -> int | None:
    """Give the user id of whoever listens at an address of this machine, where the kernel tells (Linux)."""
    everywhere = None
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            at, _, number = fields[1].rpartition(":")
            # Address and port in hex; state 0A is LISTEN; the eighth field is the user.
            if fields[3] != "0A" or int(number, 16) != port:
                continue
            listening = _listening(at)
            if listening == address:
                return int(fields[7])
            if listening.is_unspecified:
                everywhere = int(fields[7])
    return everywhere


def _listening(text: str) -> Address:
    """Read an address as the kernel writes it: words of 32 bits, each in this machine's order of bytes."""
    words = [bytes.fromhex(text[start : start + 8]) for start in range(0, len(text), 8)]
    if sys.byteorder == "little":
        words = [word[::-1] for word in words]
    return _plain(str(ipaddress.ip_address(b"".join(words))))
