# SPDX-License-Identifier: Apache-2.0
"""Pointing: how the intent leads to the place of a value that is not known to be trusted."""

from __future__ import annotations

import msgspec

from remit.core.flow.justification import Encounter, Justification, Provenance, Reach
from remit.core.flow.language.tool_verbs import asking
from remit.core.flow.language.word_forms import stem, words_of
from remit.core.flow.memory import RECORD_MASK
from remit.core.flow.records.naming import is_below
from remit.core.flow.records.people_fields import Name, is_of_sender
from remit.core.flow.stated_values import leads_out
from remit.core.flow.untrusted_values import TaskMemory
from remit.core.flow.values.destination import Destination
from remit.core.flow.values.file_names import is_file_name
from remit.core.flow.values.kinds import LINKS, KindOfValue
from remit.core.flow.values.strict_reading import ExactValue
from remit.core.label import Trust
from remit.core.tools.tool import Effect, Tool

_BY_OTHERS = Provenance.UNTRUSTED


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
    # The one record that the words name is not closed by their picks elsewhere.
    named = bool(where.sources) and where.near and where.structured
    closed = not named and leads_out(tool, name) and contradicts(index, spots, used, tool, name)
    if not where.sources and mention is not None:
        plain = not leads_out(tool, name) and " ".join(words_of(used.normal)) == used.normal
        met = index.kept.places[mention].met
        call = met.call
        if (reach := index.naming.best(call)) is not Reach.NONE:
            where = Justification(
                _BY_OTHERS,
                None,
                (),
                Reach.MENTIONED,
                frozenset((call,)),
                1,
                near=plain and reach is Reach.NAMED,
                free=not (
                    index.naming.hands_over(call, met.field, firmly=True)
                    or (leads_out(tool, name) and _is_in_asked_file(index, call, tool))
                ),
            )
    return msgspec.structs.replace(
        where, origins=origins, mentioned=mention is not None, closed=where.closed or closed
    )


class _Found(msgspec.Struct, frozen=True):
    """A place in a source that the intent points to.

    `count` is the number of values of which the intent chooses this one; `alone`: no other address of its
    kind is in the prose of the source; `handed`: the intent delegates to the text; `unaddressed`: the words
    send something to a name that is not the value's.
    """

    reach: Reach
    structured: bool
    count: int
    call: int
    near: bool
    records: frozenset[int]
    alone: bool
    handed: bool
    unaddressed: bool

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
    places = [
        _found_at(index, one, found, used, tool, name)
        for one in spots
        if _leads(index, one, used, out=leads_out(tool, name))
    ]
    hints: list[int] = []
    if not places:
        led = [(one, hint) for one in spots if (hint := _hint_to(index, one, tool, name)) is not None]
        by_hint = [(_found_at(index, one, found, used, tool, name), hint) for one, hint in led]
        places = [one for one, _ in by_hint if one.structured]
        hints = [hint for one, hint in by_hint if one.structured]
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
        candidates=1 if described and found.kind not in LINKS else best[0].count,
        near=any(one.near for one in best),
        structured=rank[1],
        free=not (rank[1] or described or all(one.handed for one in best)),
        closed=used.kind is KindOfValue.TEXT and all(one.unaddressed for one in best),
        records=frozenset().union(*(one.records for one in best)),
        hints=frozenset(hints),
    )


def _leads(index: TaskMemory, spot: int, used: ExactValue, *, out: bool) -> bool:
    """Return whether the intent leads to a place; not to the prose of a record read as one of many.

    A place to send to (`out`) that is an id must be in the object that the intent names: a word in the topic
    of a channel does not choose the channel.
    """
    naming, record, trust = index.naming, spot & RECORD_MASK, index.kept.trust(spot)
    if naming.reach(record) is Reach.NONE:
        return False
    if trust is not Trust.TRUSTED:
        return not naming.read_as_one(record)
    if not out or used.kind is not KindOfValue.TEXT:
        return True
    return bool(naming.beside(record, index.kept.place_of(spot).met.field))


def _hint_to(index: TaskMemory, spot: int, tool: Tool | None, name: str) -> int | None:
    """Return the hint that leads to a place: to what no outsider writes, or into an object of that name.

    No hint leads to a payee.
    """
    hint = index.naming.hint(spot & RECORD_MASK)
    if hint is None or tool is None or (tool.financial and leads_out(tool, name)):
        return None
    path, named = index.kept.place_of(spot).met.field, index.naming.hinted(hint).named
    led = index.kept.trust(spot) is Trust.TRUSTED or any(is_below(path, one) for one in named)
    return hint if led else None


def _found_at(
    index: TaskMemory, spot: int, found: Destination, used: ExactValue, tool: Tool | None, name: str
) -> _Found:
    naming, record, place = index.naming, spot & RECORD_MASK, index.kept.place_of(spot)
    path, field = place.met.field, place.met.trust is Trust.TRUSTED
    value = index.kept.digest_exact(used)
    values = naming.structured(record, path, value)
    if field:
        count = naming.choice(record, path)
    elif values and found.kind not in LINKS:
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
        not values and leads_out(tool, name) and _is_described(index, record, found.kind, tool),
        naming.hands_over(place.met.call, path, firmly=True),
        leads_out(tool, name) and _is_unaddressed(index, record, path, values.get(value, ()), tool),
    )


