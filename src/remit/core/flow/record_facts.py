# SPDX-License-Identifier: Apache-2.0
"""Facts of the records that a call selects, as policies read them in `context.record`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

from remit.core.cooperative_steps import Steps
from remit.core.flow.arguments.argument_walk import is_long
from remit.core.flow.justification import Justification, leaves
from remit.core.flow.person_arguments import PersonalMemory, names_person
from remit.core.flow.records.facts import MAX_TEXT, RecordFacts
from remit.core.flow.records.lookup import Lookup
from remit.core.flow.records.record import ReadFact, Reading, ResultLeaf
from remit.core.flow.records.reference import NamingOfResult
from remit.core.flow.values.strict_reading import exact
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.tool import LEADING, Effect, Tool

_TRUSTED = Trust.TRUSTED


class FactMemory(PersonalMemory, Protocol):
    """The memory of a task that keeps facts of records."""

    @property
    def facts(self) -> RecordFacts:
        """The facts of records."""

    @property
    def above(self) -> FactMemory | None:
        """The memory of the task that delegated this one."""


def selected_facts(
    index: FactMemory,
    tool: Tool,
    parts: Mapping[str, Json],
    found: Mapping[str, Justification],
    people: Mapping[str, Justification],
) -> dict[str, Json]:
    """Return the facts of the record that a call selects, by what is `found` of its arguments.

    `people` is what is known of the personal ones as such.
    """
    if not index.facts and index.above is None:
        return {}
    return facts_of(index, tool, parts, _reached(found, people, given=names_person(index)))


def facts_of(
    index: FactMemory, tool: Tool, parts: Mapping[str, Json], reached: AbstractSet[str]
) -> dict[str, Json]:
    """Return the facts of the record that a call selects by its `reached` arguments."""
    if index.facts:
        keys = list(_keys(index, tool, {name: parts[name] for name in parts if name in reached}))
        if found := index.facts.of(keys):
            return found
    return facts_of(index.above, tool, parts, reached) if index.above is not None else {}


def _reached(
    found: Mapping[str, Justification], people: Mapping[str, Justification], *, given: bool
) -> frozenset[str]:
    """Return the arguments that select a reached record.

    Of personal ones those of the person; where a parameter names the person (`given`), words do not suffice.
    """
    return frozenset(
        name
        for name, one in found.items()
        if ((person := people.get(name)) is None and one.reached)
        or (person is not None and person.reached and (person.parameter or not given))
    )


def learn_facts(
    index: FactMemory,
    now: NamingOfResult,
    reading: Reading,
    lookup: Lookup,
    parts: Mapping[str, Json],
    marked: AbstractSet[int],
) -> Steps[None]:
    """Take in the facts of a result, and forget those that a call with an effect may have changed."""
    tool = lookup.tool
    changes = tool.effect is not Effect.NONE and bool(index.facts)
    if not (changes or reading.facts):
        return
    asked = frozenset(digest for _, digest in _keys(index, tool, parts))
    if changes:
        index.facts.forget(asked)
    switches = any(isinstance(one, bool) for one in parts.values())
    kept: list[ReadFact] = []
    for fact in reading.facts:
        text = fact.value if isinstance(fact.value, str) else str(fact.value)
        # A fact that repeats what the agent wrote proves nothing.
        if text in lookup.doubtful or (switches and isinstance(fact.value, bool)):
            continue
        leaf = ResultLeaf(fact.record, "", fact.name, text[: MAX_TEXT + 1], fact.label)
        trust = yield from lookup.trusting(leaf, marked)
        if trust is _TRUSTED:
            kept.append(fact)
    records = {fact.record for fact in kept}
    held = [
        (leaf, index.kept.digest_exact(exact(leaf.text)))
        for leaf in now.values
        if leaf.record in records and leaf.label.trust is _TRUSTED and len(leaf.text) <= MAX_TEXT
    ]
    index.facts.learn(now.call, tool, asked, kept, held)


def _keys(index: FactMemory, tool: Tool, parts: Mapping[str, Json]) -> Iterator[tuple[str, int]]:
    """Yield the arguments that select something, each with the digest of its value."""
    for name, value in parts.items():
        spec = tool.arguments.get(name)
        if spec is None or not (spec.personal or spec.role in LEADING) or isinstance(value, bool):
            continue
        for text in (value,) if isinstance(value, str) else leaves(value) if isinstance(value, int) else ():
            if not is_long(text):
                yield name, index.kept.digest_exact(exact(text))
