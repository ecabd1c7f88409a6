# SPDX-License-Identifier: Apache-2.0
"""Pruned events: their text is gone, their hashes stay, and a signed event (`log.pruned`) names each of them.

A *span* is a pair of indexes: the first event, and the one after the last. Spans in a list are in order and
do not touch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from remit.core.evidence.event import EventKind
from remit.core.json_value import Json

Span = tuple[int, int]

#: No younger event is pruned, whatever is configured: a call that was just refused cannot vanish.
LEAST_AGE: Final = timedelta(days=30)
#: What verification and restores rest on stays.
NEVER_PRUNED: Final = frozenset(
    one.value
    for one in (
        EventKind.LOG_PRUNED,
        EventKind.KEY_ROTATED,
        EventKind.LOG_RESTORED,
        EventKind.LOSS_ACCEPTED,
        EventKind.SUBJECT_FORGOTTEN,
    )
)


class PruneClaim(msgspec.Struct, frozen=True, kw_only=True):
    """What a `log.pruned` event says: `event` is its index, `at` its time, `before` the time before which
    the pruned events were. `by` is empty where it is not disclosed.
    """

    event: int
    at: str
    before: str
    spans: tuple[Span, ...]
    events: int
    without_export: bool = False
    reason: str = ""
    by: str = ""


class _Facts(msgspec.Struct, frozen=True):
    ranges: tuple[Span, ...]
    before: datetime
    events: int
    without_export: bool = False
    reason: str = ""


def claim_of(index: int, at: str, facts: Mapping[str, Json], by: str = "") -> PruneClaim:
    """Return the claim of event `index`; raise `ValueError` for one that no prune makes."""
    said = msgspec.convert(facts, _Facts)
    end = 0
    for first, before in said.ranges:
        if not end <= first < before <= index:
            raise ValueError("it names events in no order, or events after it")
        end = before
    if sum(before - first for first, before in said.ranges) != said.events:
        raise ValueError("it counts other events than it names")
    if datetime.fromisoformat(at) - said.before < LEAST_AGE:
        raise ValueError(f"it prunes events that are younger than {LEAST_AGE.days} days")
    return PruneClaim(
        event=index,
        at=at,
        before=str(facts["before"]),
        spans=said.ranges,
        events=said.events,
        without_export=said.without_export,
        reason=said.reason,
        by=by,
    )


def add_span(spans: list[Span], first: int, before: int) -> None:
    """Append a span, which begins at the end of the last one or after it."""
    if spans and spans[-1][1] == first:
        spans[-1] = (spans[-1][0], before)
    else:
        spans.append((first, before))


def spans_of(indexes: Iterable[int]) -> list[Span]:
    """Return the spans of indexes in order."""
    spans: list[Span] = []
    for index in indexes:
        add_span(spans, index, index + 1)
    return spans


def joined(claims: Iterable[PruneClaim]) -> list[Span]:
    """Return all spans that the claims name; raise `ValueError` where two name the same event."""
    spans: list[Span] = []
    for first, before in sorted(span for claim in claims for span in claim.spans):
        if spans and first < spans[-1][1]:
            raise ValueError(f"event {first} was pruned twice")
        add_span(spans, first, before)
    return spans


def without(spans: Iterable[Span], others: list[Span]) -> list[Span]:
    """Return the parts of `spans` that are in none of the others."""
    left: list[Span] = []
    at = 0
    for first, before in spans:
        while at < len(others) and others[at][1] <= first:
            at += 1
        place, ahead = first, at
        while place < before and ahead < len(others) and others[ahead][0] < before:
            if place < others[ahead][0]:
                left.append((place, others[ahead][0]))
            place = max(place, others[ahead][1])
            ahead += 1
        if place < before:
            left.append((place, before))
    return left
