# SPDX-License-Identifier: Apache-2.0
"""The place that a request comes from, as used for bounds.

A caller with many addresses is one place, and a server in front of remit is no place.

INVARIANT: the content of a header counts only where a trusted proxy has written it, and only for bounds, for
the network zone that policies read, and for findings about tokens that two places use. The caller's identity
depends on what was proven.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, Final

#: Key under which the scope of a request holds its place.
PLACE: Final = "remit.place"
#: Key under which it holds the trusted proxies.
PROXIES: Final = "remit.proxies"
#: Largest number of servers in a row that a request may have passed through.
MAX_HOPS: Final = 8

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """The servers in front of remit that are trusted to name the origin of a request."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Take addresses or networks; raises `ValueError` for any other text."""
        self._networks = [ipaddress.ip_network(one) for one in networks]

    def place(self, client: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return the place that a request comes from: the nearest address that is not a proxy's.

        In the header `X-Forwarded-For` each server names the one before it.
        """
        return place_of(self._nearest(client, headers))

    def sender(self, client: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return the place that a request comes from; empty where a proxy passes it on and names no address.

        INVARIANT: the address of a proxy is never taken for that of the senders behind it.
        """
        nearest = self._nearest(client, headers)
        return "" if self._is_one(nearest) else place_of(nearest)

    def _nearest(self, client: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        if not self._networks:
            return client
        told = [value for name, value in headers if name == b"x-forwarded-for"]
        hops = b",".join(told).decode("latin-1").split(",")
        for hop in reversed(hops[-MAX_HOPS:]):
            if not self._is_one(client):
                break
            named = _address(hop.strip())
            if named is None:
                break
            client = str(named)
        return client

    def _is_one(self, client: str) -> bool:
        address = _address(client)
        return address is not None and any(address in network for network in self._networks)


def seen_from(scope: Mapping[str, Any]) -> str:
    """Return the place that a request comes from; that of its connection where no header names one."""
    told = scope.get(PLACE)
    if told is not None:
        return str(told)
    client = scope.get("client")
    return place_of(client[0] if client else "")


def sender_of(scope: Mapping[str, Any]) -> str:
    """Return the place that a request comes from, also where another replica forwarded it to this one; empty
    where that is not known.

    Unlike `seen_from`, this is the sender that the first replica saw, never a replica.
    """
    client = scope.get("client")
    host = client[0] if client else ""
    proxies: Proxies | None = scope.get(PROXIES)
    return place_of(host) if proxies is None else proxies.sender(host, scope["headers"])


def place_of(host: str) -> str:
    """Return the part that one caller's addresses share: for IPv6 the network, with 2**64 addresses."""
    address = _address(host) if ":" in host else None
    if not isinstance(address, ipaddress.IPv6Address):
        return host if address is None else str(address)
    return str(ipaddress.IPv6Network((address.packed[:8] + bytes(8), 64)))


def _address(text: str) -> Address | None:
    """Return an address; an IPv4 address in IPv6 notation becomes that IPv4 address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
