# SPDX-License-Identifier: Apache-2.0
"""Whether this user could do what remit can: then nothing in it is safe from what this user runs."""

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

#: The state of a socket that listens, as the kernel writes it.
_LISTEN: Final = "0A"
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: What stands for every address of a family.
_ALL: Final[dict[int, Address]] = {4: ipaddress.IPv4Address("0.0.0.0"), 6: ipaddress.IPv6Address("::")}  # noqa: S104 - compared, not bound


class _Socket(NamedTuple):
    """A socket as the kernel lists it."""

    local: tuple[Address, int]
    remote: tuple[Address, int]
    state: str
    user: int


def isolation(base_url: str) -> tuple[str, str]:
    """Return the isolation between this user and the remit at an address, and why.

    `none`: it runs on this machine as this user, who can read its keys and change its store. `user`: it runs
    here as another user. `host`: it runs elsewhere. Empty where that cannot be told. What stands before it (a
    proxy of another user or machine) is taken for it.
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
    """Return what a name or an address stands for; nothing where that is not known."""
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


def _owner_of(sockets: Iterable[_Socket], address: Address, port: int) -> int | None:
    """Return the user id of whoever listens at an address of this machine, where the kernel tells (Linux)."""
    users = {one.local[0]: one.user for one in sockets if one.state == _LISTEN and one.local[1] == port}
    # As the kernel finds who listens: at the very address, then at all of its family. A socket at `::` may
    # take IPv4 as well; it gets what no socket at `0.0.0.0` takes.
    places = (address, _ALL[address.version], _ALL[6])
    return next((users[place] for place in places if place in users), None)


def owners(server: tuple[str, int], client: tuple[str, int]) -> set[int]:
    """Return the user ids that hold the other end of a connection of this machine to itself: whose that end
    is, and who listens there. None where the other end is elsewhere, or the kernel does not tell.

    An end that nobody has accepted yet is nobody's, which reads as root's: it lives as long as its listener,
    who is asked for as well.
    """
    at, back = (_plain(server[0]), server[1]), (_plain(client[0]), client[1])
    sockets = list(_sockets())
    found = {one.user for one in sockets if (one.local, one.remote) == (at, back)}
    listening = _owner_of(sockets, *at) if found else None
    return found | ({listening} if listening is not None else set())


def _sockets() -> Iterator[_Socket]:
    """Yield the TCP sockets of this machine; none where the kernel does not list them."""
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            # Addresses and ports in hex, then the state; the eighth field is the user.
            yield _Socket(_end(fields[1]), _end(fields[2]), fields[3], int(fields[7]))


def _end(text: str) -> tuple[Address, int]:
    at, _, port = text.rpartition(":")
    return _address(at), int(port, 16)


def _address(text: str) -> Address:
    """Read an address as the kernel writes it: words of 32 bits, each in this machine's order of bytes."""
    words = [bytes.fromhex(text[start : start + 8]) for start in range(0, len(text), 8)]
    if sys.byteorder == "little":
        words = [word[::-1] for word in words]
    return _plain(str(ipaddress.ip_address(b"".join(words))))
