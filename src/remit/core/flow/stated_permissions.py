# SPDX-License-Identifier: Apache-2.0
"""Choices: arguments whose value is a power (`role: admin`, `public: true`, `two_step_sign_in: false`).

A value other than the least must be stated by the person, in words that ask for the call and for this object;
otherwise a person is asked. A power that only untrusted data mentions is refused. A choice that is left out
counts as the default of the pinned schema, so that leaving it out gains nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from remit.core.flow.argument_narrowing import absent
from remit.core.flow.arguments.argument_values import values_of
from remit.core.flow.justification import NOTHING, Justification, Provenance, Reach, Stated
from remit.core.flow.language.permissions import says_power
from remit.core.flow.language.tool_verbs import asking
from remit.core.flow.language.word_forms import name_stems, name_words
from remit.core.flow.provenance import Index
from remit.core.json_value import Json
from remit.core.tools.constraint.base import same
from remit.core.tools.tool import LEADING, Argument, ArgumentRole, Tool

MAX_CHOICES = 16
"""Most values of one argument that are looked for in the words; more are not stated."""


def chosen(
    index: Index, tool: Tool, arguments: dict[str, Json], found: dict[str, Justification]
) -> dict[str, list[Justification]]:
    """Return what is known of a call's choices beyond the least, and add it to what is `found` of each
    argument.
    """
    made = []
    for name, spec in tool.arguments.items():
        if spec.least and (powers := _powers(tool, spec, name, arguments)):
            objects = _objects(tool, arguments, found)
            every = [_judged(index, tool, name, one, objects) for one in islice(powers, MAX_CHOICES)]
            if len(powers) > MAX_CHOICES:
                every.append(NOTHING)
            whole = every[0]
            for one in every[1:]:
                whole = whole.join(one)
            found[name] = whole
            made.append(whole)
    return {"choice": made} if made else {}


def _powers(tool: Tool, spec: Argument, name: str, arguments: dict[str, Json]) -> list[Json]:
    """Return the values of a choice other than the least."""
    parts = tool.parts(arguments)
    value = parts.get(name)
    if absent(value) and name in parts and any(one is True for one in spec.least):
        # A server may take an empty value of a switch as `false`.
        return [False]
    if absent(value):
        value = tool.defaults.get(name)
    values = value if isinstance(value, list) else [] if absent(value) else [value]
    return [one for one in values if not any(same(one, least) for least in spec.least)]


def _objects(tool: Tool, arguments: dict[str, Json], found: Mapping[str, Justification]) -> tuple[str, ...]:
    """Return the words by which the person names what a call is about."""
    parts = tool.parts(arguments)
    # Who gets the power comes before where: two people may get two powers in one place.
    who = tuple(_said_of(tool, parts, found, (ArgumentRole.DESTINATION,)))
    return who or tuple(_said_of(tool, parts, found, LEADING))


def _said_of(
    tool: Tool, parts: dict[str, Json], found: Mapping[str, Justification], roles: Sequence[ArgumentRole]
) -> Iterator[str]:
    for name, one in found.items():
        spec = tool.arguments.get(name)
        if spec is not None and spec.role in roles and one.stated is not None and not one.stated.parameter:
            if one.stated.words:
                yield one.stated.words
            yield from islice(values_of(parts.get(name), tool, name), MAX_CHOICES)


def _judged(index: Index, tool: Tool, name: str, value: Json, objects: tuple[str, ...]) -> Justification:
    """Return what is known of one power: from the intent only where the words give it."""
    switch = value if isinstance(value, bool) else None
    if switch is None and not isinstance(value, str | int | float):
        return NOTHING
    text = " ".join(name_words(name)) if switch is not None else str(value)
    stated = index.statement.of(text, tool, name) if switch is None else None
    if stated is not None and stated.parameter:
        if name_stems(stated.parameter) & name_stems(name):
            return Justification(Provenance.INTENT, stated, reach=Reach.NAMED)
        return NOTHING
    if says_power(index.utterance.clauses, asking(tool), text, name, switch=switch, objects=objects):
        return Justification(Provenance.INTENT, Stated(words=text), reach=Reach.NAMED)
    met = index.judge_one(text, tool, name)
    if met.provenance is Provenance.INTENT:
        # The word stands elsewhere in the person's words: a person decides.
        return NOTHING
    return msgspec.structs.replace(met, reach=Reach.NONE, sources=frozenset())
