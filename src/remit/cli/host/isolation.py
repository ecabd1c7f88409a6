# SPDX-License-Identifier: Apache-2.0
"""Whether this user has the same rights as remit; if so, programs of this user can bypass remit."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

#: The state of a listening socket, as the kernel writes it.
_LISTEN: Final = "0A"
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: The wildcard address of each family.
_ALL: Final[dict[int, Address]] = {4: ipaddress.IPv4Address("0.0.0.0"), 6: ipaddress.IPv6Address("::")}  # noqa: S104 - compared, not bound


class _Socket(NamedTuple):
    """A socket as the kernel lists it."""

    local: tuple[Address, int]
    remote: tuple[Address, int]
    state: str
    user: int


def isolation(base_url: str) -> tuple[str, str]:
    """Return the isolation between this user and the remit at an address, and why.

    - `none`: remit runs on this machine as this user, who can read its keys and change its store.
    - `user`: remit runs here as another user.
    - `host`: remit runs elsewhere.
    - Empty: unknown.

    A proxy in front of remit (of another user or machine) is taken for remit.
    """
    parts = urlsplit(base_url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    here = [address for address in _addresses(host) if _is_of_this_machine(address)]
    if not here:
        return "host", "remit runs on another machine"
    sockets = list(_sockets())
    owners = {owner for address in here if (owner := _owner_of(sockets, address, port)) is not None}
    if os.geteuid() in owners:
        return "none", "remit runs as this user, who could read its keys"
    return ("user", "the server there runs as another user of this machine") if owners else ("", "")


def _addresses(host: str) -> list[Address]:
    """Resolve a name or an address; empty if that fails."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [_plain(str(one[4][0]).partition("%")[0]) for one in found]


def _plain(text: str) -> Address:
    """Read an address; an IPv4-mapped IPv6 address becomes the IPv4 address."""
    address = ipaddress.ip_address(text)
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def _is_of_this_machine(address: Address) -> bool:
    """Return whether this machine has an address: only then can a process listen at it here."""
    if address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.bind((str(address), 0))
    except OSError as fault:
        # An address with a scope (link-local) cannot be bound without the scope; it may belong to this
        # machine.
        return fault.errno != errno.EADDRNOTAVAIL
    return True


def _owner_of(sockets: Iterable[_Socket], address: Address, port: int) -> int | None:
    """Return the user id of the process that listens at an address of this machine, if the kernel reports it
    (Linux).
    """
    users = {one.local[0]: one.user for one in sockets if one.state == _LISTEN and one.local[1] == port}
    # The kernel's order of listeners: first the exact address, then the family's wildcard. A socket at `::`
    # may accept IPv4 as well; it receives what no socket at `0.0.0.0` accepts.
    places = (address, _ALL[address.version], _ALL[6])
    return next((users[place] for place in places if place in users), None)


def owners(server: tuple[str, int], client: tuple[str, int]) -> set[int]:
    """Return the user ids at the other end of a local connection: the end's owner and the listener's owner.

    Empty if the other end is on another machine, or the kernel does not report it.

    An end that is not yet accepted has no owner, which reads as root. It lives as long as its listener, which
    is therefore checked as well.
    """
    at, back = (_plain(server[0]), server[1]), (_plain(client[0]), client[1])
    sockets = list(_sockets())
    found = {one.user for one in sockets if (one.local, one.remote) == (at, back)}
    listening = _owner_of(sockets, *at) if found else None
    return found | ({listening} if listening is not None else set())


def _sockets() -> Iterator[_Socket]:
    """Yield the TCP sockets of this machine; none if the kernel does not list them."""
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            # Addresses and ports in hex, then the state; the eighth field is the user id.
            yield _Socket(_end(fields[1]), _end(fields[2]), fields[3], int(fields[7]))


def _end(text: str) -> tuple[Address, int]:
    at, _, port = text.rpartition(":")
    return _address(at), int(port, 16)


def _address(text: str) -> Address:
    """Read an address as the kernel writes it: 32-bit words, each in the byte order of this machine."""
    words = [bytes.fromhex(text[start : start + 8]) for start in range(0, len(text), 8)]
    if sys.byteorder == "little":
        words = [word[::-1] for word in words]
    return _plain(str(ipaddress.ip_address(b"".join(words))))
