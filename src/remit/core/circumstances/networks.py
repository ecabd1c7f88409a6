# SPDX-License-Identifier: Apache-2.0
"""Network zones: named lists of networks, in which the sender of a call is found."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

from remit.core.circumstances.circumstances import UNKNOWN

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: remit sees IPv6 senders as networks of this length, so that one sender is one place.
LONGEST_IPV6 = 64


class Networks:
    """The network zones of the configuration."""

    def __init__(self, zones: Mapping[str, Iterable[str]] | None = None) -> None:
        """Take networks in CIDR notation, by zone; raises `ValueError` for any other text."""
        parts = [(network_of(text), name) for name, texts in (zones or {}).items() for text in texts]
        #: The narrowest network first.
        self._parts = sorted(parts, key=lambda one: -one[0].prefixlen)

    def zone_of(self, place: str) -> str:
        """Return the zone of an address or IPv6 network; `unknown` where it is in none."""
        if not self._parts or not place:
            return UNKNOWN
        try:
            of = ipaddress.ip_network(place)
        except ValueError:
            return UNKNOWN
        for network, name in self._parts:
            if network.version == of.version and of.subnet_of(network):  # type: ignore[arg-type]
                return name
        return UNKNOWN


def network_of(text: str) -> Network:
    """Return a network from its CIDR notation; raise `ValueError`."""
    network = ipaddress.ip_network(text)
    if network.version == 6 and network.prefixlen > LONGEST_IPV6:
        raise ValueError(f"an IPv6 network is at most a /{LONGEST_IPV6}")
    return network
