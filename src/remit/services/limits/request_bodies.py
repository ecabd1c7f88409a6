# SPDX-License-Identifier: Apache-2.0
"""Bodies of requests in hand: what all of them take together is bounded, and nobody takes what others need.

A body counts from its first byte until its request is answered. Whoever sends may hold as much as is left
free: one alone at most half of all, two a third each, and so on. However many are greedy, something is left
for who comes next. Those who have not shown who they are share a quarter in the same way, by address. The
first bytes of each of their bodies are free of that: behind a proxy all have one address, and who asks for a
token sends little.

Of a known caller a body counts for what it becomes when it is read: JSON takes more in memory than on the
wire, by its commas and brackets. Small ones are bounded by their number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from remit.core.errors import Busy

#: Where the scope of a request holds its `PendingBody`.
BODY: Final = "remit.body"
#: Bytes that one value takes beside its text, about.
VALUE_BYTES: Final = 64
#: So much of each body of a stranger does not count for their address, and a body that is no larger counts
#: for its bytes alone.
SMALL: Final = 4_096
#: One in so many bytes is for all those together who are not known.
STRANGERS: Final = 4


class FairShare:
    """So many bytes, of which each party may hold as many as stay free."""

    def __init__(self, most: int) -> None:
        """Begin with all of them free."""
        self.most = most
        self.used = 0
        self._held: dict[str, int] = {}

    def take(self, party: str, size_bytes: int) -> bool:
        """Take some for a party; `False` where that is too much, and nothing is taken then."""
        used = self.used + size_bytes
        held = self._held.get(party, 0) + size_bytes
        if held > self.most - used:
            return False
        self.used = used
        self._held[party] = held
        return True

    def give(self, party: str, size_bytes: int) -> None:
        """Give back what was taken."""
        self.used -= size_bytes
        left = self._held.pop(party, 0) - size_bytes
        if left:
            self._held[party] = left


class Bodies:
    """The bodies that are in hand at all doors of a process. For one event loop."""

    def __init__(self, most: int) -> None:
        """Begin with none; `most` is how many bytes they may take."""
        self.all = FairShare(most)
        self.strangers = FairShare(most // STRANGERS)

    def begin(self, place: str) -> PendingBody:
        """Return the body, still empty, of a request from a place."""
        return PendingBody(self, place)


class PendingBody:
    """One body: of a stranger at first, and of whoever it turns out to be."""

    __slots__ = ("_at_place", "_bodies", "_held", "_party", "_place", "_size", "_values")

    def __init__(self, bodies: Bodies, place: str) -> None:
        """Begin without a byte."""
        self._bodies = bodies
        self._place = place
        self._party = ""
        self._size = self._values = self._held = self._at_place = 0

    def arrived(self, piece: bytes) -> None:
        """Count a piece that has come; raises `Busy` where it is too much."""
        self._size += len(piece)
        if self._size > SMALL:
            self._values += len(piece) - len(piece.translate(None, b",[{"))
        self._hold()

    def of(self, party: str) -> None:
        """Say whose it is; raises `Busy` where they hold too much."""
        if party == self._party:
            return
        self.end()
        self._party = party
        if self._size:
            self._hold()

    def end(self) -> None:
        """It is in hand no more."""
        held, at_place = self._held, self._at_place
        self._held = self._at_place = 0
        if held:
            self._bodies.all.give(self._party, held)
        if at_place:
            self._bodies.strangers.give(self._place, at_place)

    def _hold(self) -> None:
        """Hold as much as it takes by now."""
        if not self._party and (large := max(0, self._size - SMALL) - self._at_place):
            if not self._bodies.strangers.take(self._place, large):
                raise _too_much("of unauthenticated callers")
            # Given back at the end, also where there is no room for it below.
            self._at_place += large
        more = self._size + (self._values * VALUE_BYTES if self._party else 0) - self._held
        if not self._bodies.all.take(self._party, more):
            raise _too_much("of this caller" if self._party else "of all callers")
        self._held += more


def body_of(scope: Mapping[str, Any], party: str) -> None:
    """Say of the request of a scope whose its body is; raises `Busy` where they hold too much."""
    body = scope.get(BODY)
    if body is not None:
        body.of(party)


def _too_much(whose: str) -> Busy:
    return Busy(
        f"too much data of requests {whose} is still in progress",
        code="bodies",
        remediation="wait for answers, and send less at once",
    )
