# SPDX-License-Identifier: Apache-2.0
"""Finds conditions that can never hold.

The analysis knows only what single facts can be: the words of a fact, the numbers that belong to the words,
truth values and bounds of whole numbers. Everything else may hold or not. So a condition that is reported can
never hold; a condition that is not reported may still be impossible for other reasons.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from remit.adapters.policy.cedar.expressions import fact_of, literal, literals, part
from remit.core.json_value import Json
from remit.core.policy.vocabulary import Words

#: Steps of one search; a condition that needs more counts as one that may hold.
MAX_STEPS: Final = 4000
_OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
#: Facts that are the same under two names.
_SAME: Final = {
    "resource.effect": "context.effect",
    "resource.audience": "context.audience",
    "resource.tier": "context.tier",
    "resource.tier_level": "context.tier_level",
    "context.destination_trust": "context.flow.destination",
}
_TASK_LABEL: Final = "context.task_label."
_LABEL: Final = "context.label."

Pending = tuple[tuple[Json, bool], ...]


class FactRange(msgspec.Struct, frozen=True):
    """What a fact can still be: one of `values` if given, none of `but`, a number from `low` to `high`."""

    values: frozenset[Json] | None = None
    but: frozenset[Json] = frozenset()
    low: int | None = None
    high: int | None = None

    @property
    def empty(self) -> bool:
        """Whether the fact can be nothing at all."""
        if self.low is not None and self.high is not None and self.low > self.high:
            return True
        return self.values is not None and not any(self._allows(value) for value in self.values)

    def _allows(self, value: Json) -> bool:
        if value in self.but:
            return False
        if isinstance(value, bool) or not isinstance(value, int):
            return True
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def among(self, values: frozenset[Json]) -> FactRange:
        """Return the range without everything that is not one of `values`."""
        return msgspec.structs.replace(self, values=values if self.values is None else self.values & values)

    def without(self, values: frozenset[Json]) -> FactRange:
        """Return the range without these values."""
        return msgspec.structs.replace(self, but=self.but | values)

    def bounded(self, operator: str, number: int) -> FactRange:
        """Return the range of the numbers that compare so with `number`."""
        if operator in (">", ">="):
            least = number + (operator == ">")
            return msgspec.structs.replace(self, low=least if self.low is None else max(self.low, least))
        most = number - (operator == "<")
        return msgspec.structs.replace(self, high=most if self.high is None else min(self.high, most))


Ranges = dict[str, FactRange]


class Conditions:
    """Searches for a way in which the conditions of a rule hold."""

    def __init__(self, words: Mapping[str, Words]) -> None:
        """Take the words of each fact."""
        self._words = {_own(fact): one for fact, one in words.items()}
        self._levels = {
            f"{fact.rpartition('.')[0]}.{one.levels}": (fact, one)
            for fact, one in self._words.items()
            if one.levels
        }

    def impossible(self, policy: Json, given: Mapping[str, frozenset[Json]]) -> tuple[str, ...] | None:
        """Return the facts that keep the conditions of a policy from ever holding; None if they may hold.

        `given` is what facts are limited to, beside the conditions.
        """
        pending: Pending = tuple(
            (one.get("body"), one.get("kind") == "when") for one in policy.get("conditions", [])
        )
        ranges: Ranges = {}
        for fact, values in given.items():
            ranges[_own(fact)] = self._range(_own(fact)).among(values)
        clashes: dict[str, None] = {}
        choices: list[tuple[Pending, Ranges]] = [(pending, ranges)]
        steps = 0
        while choices:
            steps += 1
            pending, ranges = choices.pop()
            if not pending or steps > MAX_STEPS:
                return None
            ((node, holds), *rest) = pending
            split = _split(node, holds)
            if split is not None:
                choices += [((*one, *rest), ranges) for one in split]
                continue
            fact, range_ = self._narrowed(node, holds, ranges)
            if range_.empty:
                clashes[fact] = None
            else:
                choices.append((tuple(rest), {**ranges, fact: range_}))
        return tuple(clashes)

    def _range(self, fact: str) -> FactRange:
        known = self._words.get(fact)
        limited = known is not None and known.closed and not known.grows
        return FactRange(frozenset(known.words)) if known is not None and limited else FactRange()

    def _narrowed(self, node: Json, holds: bool, ranges: Ranges) -> tuple[str, FactRange]:
        """Return the fact that a single test narrows, and what it can still be if the test `holds`."""
        for fact, operator, value in _tests(node):
            if (level := self._levels.get(fact)) is not None and isinstance(value, int):
                return self._leveled(*level, holds, ranges, (operator, value))
            range_ = ranges.get(fact) or self._range(fact)
            if operator in _OPPOSITE:
                return fact, range_.bounded(operator if holds else _OPPOSITE[operator], value)
            values = value if operator == "in" else frozenset({value})
            return fact, range_.among(values) if holds else range_.without(values)
        # Anything else holds or not, and does the same wherever the rule repeats it.
        fact = _own(".".join(fact_of(node))) or json.dumps(node, sort_keys=True)
        range_ = ranges.get(fact) or FactRange(frozenset({True, False}))
        return fact, range_.among(frozenset({holds}))

    def _leveled(
        self, fact: str, words: Words, holds: bool, ranges: Ranges, test: tuple[str, int]
    ) -> tuple[str, FactRange]:
        """Return what a fact can still be, if its level passes a test."""
        levels = enumerate(words.words, words.first)
        fitting = frozenset(word for level, word in levels if _compares(level, *test))
        range_ = ranges.get(fact) or self._range(fact)
        return fact, range_.among(fitting) if holds else range_.without(fitting)


def _split(node: Json, holds: bool) -> list[Pending] | None:
    """Return the ways in which a compound expression comes to hold (or not); None for a single test."""
    name, body = part(node)
    if name == "Value" and isinstance(body, bool):
        return [()] if body is holds else []
    if name == "!":
        return [((body["arg"], not holds),)]
    if name in ("&&", "||"):
        both = ((body["left"], holds), (body["right"], holds))
        return [both] if (name == "&&") is holds else [(both[0],), (both[1],)]
    if name == "if-then-else":
        return [
            ((body["if"], True), (body["then"], holds)),
            ((body["if"], False), (body["else"], holds)),
        ]
    if name == "!=":
        return [(({"==": body}, not holds),)]
    return None


def _tests(node: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield the comparison of a fact with literals that an expression is: fact, operator, value."""
    name, body = part(node)
    if not isinstance(body, dict) or "left" not in body or "right" not in body:
        return
    left, right = body["left"], body["right"]
    if name == "contains" and (values := literals(left)) is not None and fact_of(right):
        yield _own(".".join(fact_of(right))), "in", frozenset(values)
    for fact, other, operator in ((left, right, name), (right, left, _MIRRORED.get(name, name))):
        value = literal(other)
        if not fact_of(fact) or value is None:
            continue
        whole = isinstance(value, int) and not isinstance(value, bool)
        if name == "==" or (name in _OPPOSITE and whole):
            yield _own(".".join(fact_of(fact))), operator, value


def _compares(number: int, operator: str, other: int) -> bool:
    match operator:
        case "==":
            return number == other
        case "<":
            return number < other
        case "<=":
            return number <= other
        case ">":
            return number > other
        case _:
            return number >= other


def _own(fact: str) -> str:
    """Return the one name of a fact that has two."""
    if fact.startswith(_TASK_LABEL):
        return _LABEL + fact.removeprefix(_TASK_LABEL)
    return _SAME.get(fact, fact)