def _is_unaddressed(
    index: TaskMemory, record: int, path: str, names: tuple[Name, ...], tool: Tool | None
) -> bool:
    """Return whether the words ask for a call to names (`tell Lotte`) of which none is this value's."""
    if tool is None or tool.effect is Effect.NONE:
        return False
    said, by = index.statement.utterance, asking(tool)
    whom = [(name, form) for name, form in said.people.addressed() if said.asks_for(form, by)]
    own = frozenset(stem(word) for one in index.naming.names(record, path) for word in one.split())
    return bool(whom) and not any(
        name in names or any(stem(word) in own for word in form.split()) for name, form in whom
    )


def _is_chosen(index: TaskMemory, names: tuple[Name, ...], path: str, tool: Tool | None) -> bool:
    """Return whether a name that chooses a value is in words that may ask for what the tool does."""
    said = index.statement.utterance
    return any(
        tool is None or said.asks_for(form, asking(tool)) is not False
        for one in names
        for form in said.people.said(one, of_sender=is_of_sender(path))
    )


def _is_described(index: TaskMemory, record: int, kind: KindOfValue, tool: Tool | None) -> bool:
    """Return whether the words describe a person, link or account in a source that shows only one.

    `Their new engineer` means the one address that is in the text of the named mail, and `pay bill.txt` the
    one account in that file.
    """
    link = kind in LINKS
    people = index.statement.utterance.people
    found_by = index.naming.found_by(record)
    several = not link and people.describes(found_by, link=False, several=True)
    if index.naming.in_prose(record, kind, alone=several) != 1:
        return False
    if kind is KindOfValue.IBAN:
        return tool is not None and tool.financial and _asks_of_file(index, record, tool)
    person = kind in (KindOfValue.EMAIL, KindOfValue.PHONE)
    return (person and several) or ((person or link) and people.describes(found_by, link=link))


def _asks_of_file(index: TaskMemory, record: int, tool: Tool) -> bool:
    """Return whether the clause that names a record as a file asks for what a tool does."""
    clauses = index.statement.utterance.clauses
    return any(
        "." in one and is_file_name(one) and clauses.ask_beside(one, asking(tool))
        for one in index.naming.names(record)
    )


def _is_in_asked_file(index: TaskMemory, call: int, tool: Tool | None) -> bool:
    """Return whether a call read only a file, and the clause that names the file asks for what a tool does.

    `Update my address from address.txt` means the address in that file, which is no value of a known kind.
    Only for what can be undone inside.
    """
    base = index.naming.alone(call)
    inside = tool is not None and tool.effect is Effect.REVERSIBLE and tool.audience.name != "external"
    return inside and tool is not None and base is not None and _asks_of_file(index, base, tool)


def contradicts(
    index: TaskMemory, spots: tuple[int, ...], used: ExactValue, tool: Tool | None, name: str
) -> bool:
    """Return whether the intent picks other records than the records that hold a trusted value."""
    trusted = [one for one in spots if index.kept.trust(one) is Trust.TRUSTED]
    return bool(trusted) and all(_excluded(index, one, used, tool, name) for one in trusted)


def _excluded(index: TaskMemory, spot: int, used: ExactValue, tool: Tool | None, name: str) -> bool:
    met, selects = index.kept.place_of(spot).met, tool is not None and tool.selects(name)
    record, place = spot & RECORD_MASK, leads_out(tool, name) and used.kind is KindOfValue.TEXT
    if place and _is_meant_elsewhere(index, met.call, record, met.field, used, tool, name):
        return True
    picked = index.naming.picked(met.call, record, met.field if place else "", selects=selects)
    if tool is not None and picked is None and selects:
        return _is_other_title(index, met.call, record, tool)
    if not picked or tool is None:
        return picked is not None
    # A remark about one record (`Ms Wolters can give a talk`) limits no request that concerns many.
    said, by = index.statement.utterance, asking(tool)
    return not (said.asks_of_many(by) and all(said.clauses.only_tell(one, by) for one in picked))


def is_among(index: TaskMemory, spots: tuple[int, ...]) -> bool:
    """Return whether a value is trusted only as a field of one of several items."""
    trusted = [one for one in spots if index.kept.trust(one) is Trust.TRUSTED]
    return bool(trusted) and all(
        index.naming.is_one_of_many(index.kept.place_of(one).met.call, one & RECORD_MASK) for one in trusted
    )


def _is_other_title(index: TaskMemory, call: int, record: int, tool: Tool) -> bool:
    """Return whether the clause that asks for what a tool does holds words of titles, none of this record's.

    `Cancel the tent order` does not mean the order of a kettle beside it.
    """
    said, by = index.statement.utterance, asking(tool)
    if tool.effect is Effect.NONE or index.naming.reach(record) is not Reach.NONE:
        return False
    words = said.spelt(index.naming.hints_elsewhere(call, record))
    one = said.clauses.mean_one(by) or any(said.clauses.ask_beside(word, by) for word in words)
    return bool(words) and one and not said.asks_of_many(by)


def _is_meant_elsewhere(
    index: TaskMemory, call: int, record: int, path: str, used: ExactValue, tool: Tool | None, name: str
) -> bool:
    """Return whether the words mean another place of a result by its name, and this one by no name.

    In `share the harbour plan with the tech channel` the harbour in a channel's purpose is no recipient.
    """
    meant, names = index.statement.meant, index.naming.names(record, path)
    if tool is None or tool.effect is Effect.NONE or meant(names, used, tool, name):
        return False
    others = (index.naming.picked_words(call) - names) if names else frozenset[str]()
    return any(meant(frozenset((one,)), used, tool, name) for one in others)
