# SPDX-License-Identifier: Apache-2.0
"""Compares facts with literals: words that a fact can never be, and bodies that can never hold.

Only what stands in the rules as `input.context.audience == "external"` or `input.context.tier in {...}` is
understood. What goes through variables, helpers or imports is not, and counts as something that may hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from remit.adapters.policy.cedar.conditions import Conditions
from remit.adapters.policy.cedar.expressions import Comparison
from remit.adapters.policy.cedar.rule_reachability import contradicted
from remit.adapters.policy.cedar.words import verdict_on, words_of
from remit.adapters.policy.rego.syntax import Definition, Names, called, fact_named
from remit.core.json_value import Json
from remit.core.policy.vocabulary import Words
from remit.core.tools.tool import Tool
from remit.ports.policy import Problem

MEMBER: Final = "internal.member_2"
_CEDAR: Final = {
    "equal": "==",
    "eq": "==",
    "neq": "!=",
    "lt": "<",
    "lte": "<=",
    "gt": ">",
    "gte": ">=",
}
_LITERALS: Final = ("string", "number", "boolean")
_SETS: Final = ("set", "array")


class LiteralCompared(NamedTuple):
    """A fact below `input`, a literal that a rule compares it with, and the line."""

    fact: Names
    value: Json
    line: int


def literals_compared(one: Definition) -> Iterator[LiteralCompared]:
    """Yield the literals that a definition compares facts with."""
    for call in one.calls:
        if (call.name not in _CEDAR and call.name != MEMBER) or len(call.operands) != 2:
            continue
        for fact, other in (call.operands, call.operands[::-1]):
            for value in _values(other) if (path := fact_named(fact)) else ():
                yield LiteralCompared(path, value, call.line)


def problems_of_words(
    known: Sequence[Definition],
    rules: Mapping[int, str],
    tools: Mapping[str, Sequence[Tool]],
    words: Mapping[str, Words],
) -> Iterator[Problem]:
    """Yield a problem for each word that the compared fact can never be.

    `rules` are the ids of the rules by the number of each definition; `tools` those that a rule is for.
    """
    every = tools[""]
    for number, one in enumerate(known):
        rule = rules.get(number, "")
        met = tools.get(rule) or every
        for fact, value, line in literals_compared(one):
            if not isinstance(value, str):
                continue
            compared = Comparison(fact, value)
            closed = words_of(compared, words, met)
            found = verdict_on(compared, f"input.{'.'.join(fact)}", closed) if closed is not None else None
            if found is not None:
                severity, text, way = found
                yield Problem(severity, text, one.file, line, rule or one.name, way)


def bodies_that_never_hold(
    known: Sequence[Definition], rules: Mapping[int, str], conditions: Conditions
) -> Iterator[Problem]:
    """Yield a problem for each body of a rule that no call can meet."""
    for number, rule in rules.items():
        one = known[number]
        clash = conditions.impossible({"conditions": [*_conditions(one)]}, {})
        if clash is None:
            continue
        yield Problem(
            "error" if clash else "warning",
            f"this rule never applies: {contradicted([_named(name) for name in clash])}",
            one.file,
            one.line,
            rule,
            "write one body for each of several cases where one of them is enough, or remove the rule",
        )


def _named(clash: str) -> str:
    return clash if clash.startswith("{") else f"input.{clash}"


def _conditions(one: Definition) -> Iterator[Json]:
    for at, expression in enumerate(one.tree.get("body") or ()):
        node = {"unknown": at} if expression.get("with") else _expression(expression.get("terms"), at)
        yield {"kind": "unless" if expression.get("negated") else "when", "body": node}


def _expression(terms: Json, at: int) -> Json:
    """Return a test in the form in which `Conditions` reads it; what is not understood may hold."""
    unknown = {"unknown": at}
    if isinstance(terms, dict):
        if terms.get("type") == "boolean":
            return {"Value": terms["value"]}
        return _path(fact_named(terms)) if fact_named(terms) else unknown
    if not isinstance(terms, list) or len(terms) != 3:
        return unknown
    name, left, right = called(terms[0]), terms[1], terms[2]
    if name == MEMBER:
        values = list(_values(right)) if right.get("type") in _SETS else []
        if not fact_named(left) or not values or len(values) != len(right["value"]):
            return unknown
        return {
            "contains": {
                "left": {"Set": [{"Value": one} for one in values]},
                "right": _path(fact_named(left)),
            }
        }
    if name not in _CEDAR:
        return unknown
    sides = [
        _path(fact_named(side))
        if fact_named(side)
        else {"Value": value}
        if (value := _single(side)) is not None
        else None
        for side in (left, right)
    ]
    return unknown if None in sides else {_CEDAR[name]: {"left": sides[0], "right": sides[1]}}


def _path(fact: Names) -> Json:
    node: Json = {"Var": fact[0]}
    for name in fact[1:]:
        node = {".": {"left": node, "attr": name}}
    return node


def _single(term: Json) -> Json:
    return term["value"] if isinstance(term, dict) and term.get("type") in _LITERALS else None


def _values(term: Json) -> Iterator[Json]:
    if not isinstance(term, dict):
        return
    if term.get("type") in _SETS:
        yield from (value for one in term["value"] if (value := _single(one)) is not None)
    elif (value := _single(term)) is not None:
        yield value
