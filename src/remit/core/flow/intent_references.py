# SPDX-License-Identifier: Apache-2.0
"""Pointing: how the intent leads to the place of a value that is not known to be trusted."""

from __future__ import annotations

import msgspec

from remit.core.flow.justification import Encounter, Justification, Provenance, Reach
from remit.core.flow.language.tool_verbs import asking
from remit.core.flow.language.word_forms import words_of
from remit.core.flow.memory import RECORD_MASK
from remit.core.flow.records.naming import is_below
from remit.core.flow.records.people_fields import Name, is_of_sender
from remit.core.flow.stated_values import leads_out
from remit.core.flow.untrusted_values import TaskMemory
from remit.core.flow.values.destination import Destination
from remit.core.flow.values.kinds import KindOfValue
from remit.core.flow.values.strict_reading import ExactValue
from remit.core.label import Trust
from remit.core.tools.tool import Tool

_BY_OTHERS = Provenance.UNTRUSTED
#: INVARIANT: a link of a named source may be read without a question, so all links there are candidates.
_LINKS = (KindOfValue.URL, KindOfValue.HOST)


def pointed(
    index: TaskMemory,
    spots: tuple[int, ...],
    mention: int | None,
    found: Destination,
    used: ExactValue,
    origins: tuple[Encounter, ...],
    tool: Tool | None,
    name: str,
) -> Justification:
    """Return the justification of an untrusted value: which source that the intent points to holds it, if
    any.

    Where a value leads outside, mere words of a source do not count as near.
    """
    where = source_of(index, spots, found, used, tool, name)
    if not where.sources and mention is not None:
        plain = not leads_out(tool, name) and " ".join(words_of(used.normal)) == used.normal
        call = index.kept.places[mention].met.call
        if (reach := index.naming.best(call)) is not Reach.NONE:
            where = Justification(
                _BY_OTHERS,
                None,
                (),
                Reach.MENTIONED,
                frozenset((call,)),
                1,
                near=plain and reach is Reach.NAMED,
                free=True,
            )
    return msgspec.structs.replace(where, origins=origins, mentioned=mention is not None)


class _Found(msgspec.Struct, frozen=True):
    """A place in a source that the intent points to.

    `count` is the number of values of which the intent chooses this one; `alone`: no other address of its
    kind is in the prose of the source.
    """

    reach: Reach
    structured: bool
    count: int
    call: int
    near: bool
    records: frozenset[int]
    alone: bool

    @property
    def rank(self) -> tuple[Reach, bool, int]:
        """The order of places: the best is the greatest."""
        return self.reach, self.structured, -self.count


def source_of(
    index: TaskMemory,
    spots: tuple[int, ...],
    found: Destination,
    used: ExactValue,
    tool: Tool | None,
    name: str,
) -> Justification:
    """Return how the intent leads to the places of a value, and how many similar values are there.

    All places that are as good as the best one are sources.
    """
    places = [_found_at(index, one, found, used, tool, name) for one in spots if _leads(index, one)]
    hinted = not places
    if hinted:
        led = [one for one in spots if _is_hinted(index, one, tool, name)]
        places = [_found_at(index, one, found, used, tool, name) for one in led]
        places = [one for one in places if one.structured]
    if not places:
        return Justification(_BY_OTHERS)
    rank = max(one.rank for one in places)
    best = [one for one in places if one.rank == rank]
    # A search may show only a part of the text that another call shows in full.
    described = not rank[1] and all(one.alone for one in places)
    return Justification(
        _BY_OTHERS,
        reach=rank[0],
        sources=frozenset(one.call for one in best),
        candidates=1 if described and found.kind not in _LINKS else best[0].count,
        near=any(one.near for one in best),
        structured=rank[1],
        free=not (rank[1] or described),
        records=frozenset().union(*(one.records for one in best)),
        hinted=hinted,
    )


def _leads(index: TaskMemory, spot: int) -> bool:
    """Return whether the intent leads to a place; not to the prose of a record read as one of many."""
    record, trust = spot & RECORD_MASK, index.kept.trust(spot)
    led = index.naming.reach(record) is not Reach.NONE
    return led and (trust is Trust.TRUSTED or not index.naming.read_as_one(record))


def _is_hinted(index: TaskMemory, spot: int, tool: Tool | None, name: str) -> bool:
    """Return whether a hint leads to a place: to what no outsider writes, or into an object of that name.

    No hint leads to a payee.
    """
    hint = index.naming.hint(spot & RECORD_MASK)
    if hint is None or tool is None or (tool.financial and leads_out(tool, name)):
        return False
    path = index.kept.place_of(spot).met.field
    return index.kept.trust(spot) is Trust.TRUSTED or any(is_below(path, one) for one in hint.named)


def _found_at(
    index: TaskMemory, spot: int, found: Destination, used: ExactValue, tool: Tool | None, name: str
) -> _Found:
    naming, record, place = index.naming, spot & RECORD_MASK, index.kept.place_of(spot)
    path, field = place.met.field, place.met.trust is Trust.TRUSTED
    value = index.kept.digest_exact(used)
    values = naming.structured(record, path, value)
    if field:
        count = naming.choice(record, path)
    elif values and found.kind not in _LINKS:
        chosen = len(values) == 1 or _is_chosen(index, values[value], path, tool)
        count = 1 if chosen else len(values)
    else:
        count = naming.candidates(record, found.kind, path)
    return _Found(
        Reach.POINTED if field else Reach.MENTIONED,
        bool(values),
        max(count, 1),
        place.met.call,
        naming.reach(record) is Reach.NAMED,
        naming.ids(record),
        not values and leads_out(tool, name) and _is_described(index, record, found.kind),
    )


def _is_chosen(index: TaskMemory, names: tuple[Name, ...], path: str, tool: Tool | None) -> bool:
    """Return whether a name that chooses a value is in words that may ask for what the tool does."""
    said = index.statement.utterance
    return any(
        tool is None or said.asks_for(form, asking(tool)) is not False
        for one in names
        for form in said.people.said(one, of_sender=is_of_sender(path))
    )


def _is_described(index: TaskMemory, record: int, kind: KindOfValue) -> bool:
    """Return whether the words describe a person or link in a source that shows only one.

    `Their new engineer` means the one address that is in the text of the named mail.
    """
    link = kind in _LINKS
    people = index.statement.utterance.people
    return (
        (link or kind in (KindOfValue.EMAIL, KindOfValue.PHONE))
        and index.naming.in_prose(record, kind) == 1
        and people.describes(index.naming.found_by(record), link=link)
    )


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
