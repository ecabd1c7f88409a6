# SPDX-License-Identifier: Apache-2.0
"""Constraints in plain words, complete: every value, bound and name of a constraint is in its sentence.

`Constraint.describe` shortens long lists, which suits a refusal. What a person agrees to is never shortened.

INVARIANT: constraints with the same words have the same verdicts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from remit.core.json_value import Json
from remit.core.tools.constraint.address import EmailDomain, UrlHost
from remit.core.tools.constraint.base import Constraint
from remit.core.tools.constraint.composed import AllOf, AnyOf, Anything, Not, NotUnderstood, OptionalArgument
from remit.core.tools.constraint.path import Glob, PathUnder
from remit.core.tools.constraint.prefix import Prefix
from remit.core.tools.constraint.structure import Each, Fields, Length, Range
from remit.core.tools.constraint.text import Exact, OneOf, Pattern


def condition(constraint: Constraint) -> str:
    """Return the words that follow the name of an argument: `is "C-42"`, `begins with "INV-"`."""
    return _WORDS[type(constraint)](constraint)


def quoted(value: Json) -> str:
    """Return a JSON value as JSON, with nothing invisible in it."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


def joined(parts: Sequence[str], last: str = "and") -> str:
    """Return a list in words: `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def _one_of(one: OneOf) -> str:
    return f"is {joined([quoted(value) for value in one.values], 'or')}"


def _range(one: Range) -> str:
    words = {"min": "of at least", "exclusive_min": "above", "max": "of at most", "exclusive_max": "below"}
    bounds = [f"{words[key]} {quoted(one.bounds[key])}" for key in words if key in one.bounds]
    return f"is a number {joined(bounds)}"


def _length(one: Length) -> str:
    if one.high is None:
        return f"is at least {one.low} characters (or elements) long"
    least = f"at least {one.low} and " if one.low else ""
    return f"is {least}at most {one.high} characters (or elements) long"


def _places(names: Sequence[str]) -> str:
    """Return hosts or domains; one that begins with a dot means every name below it."""
    return joined([f"any name below {name[1:]}" if name[0] == "." else name for name in names], "or")


def _url_host(one: UrlHost) -> str:
    return f"is a web address that begins with {joined(one.schemes, 'or')}, at {_places(one.hosts)}"


def _fields(one: Fields) -> str:
    if not one.fields:
        return "is an object without fields"
    told = "; ".join(argument(name, below) for name, below in one.fields.items())
    return f"is an object with no other fields than these: ({told})"


def _each(one: Each) -> str:
    return f"is a list of at most {one.most} elements, and each element ({condition(one.element)})"


def _all(one: AllOf) -> str:
    return joined([f"({condition(part)})" for part in one.parts], "and also")


def _any(one: AnyOf) -> str:
    parts = [f"({condition(part)})" for part in one.parts]
    return f"fits at least one of {len(parts)}: {joined(parts, 'or')}"


_WORDS: Final[dict[type[Constraint], Callable[[Any], str]]] = {
    Exact: lambda one: f"is {quoted(one.value)}",
    OneOf: _one_of,
    Prefix: lambda one: f"begins with {quoted(one.text)}",
    PathUnder: lambda one: f"is the path {quoted(one.directory)} or a path below it",
    Glob: lambda one: f"is a path that matches {quoted(one.glob)}",
    Pattern: lambda one: f"matches the pattern {quoted(one.pattern)} from beginning to end",
    Range: _range,
    Length: _length,
    EmailDomain: lambda one: f"is one mail address at {_places(one.domains)}",
    UrlHost: _url_host,
    Each: _each,
    Fields: _fields,
    AllOf: _all,
    AnyOf: _any,
    Not: lambda one: f"is of the kind in question, and it is not so that it ({condition(one.part)})",
    OptionalArgument: lambda one: f"may be left out, and otherwise ({condition(one.part)})",
    Anything: lambda one: "may be anything, or left out",
    NotUnderstood: lambda one: f"has a condition that this version of remit does not know: {quoted(one.raw)}",
}


def argument(name: str, constraint: Constraint) -> str:
    """Return the condition on a named argument or field, as a clause."""
    return f"`{quoted(name)[1:-1]}` {condition(constraint)}"
