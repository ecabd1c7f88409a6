# SPDX-License-Identifier: Apache-2.0
"""Constraints on numbers, sizes and structure: `range`, `length`, `each`, `fields`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Final

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.core.tools.constraint.base import (
    NO,
    UNDECIDABLE,
    YES,
    Constraint,
    Verdict,
    conjunction,
    is_number,
    keys_of,
    plain,
    shown,
    text,
    type_name,
)

MAX_ITEMS: Final = 10_000
"""Longest array whose elements are judged one by one; `MAX_JUDGED` limits the constraint parts judged for all
elements together.
"""
MAX_JUDGED: Final = 40_000
_BOUNDS: Final = ("min", "max", "exclusive_min", "exclusive_max")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Range(Constraint):
    """The value is a number within these bounds; a boolean or a string of digits is not a number."""

    bounds: dict[str, int | float]
    kind: ClassVar[str] = "range"
    _low: tuple[int | float, bool] | None = field(init=False)
    _high: tuple[int | float, bool] | None = field(init=False)

    def __post_init__(self) -> None:
        bounds = plain(keys_of(self.bounds, _BOUNDS))
        for key, bound in bounds.items():
            if not is_number(bound):
                raise ConfigInvalid(f"`{key}` must be a number", remediation="write it without quotes")
        if (
            not bounds
            or {"min", "exclusive_min"} <= bounds.keys()
            or {"max", "exclusive_max"} <= bounds.keys()
        ):
            raise ConfigInvalid(
                "has two bounds at one end", remediation="give `min` or `max`, or their exclusive_ forms"
            )
        low, high = (_bound(bounds, end) for end in ("min", "max"))
        if low and high and (low[0] > high[0] or (low[0] == high[0] and (low[1] or high[1]))):
            raise ConfigInvalid("allows no number", remediation="make the lower bound smaller than the upper")
        object.__setattr__(self, "bounds", bounds)
        object.__setattr__(self, "_low", low)
        object.__setattr__(self, "_high", high)

    def judge(self, value: Json) -> Verdict:
        """Judge by comparison."""
        if not is_number(value):
            return UNDECIDABLE
        low, high = self._low, self._high
        if low is not None and (value < low[0] or (low[1] and value == low[0])):
            return NO
        if high is not None and (value > high[0] or (high[1] and value == high[0])):
            return NO
        return YES

    def why(self, value: Json) -> str:
        """Name a wrong type."""
        return "" if is_number(value) else f"is of type {type_name(value)}, not a finite number"

    def argument(self) -> Json:
        """Return the bounds."""
        return dict(self.bounds)

    def describe(self) -> str:
        """Name the bounds."""
        words = {"min": "at least", "max": "at most", "exclusive_min": "above", "exclusive_max": "below"}
        return "be " + " and ".join(
            f"{words[key]} {shown(self.bounds[key])}" for key in _BOUNDS if key in self.bounds
        )

    @property
    def low(self) -> tuple[int | float, bool] | None:
        """The lower bound, and whether the bound itself is excluded."""
        return self._low

    @property
    def high(self) -> tuple[int | float, bool] | None:
        """The upper bound, and whether the bound itself is excluded."""
        return self._high


def _bound(bounds: dict[str, int | float], end: str) -> tuple[int | float, bool] | None:
    if end in bounds:
        return bounds[end], False
    return (bounds[f"exclusive_{end}"], True) if f"exclusive_{end}" in bounds else None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Length(Constraint):
    """The value is a string or an array of a permitted length, in code points or elements."""

    bounds: dict[str, int]
    kind: ClassVar[str] = "length"
    low: int = field(init=False)
    high: int | None = field(init=False)

    def __post_init__(self) -> None:
        bounds = plain(keys_of(self.bounds, ("min", "max")))
        for key, bound in bounds.items():
            if type(bound) is not int or bound < 0:
                raise ConfigInvalid(
                    f"`{key}` must be a whole number of at least 0",
                    remediation="count characters or elements",
                )
        low, high = bounds.get("min", 0), bounds.get("max")
        if not bounds or (high is not None and low > high):
            raise ConfigInvalid(
                "allows no length", remediation="give `min`, `max` or both, the smaller first"
            )
        object.__setattr__(self, "bounds", bounds)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    def judge(self, value: Json) -> Verdict:
        """Judge by counting."""
        if type(value) is not str and type(value) is not list:
            return UNDECIDABLE
        return YES if self.low <= len(value) and (self.high is None or len(value) <= self.high) else NO

    def why(self, value: Json) -> str:
        """Name a wrong type."""
        return "" if type(value) in (str, list) else f"is of type {type_name(value)}, which has no length"

    def argument(self) -> Json:
        """Return the bounds."""
        return dict(self.bounds)

    def describe(self) -> str:
        """Name the bounds."""
        if self.high is None:
            return f"have a length of at least {self.low}"
        return (
            f"have a length of {self.low} to {self.high}"
            if self.low
            else f"have a length of at most {self.high}"
        )


def different(items: list[Json]) -> Iterator[tuple[int, Json]]:
    """Yield the elements of an array with their places; of equal texts only the first."""
    texts: set[str] = set()
    for at, item in enumerate(items):
        if type(item) is str:
            if item in texts:
                continue
            texts.add(item)
        yield at, item


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Each(Constraint):
    """The value is an array and each element fits; an empty array fits (use `length` to refuse it).

    `parts` is the number of constraints that make up the element's constraint.
    """

    element: Constraint
    parts: int = 1
    kind: ClassVar[str] = "each"

    @property
    def most(self) -> int:
        """The most elements that are judged."""
        return min(MAX_ITEMS, MAX_JUDGED // self.parts)

    def judge(self, value: Json) -> Verdict:
        """Judge element by element; one undecidable element makes the whole undecidable."""
        if type(value) is not list or len(value) > self.most:
            return UNDECIDABLE
        return conjunction(self.element.judge(item) for _, item in different(value))

    def why(self, value: Json) -> str:
        """Name the first element that does not fit."""
        if type(value) is not list:
            return f"is of type {type_name(value)}, not array"
        if len(value) > self.most:
            return f"has more than {self.most} elements"
        for i, item in different(value):
            if self.element.judge(item) is not YES:
                reason = self.element.why(item) or "must " + self.element.describe()
                return f"does not fit at element {i}: {reason}"
        return ""

    def argument(self) -> Json:
        """Return the constraint on the elements."""
        return self.element.spec()

    def describe(self) -> str:
        """Describe an element."""
        return f"be an array whose every element must {self.element.describe()}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Fields(Constraint):
    """The value is an object that has these fields and no others.

    Fields that are `optional` or `anything` may be absent. An object with other or missing fields is
    undecidable.
    """

    fields: dict[str, Constraint]
    kind: ClassVar[str] = "fields"
    _required: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        fields = {text(name): self.fields[name] for name in sorted(self.fields)}
        object.__setattr__(self, "fields", fields)
        object.__setattr__(self, "_required", frozenset(n for n, c in fields.items() if not c.may_be_absent))

    def judge(self, value: Json) -> Verdict:
        """Judge field by field."""
        if (
            type(value) is not dict
            or not value.keys() <= self.fields.keys()
            or not self._required <= value.keys()
        ):
            return UNDECIDABLE
        return conjunction(self.fields[name].judge(item) for name, item in value.items())

    def why(self, value: Json) -> str:
        """Name the first field that does not fit."""
        if type(value) is not dict:
            return f"is of type {type_name(value)}, not object"
        if undeclared := sorted(value.keys() - self.fields.keys()):
            return f"has the undeclared field `{shown(undeclared[0])}`"
        for name, constraint in self.fields.items():
            if name not in value:
                if name in self._required:
                    return f"lacks the field `{shown(name)}`"
            elif constraint.judge(value[name]) is not YES:
                reason = constraint.why(value[name]) or "must " + constraint.describe()
                return f"does not fit in field `{shown(name)}`: {reason}"
        return ""

    def argument(self) -> Json:
        """Return the constraints by field."""
        return {name: constraint.spec() for name, constraint in self.fields.items()}

    def describe(self) -> str:
        """Describe each field."""
        each = "; ".join(f"`{shown(name)}` must {c.describe()}" for name, c in self.fields.items())
        return f"be an object with these fields only: {each}" if each else "be an empty object"
