# SPDX-License-Identifier: Apache-2.0
"""A possible secret and its position, and the best of those that overlap.

INVARIANT: a candidate holds a secret, so it stays inside this room, and its `repr` does not show the value.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible secret. `start` and `end` are byte positions; `value` is what is left after decoding."""

    rule: str
    type: str
    start: int
    end: int
    value: bytes = field(repr=False)
    confidence: float
    user: str = field(default="", repr=False)
    target: str = field(default="", repr=False)

    def moved(self, start: int, end: int, *, less: float = 0.0) -> Candidate:
        """Return the same secret at another position, with so much less confidence."""
        return replace(self, start=start, end=end, confidence=self.confidence - less)


def best(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return the candidates that overlap no better one, in order of position.

    Of two that overlap, the one with more confidence wins, then the longer one; it takes user and target from
    the other if it has none.
    """
    kept: list[Candidate] = []
    for one in sorted(candidates, key=lambda c: (c.start, c.end)):
        if not kept or kept[-1].end <= one.start:
            kept.append(one)
            continue
        last = kept[-1]
        better, other = (
            (one, last)
            if (one.confidence, one.end - one.start) > (last.confidence, last.end - last.start)
            else (last, one)
        )
        kept[-1] = replace(better, user=better.user or other.user, target=better.target or other.target)
    return kept
