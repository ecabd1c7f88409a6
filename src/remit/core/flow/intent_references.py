# SPDX-License-Identifier: Apache-2.0
"""Pointing: how the intent leads to where a value stands that is not known to be trusted."""

from __future__ import annotations

import msgspec

from remit.core.flow.justification import Encounter, Justification, Provenance, Reach
from remit.core.flow.language.words import words_of
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
    """Say of an untrusted value in which source it stands that the intent points to, if in any. Words of
    a source are not near where a value must stand `in_full` in it.
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
    """Say how the intent leads to where a value stands, and how many like it stand there."""
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
            else index.naming.candidates(record, found.kind)
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
    """Whether the intent picks others of the records among which a trusted value stands."""
    trusted = [one for one in spots if index.kept.trust(one) is Trust.TRUSTED]
    return bool(trusted) and all(
        index.naming.picked(index.kept.place_of(one).met.call)
        and index.naming.reach(one & RECORD_MASK) is Reach.NONE
        for one in trusted
    )
