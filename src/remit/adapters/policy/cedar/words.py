# SPDX-License-Identifier: Apache-2.0
"""Finds words in rules that the compared fact can never be.

Cedar's validation takes every string for a string. A rule with a misspelt word is valid, and never applies.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from remit.adapters.policy.cedar.expressions import Comparison, comparisons
from remit.adapters.policy.cedar.policy_text import nearest, quoted
from remit.adapters.policy.cedar.rule import CedarRule
from remit.core.flow.facts import NO_VALUE, FlowFacts
from remit.core.flow.justification import Provenance
from remit.core.flow.plan_extension import EFFECTS, FIRST, OWN_READS, READS
from remit.core.flow.records.participants import DOUBTFUL, KNOWN, UNREAD
from remit.core.json_value import Json
from remit.core.policy.vocabulary import Words
from remit.core.tasks.plan import NO_PLAN, PLANNED, UNPLANNED
from remit.core.tools.tool import INPUT, Tool
from remit.ports.policy import Problem

_PROVENANCES: Final = (*Provenance, NO_VALUE)
_OWN: Final = {
    "plan": (PLANNED, UNPLANNED, NO_PLAN),
    "adds": (EFFECTS, READS, OWN_READS, FIRST, NO_VALUE),
    "participants": (KNOWN, DOUBTFUL, UNREAD, NO_VALUE),
}
#: The words of the facts about a call's flow.
FLOW_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    **{
        f"context.flow.{name}": _OWN.get(name, _PROVENANCES)
        for name in FlowFacts.__struct_fields__
        if isinstance(getattr(FlowFacts(), name), str)
    },
    "context.destination_trust": _PROVENANCES,
}
#: Facts that are sets of words.
_SETS: Final = ("arg_names", "audiences", "categories", "zones", "windows", "findings")
_PROVENANCE: Final = Words("a provenance", tuple(Provenance))


def misspelt(rule: CedarRule, words: Mapping[str, Words], met: Sequence[Tool]) -> Iterator[Problem]:
    """Yield a problem for each word of a rule that the compared fact can never be.

    `met` are the tools in the rule's scope.
    """
    said: set[tuple[str, str]] = set()
    for condition in rule.policy.get("conditions", []):
        for one in comparisons(condition.get("body")):
            known = words_of(one, words, met)
            fact = ".".join(one.fact)
            if known is None or (fact, one.word) in said:
                continue
            said.add((fact, one.word))
            yield from _misfit(rule, one, fact, known)


def words_of(one: Comparison, words: Mapping[str, Words], met: Sequence[Tool]) -> Words | None:
    """Return the words that a compared fact can be; None if it can be any."""
    head = one.fact[:2]
    if head == ("context", "provenance"):
        return _PROVENANCE
    if one.fact == ("context", "arg_names"):
        return _arguments(met)
    if head == ("context", "args"):
        return _listed(one, met)
    return words.get(".".join(one.fact))


def _arguments(met: Sequence[Tool]) -> Words | None:
    """Return the names of the arguments of some tools; None if a tool has names that are not known.

    A call may carry others, and a rule may forbid exactly that, so these words are not closed.
    """
    names = {INPUT}
    for tool in met:
        schema = tool.input_schema
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            return None
        names |= properties.keys() | tool.arguments.keys()
    return Words("an argument of a tool in its scope", tuple(sorted(names)), closed=False)


def _listed(one: Comparison, met: Sequence[Tool]) -> Words | None:
    """Return the values that the schemas list for an argument.

    A tool may accept others, so these words are not closed.
    """
    values: set[str] = set()
    for tool in met:
        schema: Json = tool.input_schema
        for name in one.fact[2:]:
            properties = schema.get("properties") if isinstance(schema, dict) else None
            schema = properties.get(name) if isinstance(properties, dict) else None
        if schema is None:
            continue  # this tool has no such argument
        listed = schema.get("enum") if isinstance(schema, dict) else None
        if not isinstance(listed, list) or not all(isinstance(value, str) for value in listed):
            return None
        values.update(listed)
    return Words("a value of this argument in the schema", tuple(sorted(values)), False) if values else None


def _misfit(rule: CedarRule, one: Comparison, fact: str, known: Words) -> Iterator[Problem]:
    if (found := verdict_on(one, fact, known)) is not None:
        severity, text, way = found
        yield rule.problem(text, at=_at(rule, one), severity=severity, remediation=way)


def verdict_on(one: Comparison, fact: str, known: Words) -> tuple[str, str, str] | None:
    """Return severity, text and remediation for a word that `fact` is never; None for a good word."""
    if known.free and one.word.startswith(known.free):
        return None
    if one.pattern:
        if (
            known.grows
            or any(re.fullmatch(one.pattern, word, re.DOTALL) for word in known.words)
            or not known.words
        ):
            return None
        text = f"`{fact}` is never like `{one.word}`"
    elif one.word in known.words:
        return None
    else:
        verb = "never contains" if one.fact[-1] in _SETS else "is never"
        text = f"`{fact}` {verb} {quoted(one.word)}, which is not {known.what}"
    if known.closed:
        return "error", text, nearest(one.word, known.words)
    if close := difflib.get_close_matches(one.word, known.words, n=1, cutoff=0.75):
        return "warning", f"{quoted(one.word)} is not known as {known.what}", f"did you mean `{close[0]}`?"
    return None


def _at(rule: CedarRule, one: Comparison) -> str:
    """Return the text of a word as the rule has it, to find its line."""
    written = quoted(one.word)
    return written if written in rule.text else str(one.fact[-1])
