# SPDX-License-Identifier: Apache-2.0
"""Pointing: how the intent leads to the place of a value that is not known to be trusted."""

from __future__ import annotations

import msgspec

from remit.core.flow.justification import Encounter, Justification, Provenance, Reach
from remit.core.flow.language.tool_verbs import asking
from remit.core.flow.language.word_forms import words_of
from remit.core.flow.memory import RECORD_MASK
from remit.core.flow.untrusted_values import TaskMemory
from remit.core.flow.values.destination import Destination
from remit.core.flow.values.strict_reading import ExactValue
from remit.core.label import Trust
from remit.core.tools.tool import Tool

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
        if not field and index.naming.read_as_one(record):
            continue
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


def contradicts(index: TaskMemory, spots: tuple[int, ...], tool: Tool | None, name: str) -> bool:
    """Return whether the intent picks other records than the records that hold a trusted value."""
    trusted = [one for one in spots if index.kept.trust(one) is Trust.TRUSTED]
    return bool(trusted) and all(_excluded(index, one, tool, name) for one in trusted)


def _excluded(index: TaskMemory, spot: int, tool: Tool | None, name: str) -> bool:
    call, selects = index.kept.place_of(spot).met.call, tool is not None and tool.selects(name)
    picked = index.naming.picked(call, spot & RECORD_MASK, selects=selects)
    if not picked or tool is None:
        return picked is not None
    # A remark about one record (`Ms Wolters can give a talk`) limits no request that concerns many.
    said, by = index.statement.utterance, asking(tool)
    return not (said.asks_of_many(by) and all(said.clauses.only_tell(one, by) for one in picked))
