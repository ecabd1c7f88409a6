# SPDX-License-Identifier: Apache-2.0
"""Personal arguments: whether a value selects a record of the person that the task serves.

A value does if a typed parameter states it, if the person's words state it, or if it is in a trusted field,
one that leads on, of a record that belongs to that person (`core.flow.records.persons`) or that the intent
names. How many such values there are does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

import msgspec

from remit.core.flow.arguments.argument_walk import is_long, walk
from remit.core.flow.justification import Justification, Provenance, Reach
from remit.core.flow.memory import RECORD_MASK
from remit.core.flow.records.lookup import MAX_NAME
from remit.core.flow.records.persons import Belonging, KeyOrigin, Persons, kind_of
from remit.core.flow.untrusted_values import TaskMemory
from remit.core.flow.values.strict_reading import exact
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.tool import Tool

MAX_VALUES = 200
"""Values of one argument that are compared with records; an argument with more belongs to no person."""
_NOT, _WORDS, _PARAMETER = Belonging.NOT, Belonging.WORDS, Belonging.PARAMETER


class PersonalMemory(TaskMemory, Protocol):
    """The memory of a task that knows whose records it has met."""

    @property
    def persons(self) -> Persons:
        """The owners of results."""

    @property
    def above(self) -> PersonalMemory | None:
        """The memory of the task that delegated this one."""

    def judge_one(self, text: str, tool: Tool | None, name: str) -> Justification:
        """Return where a single text came from."""


class Claim(msgspec.Struct, frozen=True):
    """How a value belongs to the person, the kinds of keys that led there, and its justification."""

    belonging: Belonging
    chain: frozenset[frozenset[str]] = frozenset()
    justification: Justification | None = None


_NO_CLAIM = Claim(_NOT)


def names_person(index: PersonalMemory) -> bool:
    """Return whether a typed parameter names the person that the task serves."""
    return index.persons.given or (index.above is not None and names_person(index.above))


def claimed(index: PersonalMemory, parts: Mapping[str, Json], tool: Tool, name: str) -> Claim:
    """Return how an argument's value belongs to the person; of several values the least.

    `parts` are all arguments of the call.
    """
    value = parts[name]
    beside = frozenset(one for one in parts.values() if isinstance(one, str) and len(one) <= MAX_NAME)
    worst: Claim | None = None
    for count, text in enumerate(walk(value, tool, name)):
        if text is None:
            continue
        if count >= MAX_VALUES or is_long(text):
            return _NO_CLAIM
        one = _of_text(index, text, tool, name, beside)
        if worst is None or one.belonging < worst.belonging:
            worst = msgspec.structs.replace(one, chain=one.chain | (worst.chain if worst else frozenset()))
    return worst or _NO_CLAIM


def personal(
    index: PersonalMemory, parts: Mapping[str, Json], tool: Tool, name: str, one: Justification
) -> Justification:
    """Return the justification of a personal argument; `one` is the argument's own.

    It is reached exactly where the value belongs to the person.
    """
    claim = claimed(index, parts, tool, name)
    if claim.belonging is _NOT:
        # INVARIANT: a field that leads to no one does not reach, though it is the only one of its kind.
        return msgspec.structs.replace(one, reach=min(one.reach, Reach.POINTED)) if one.reached else one
    found = one if one.reached or claim.justification is None else claim.justification
    return msgspec.structs.replace(found, parameter=claim.belonging is _PARAMETER)


def selected(one: Justification, person: Justification) -> Justification:
    """Return the justification of a selector whose value is one of several in the person's own records.

    The person has not picked it, but it comes from a source that the intent or a parameter points to.
    """
    if one.reached or not (person.reached and person.sources):
        return one
    return msgspec.structs.replace(
        one,
        reach=max(one.reach, Reach.POINTED),
        sources=person.sources,
        candidates=max(one.candidates, 1),
        near=True,
        closed=False,
    )


def origins_of(index: PersonalMemory, tool: Tool, arguments: Mapping[str, Json]) -> dict[str, KeyOrigin]:
    """Return how each argument of a call belongs to the person."""
    out = {}
    for name in arguments:
        claim = claimed(index, arguments, tool, name)
        out[name] = KeyOrigin(claim.belonging, claim.chain)
    return out


def _of_text(index: PersonalMemory, text: str, tool: Tool, name: str, beside: AbstractSet[str]) -> Claim:
    parameter, how = _stated(index, text, name, beside)
    if how is _PARAMETER:
        # An argument that takes any key (`id`) is of the parameter's kind.
        return Claim(_PARAMETER, frozenset() if kind_of(name) else frozenset({kind_of(parameter)}))
    led = _led(index, text, tool, name)
    if led.belonging is _PARAMETER:
        return led
    if how is not _NOT:
        return Claim(how, justification=index.judge_one(text, tool, name))
    own = index.judge_one(text, tool, name)
    if own.reached and own.provenance is Provenance.INTENT:
        return Claim(_WORDS, justification=own)
    return led


def _stated(index: PersonalMemory, text: str, name: str, beside: AbstractSet[str]) -> tuple[str, Belonging]:
    """Return the parameter that states a text, of this task or of one that delegated it, and how it does."""
    own = index.persons.states(text, name, beside)
    if own[1] is _PARAMETER or index.above is None:
        return own
    return max(own, _stated(index.above, text, name, beside), key=lambda one: one[1])


def _led(index: PersonalMemory, text: str, tool: Tool, name: str) -> Claim:
    """Return the best claim by a record that holds the text, here or in the task that delegated this one."""
    best = _NO_CLAIM if index.above is None else _led(index.above, text, tool, name)
    used = exact(text)
    for spot in () if index.full else index.kept.exact_spots(used):
        place, record = index.kept.place_of(spot), spot & RECORD_MASK
        if place.met.trust is Trust.UNTRUSTED:
            continue
        belonging = index.persons.belonging(place.met.call, record)
        if belonging is _NOT and _named(index, record, place.met.call):
            belonging = _WORDS
        if belonging <= best.belonging or index.persons.repeats(place.met.call, text):
            continue
        if index.persons.leads(place.met.call, place.tool, place.met.field, name, used.normal):
            found = Justification(
                Provenance.TRUSTED, None, (place.met,), Reach.NAMED, frozenset({place.met.call}), 1, near=True
            )
            best = Claim(belonging, index.persons.chain(place.met.call), found)
    return best


def _named(index: PersonalMemory, record: int, call: int) -> bool:
    """Return whether the intent names a record, or everything that the call returned."""
    naming = index.naming
    return naming.reach(record) is Reach.NAMED and (not naming.collected(record) or naming.many(call))
