# SPDX-License-Identifier: Apache-2.0
"""Sightings: the places where a key, a token or an identity was used, and its use in two places at once.

One place after another is a restart, a move or a new address. A return to the first place, after the second
and within a short time, means that both are in use, and is reported. Use from two places that never
alternate, or from one place only, is not reported.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

#: Things followed at once; the least recently seen is dropped.
MAX_FOLLOWED = 20_000
#: Places remembered for each thing.
MAX_PLACES = 4


class IdentityTrail:
    """Follows things from place to place, in bounded memory. Times are seconds that never decrease."""

    def __init__(self, window_s: float, most: int = MAX_FOLLOWED) -> None:
        """Set the window: both places count as in use if the first was seen at most `window_s` seconds
        ago.
        """
        self._window_s = window_s
        self._most = most
        self._seen: OrderedDict[str, list[tuple[str, float]]] = OrderedDict()

    def see(self, what: str, place: str, now_s: float) -> str:
        """Record that `what` was seen at `place`; return the other place that is also in use, or an empty
        text.
        """
        places = self._seen.get(what)
        if places is not None and places[-1][0] == place:
            places[-1] = (place, now_s)
            return ""
        if places is None:
            self._seen[what] = [(place, now_s)]
            if len(self._seen) > self._most:
                self._seen.popitem(last=False)
            return ""
        self._seen.move_to_end(what)
        other = ""
        for number, (known, last_s) in enumerate(places):
            if known == place:
                other = places[-1][0] if now_s - last_s <= self._window_s else ""
                del places[number]
                break
        places.append((place, now_s))
        del places[:-MAX_PLACES]
        return other


def place_of(instance: str, address: str) -> str:
    """Return the name of a place: the instance if known, else the address."""
    if instance:
        return f"instance {instance[:64]}"
    return f"address {_plain(address)}" if address else ""


def _plain(address: str) -> str:
    """Return an address in one form; all names of this machine become one place."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    plain = mapped or found
    return "loopback" if plain.is_loopback else str(plain)
