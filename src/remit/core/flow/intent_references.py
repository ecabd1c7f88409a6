# SPDX-License-Identifier: Apache-2.0
"""Pointing: how the intent leads to the place of a value that is not known to be trusted."""

from __future__ import annotations

import msgspec

from remit.core.flow.justification import Encounter, Justification, Provenance, Reach
from remit.core.flow.language.word_forms import words_of
from remit.core.flow.memory import RECORD_MASK
from remit.core.flow.untrusted_values import TaskMemory
from remit.core.flow.values.destination import Destination
from remit.core.flow.values.strict_reading import ExactValue
from remit.core.label import Trust

_BY_OTHERS = Provenance.UNTRUSTED


def pointed(
    index: TaskMemory,
    spots: tuple[int, ...],
    mention: int | None,
    found: Destination,
    used: ExactValue,
    origins: tuple[Encounter, ...],
    *,
    in_full: bool,
) -> Justification:
    """Return the justification of an untrusted value: which source that the intent points to holds it, if
    any.

    Where a value must be in the source `in_full`, mere words of a source do not count as near.
    """
    where = source_of(index, spots, found)
    if not where.source and mention is not None:
        plain = not in_full and " ".join(words_of(used.normal)) == used.normal
        call = index.kept.places[mention].met.call
        if (reach := index.naming.best(call)) is not Reach.NONE:
            where = Justification(
                _BY_OTHERS, None, (), Reach.MENTIONED, call, 1, near=plain and reach is Reach.NAMED
            )
    return msgspec.structs.replace(where, origins=origins, mentioned=mention is not None)


def source_of(index: TaskMemory, spots: tuple[int, ...], found: Destination) -> Justification:
    """Return how the intent leads to the places of a value, and how many similar values are there."""
    best = Justification(_BY_OTHERS)
    for one in spots:
        record, place = one & RECORD_MASK, index.kept.place_of(one)
        led = index.naming.reach(record)
        if led is Reach.NONE:
            continue
        field = place.met.trust is Trust.TRUSTED
        reach = Reach.POINTED if field else Reach.MENTIONED
        count = (
            index.naming.choice(record, place.met.field)
            if field
            else index.naming.candidates(record, found.kind, place.met.field)
        )
        if (reach, -max(count, 1)) > (best.reach, -best.candidates):
            best = Justification(
                _BY_OTHERS,
                reach=reach,
                source=place.met.call,
                candidates=max(count, 1),
                near=led is Reach.NAMED,
            )
    return best


def contradicts(index: TaskMemory, spots: tuple[int, ...]) -> bool:
    """Return whether the intent picks other records than the records that hold a trusted value."""
    trusted = [one for one in spots if index.kept.trust(one) is Trust.TRUSTED]
    return bool(trusted) and all(
        index.naming.picked(index.kept.place_of(one).met.call)
        and index.naming.reach(one & RECORD_MASK) is Reach.NONE
        for one in trusted
    )
