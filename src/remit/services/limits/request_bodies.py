# SPDX-License-Identifier: Apache-2.0
"""Bodies of pending requests: their total memory is bounded, and no caller can take what others need.

A body counts from its first byte until its request is answered. A sender may hold as much as is left free:
one sender alone at most half of the total, two a third each, and so on. However many senders are greedy,
something is left for the next one. Senders who have not proven their identity share a quarter in the same
way, by address. The first bytes of each of their bodies do not count: behind a proxy all senders have one
address, and a request for a token is small.

For a known caller a body counts with its size in memory once parsed: JSON takes more in memory than on the
wire, in proportion to its commas and brackets. Small bodies are bounded by their number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from remit.core.errors import Busy

#: Key under which the scope of a request holds its `PendingBody`.
BODY: Final = "remit.body"
#: Approximate bytes that one value takes besides its text.
VALUE_BYTES: Final = 64
#: This many bytes of each stranger's body do not count for the stranger's address; a body up to this size
#: counts with its bytes alone.
SMALL: Final = 4_096
#: One byte in this many is reserved for all unknown senders together.
STRANGERS: Final = 4


class FairShare:
    """A number of bytes, of which each party may hold as many as stay free."""

    def __init__(self, most: int) -> None:
        """Begin with everything free."""
        self.most = most
        self.used = 0
        self._held: dict[str, int] = {}

    def take(self, party: str, size_bytes: int) -> bool:
        """Take bytes for a party; return `False`, and take nothing, where that is too much."""
        used = self.used + size_bytes
        held = self._held.get(party, 0) + size_bytes
        if held > self.most - used:
            return False
        self.used = used
        self._held[party] = held
        return True

    def give(self, party: str, size_bytes: int) -> None:
        """Return bytes that were taken."""
        self.used -= size_bytes
        left = self._held.pop(party, 0) - size_bytes
        if left:
            self._held[party] = left


class Bodies:
    """The bodies of pending requests at all endpoints of a process; for one event loop."""

    def __init__(self, most: int) -> None:
        """Begin without bodies; `most` is how many bytes they may take together."""
        self.all = FairShare(most)
        self.strangers = FairShare(most // STRANGERS)

    def begin(self, place: str) -> PendingBody:
        """Return an empty body for a request from a place."""
        return PendingBody(self, place)


class PendingBody:
    """One body: first a stranger's, later that of the identified caller."""

    __slots__ = ("_at_place", "_bodies", "_held", "_party", "_place", "_size", "_values")

    def __init__(self, bodies: Bodies, place: str) -> None:
        """Begin with an empty body."""
        self._bodies = bodies
        self._place = place
        self._party = ""
        self._size = self._values = self._held = self._at_place = 0

    def arrived(self, piece: bytes) -> None:
        """Count a piece that has arrived; raises `Busy` where it is too much."""
        self._size += len(piece)
        if self._size > SMALL:
            self._values += len(piece) - len(piece.translate(None, b",[{"))
        self._hold()

    def of(self, party: str) -> None:
        """Assign the body to a party; raises `Busy` where that party holds too much."""
        if party == self._party:
            return
        self.end()
        self._party = party
        if self._size:
            self._hold()

    def end(self) -> None:
        """Release the body's bytes: its request is answered."""
        held, at_place = self._held, self._at_place
        self._held = self._at_place = 0
        if held:
            self._bodies.all.give(self._party, held)
        if at_place:
            self._bodies.strangers.give(self._place, at_place)

    def _hold(self) -> None:
        """Hold as many bytes as the body takes by now."""
        if not self._party and (large := max(0, self._size - SMALL) - self._at_place):
            if not self._bodies.strangers.take(self._place, large):
                raise _too_much("of unauthenticated callers")
            # Returned at the end, also where there is no room for it below.
            self._at_place += large
        more = self._size + (self._values * VALUE_BYTES if self._party else 0) - self._held
        if not self._bodies.all.take(self._party, more):
            raise _too_much("of this caller" if self._party else "of all callers")
        self._held += more


def body_of(scope: Mapping[str, Any], party: str) -> None:
    """Assign the body of a scope's request to a party; raises `Busy` where that party holds too much."""
    body = scope.get(BODY)
    if body is not None:
        body.of(party)


def _too_much(whose: str) -> Busy:
    return Busy(
        f"too much data of requests {whose} is still in progress",
        code="bodies",
        remediation="wait for answers, and send less at once",
    )
