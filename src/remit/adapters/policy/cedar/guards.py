# SPDX-License-Identifier: Apache-2.0
"""Finds rules that cannot hold for a call by one string in it, without evaluating them.

Many rules about one tool differ in a word or a pattern that they compare with an argument. Such a comparison
is a *guard* if the rule does nothing else where it fails: conditions are evaluated from left to right, and
nothing to the left of a guard can fail.

INVARIANT: a rule that is left out does not hold for the call, and its evaluation does not fail. A form that
is not understood is no guard, so its rule is evaluated on each call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from remit.adapters.policy.cedar.expressions import fact_of, literal, literals, part
from remit.adapters.policy.cedar.rule_parts import can_fail
from remit.adapters.policy.types import Kind, Shape
from remit.core.json_value import Json

Names = tuple[str, ...]
"""The path of a fact below the context."""


class StringGuard(msgspec.Struct, frozen=True):
    """A fact is one of `words`, or contains `piece`, wherever the rule holds.

    `tested` are the paths that the rule has found to be present before.
    """

    fact: Names
    words: frozenset[str] = frozenset()
    piece: str = ""
    tested: frozenset[Names] = frozenset()

    def fits(self, shape: Shape) -> bool:
        """Return whether the fact is a string in this context, and present wherever it is read."""
        for depth, name in enumerate(self.fact, 1):
            below = shape.fields.get(name)
            if below is None or not (name in shape.required or self.fact[:depth] in self.tested):
                return False
            shape = below
        return shape.kind is Kind.STRING


def guard_of(policy: Mapping[str, Json]) -> StringGuard | None:
    """Return a guard of a policy (Cedar's JSON form), one of words if possible; None if it has none."""
    found: StringGuard | None = None
    tested: set[Names] = set()
    for node in _conjuncts(policy):
        guard = _guard(node, tested)
        if guard is not None and guard.words:
            return guard
        found = found or guard
        if can_fail(node):
            break
        name, body = part(node)
        if name == "has" and (path := fact_of({".": body}))[:1] == ("context",):
            tested.add(path[1:])
    return found


def _conjuncts(policy: Mapping[str, Json]) -> Iterator[Json]:
    """Yield, from left to right, expressions that all have to be true."""
    for condition in policy.get("conditions", []):
        if condition.get("kind") != "when":
            yield {"!": {"arg": condition.get("body")}}
            continue
        pending = [condition.get("body")]
        while pending:
            node = pending.pop()
            name, body = part(node)
            if name == "&&":
                pending += [body["right"], body["left"]]
            else:
                yield node


def _guard(node: Json, tested: set[Names]) -> StringGuard | None:
    name, body = part(node)
    if name == "like":
        fact = fact_of(body["left"])
        piece = max(_pieces(body["pattern"]), key=len, default="")
        return StringGuard(fact[1:], piece=piece, tested=frozenset(tested)) if _read(fact) and piece else None
    words: list[Json] | None = None
    fact = ()
    if name == "==":
        for one, other in ((body["left"], body["right"]), (body["right"], body["left"])):
            if _read(fact_of(one)):
                fact, words = fact_of(one), [literal(other)]
    elif name == "contains":
        fact, words = fact_of(body["right"]), literals(body["left"])
    if not _read(fact) or not words or not all(isinstance(word, str) for word in words):
        return None
    return StringGuard(fact[1:], frozenset(words), tested=frozenset(tested))


def _read(fact: Names) -> bool:
    return len(fact) > 1 and fact[0] == "context"


def _pieces(pattern: Iterable[Json]) -> Iterator[str]:
    """Yield the texts between the wildcards of a pattern."""
    text = ""
    for one in pattern:
        if isinstance(one, dict) and isinstance(one.get("Literal"), str):
            text += one["Literal"]
        else:
            yield text
            text = ""
    yield text


class GuardIndex:
    """Rules by their guards."""

    def __init__(self, guards: Iterable[tuple[int, StringGuard]]) -> None:
        """Take the numbers of rules, each with a guard that fits the context."""
        self._words: dict[Names, dict[str, list[int]]] = {}
        self._pieces: dict[Names, list[tuple[str, int]]] = {}
        for number, guard in guards:
            for word in guard.words:
                self._words.setdefault(guard.fact, {}).setdefault(word, []).append(number)
            if not guard.words:
                self._pieces.setdefault(guard.fact, []).append((guard.piece, number))

    def matching(self, context: dict[str, Json]) -> tuple[int, ...]:
        """Return the numbers of the rules whose guards the facts of a call meet, in order."""
        found: list[int] = []
        for fact, by_word in self._words.items():
            found += by_word.get(_value(context, fact), ())
        for fact, pieces in self._pieces.items():
            text = _value(context, fact)
            found += [number for piece, number in pieces if piece in text]
        return tuple(sorted(found))


def _value(context: dict[str, Json], fact: Names) -> str:
    """Return the string at a path; the empty string if there is none.

    (A rule with a guard there may then be evaluated needlessly.)
    """
    value: Json = context
    for name in fact:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
