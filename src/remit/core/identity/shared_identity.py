# SPDX-License-Identifier: Apache-2.0
"""Sightings: the places where a key, a token or an identity was used, and its use in two places at once.

One place after another is a restart, a move or a new address. A return to the first place, after the second
and within a short time, means that both are in use, and is reported. Use from two places that never
alternate, or from one place only, is not reported.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from itertools import combinations

import msgspec

#: Things followed at once; the least recently seen is dropped.
MAX_FOLLOWED = 20_000
#: Places remembered for each thing.
MAX_PLACES = 4
#: Uses that one process remembers for the others and for after its restart, and those of one agent.
MAX_USES = 1_000
MAX_USES_EACH = 32
#: Seconds by which uses in two places overlap at least: the clocks of replicas differ a little.
OVERLAP_S = 10.0
#: The network of `::1`, as remit sees senders.
_LOOPBACK_V6 = "::/64"


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


class PlaceOfUse(msgspec.Struct):
    """The use of a key or token (`what`, of a `kind`) at one place: first and last time, in seconds since
    1970.
    """

    kind: str
    what: str
    about: str
    place: str
    first: float
    last: float


class PlacesOfUse:
    """The last uses that one process has seen, in bounded memory, for the store."""

    def __init__(self) -> None:
        """Begin without uses."""
        self._known: OrderedDict[tuple[str, str, str], PlaceOfUse] = OrderedDict()
        self._of: Counter[str] = Counter()
        self.changed = False

    def note(self, kind: str, what: str, about: str, place: str, now_s: float) -> None:
        """Note a use; from memory alone. An agent with too many displaces its own."""
        self.changed = True
        known = self._known.get((kind, what, place))
        if known is not None:
            known.last = max(known.last, now_s)
            self._known.move_to_end((kind, what, place))
            return
        self._known[kind, what, place] = PlaceOfUse(kind, what, about, place, now_s, now_s)
        self._of[about] += 1
        if self._of[about] > MAX_USES_EACH:
            self._drop(next(key for key, one in self._known.items() if one.about == about))
        if len(self._known) > MAX_USES:
            self._drop(next(iter(self._known)))

    def recent(self, since_s: float) -> list[PlaceOfUse]:
        """Return the uses since a time; forget the others, and that anything has changed."""
        self.changed = False
        for key in [key for key, one in self._known.items() if one.last < since_s]:
            self._drop(key)
        return list(self._known.values())

    def _drop(self, key: tuple[str, str, str]) -> None:
        gone = self._known.pop(key)
        self._of[gone.about] -= 1
        if not self._of[gone.about]:
            del self._of[gone.about]


def overlapping(uses: Iterable[PlaceOfUse], since_s: float) -> Iterator[tuple[PlaceOfUse, PlaceOfUse]]:
    """Yield pairs of uses of one thing in two places at once, one for each thing.

    Uses at one place are one use, whichever process saw them. One use after the other is a move.
    """
    by_thing: dict[tuple[str, str], dict[str, PlaceOfUse]] = {}
    for one in uses:
        if one.last < since_s:
            continue
        places = by_thing.setdefault((one.kind, one.what), {})
        before = places.get(one.place)
        places[one.place] = (
            one
            if before is None
            else msgspec.structs.replace(
                before, first=min(before.first, one.first), last=max(before.last, one.last)
            )
        )
    for places in by_thing.values():
        pairs = combinations(sorted(places.values(), key=lambda one: (one.first, one.place)), 2)
        if found := next(((a, b) for a, b in pairs if _overlap(a, b)), None):
            yield found


def _overlap(one: PlaceOfUse, other: PlaceOfUse) -> bool:
    return one.first + OVERLAP_S <= other.last and other.first + OVERLAP_S <= one.last


def place_of(instance: str, address: str) -> str:
    """Return the name of a place: the instance if known, else the address."""
    if instance:
        return f"instance {instance[:64]}"
    return f"address {_plain(address)}" if address else ""


def _plain(address: str) -> str:
    """Return an address in one form; all names of this machine become one place."""
    if address == _LOOPBACK_V6:
        return "loopback"
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    plain = mapped or found
    return "loopback" if plain.is_loopback else str(plain)
