# SPDX-License-Identifier: Apache-2.0
"""Where requests come from, as far as bounds go: whoever has many addresses is one place, and a server in
front of remit is none.

INVARIANT: what a header says counts for bounds alone. Who calls, and what is told of it, is decided by the
connection and by what was proven.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, Final

#: Where the scope of a request holds its place.
PLACE: Final = "remit.place"
#: Servers that a request may have come through, one after the other.
MAX_HOPS: Final = 8

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """The servers in front of remit whose word is taken on where a request comes from."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Take addresses or networks; raises `ValueError` for what is neither."""
        self._networks = [ipaddress.ip_network(one) for one in networks]

    def place(self, client: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return the place that a request comes from: the nearest address that is no proxy's.

        In `X-Forwarded-For` among the headers each server names the one before it.
        """
        if not self._networks:
            return place_of(client)
        told = [value for name, value in headers if name == b"x-forwarded-for"]
        hops = b",".join(told).decode("latin-1").split(",")
        for hop in reversed(hops[-MAX_HOPS:]):
            if not self._is_one(client):
                break
            named = _address(hop.strip())
            if named is None:
                break
            client = str(named)
        return place_of(client)

    def _is_one(self, client: str) -> bool:
        address = _address(client)
        return address is not None and any(address in network for network in self._networks)


def seen_from(scope: Mapping[str, Any]) -> str:
    """Return the place that a request comes from; that of its connection where nobody has said."""
    told = scope.get(PLACE)
    if told is not None:
        return str(told)
    client = scope.get("client")
    return place_of(client[0] if client else "")


def place_of(host: str) -> str:
    """Return what the addresses of one caller have in common: of IPv6 the network, with 2**64 of them."""
    address = _address(host) if ":" in host else None
    if not isinstance(address, ipaddress.IPv6Address):
        return host if address is None else str(address)
    return str(ipaddress.IPv6Network((address.packed[:8] + bytes(8), 64)))


def _address(text: str) -> Address | None:
    """Return an address; an IPv4 address that is written as one of IPv6 is that IPv4 address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
