# SPDX-License-Identifier: Apache-2.0
"""Reads Cedar's JSON form of expressions: the facts that they name, and the words compared with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from remit.core.json_value import Json

_SETS = ("contains", "containsAll", "containsAny")


class Comparison(NamedTuple):
    """A string in a rule, and the fact that the rule compares it with; `pattern` for a `like`."""

    fact: tuple[str, ...]
    word: str
    pattern: str = ""


def part(node: Json) -> tuple[str, Json]:
    """Return the operator of an expression and its operands; empty for an unknown form."""
    if isinstance(node, dict) and len(node) == 1:
        ((name, body),) = node.items()
        return name, body
    return "", None


def fact_of(node: Json) -> tuple[str, ...]:
    """Return the path of the fact that an expression reads, from its variable; empty for anything else."""
    names: list[str] = []
    while True:
        name, body = part(node)
        if name == "Var" and isinstance(body, str):
            return (body, *reversed(names))
        if name != "." or not isinstance(body, dict):
            return ()
        names.append(str(body["attr"]))
        node = body["left"]


def literal(node: Json) -> Json:
    """Return the string, number or boolean that an expression is; None for anything else."""
    name, body = part(node)
    return body if name == "Value" and isinstance(body, str | int | bool) else None


def literals(node: Json) -> list[Json] | None:
    """Return the items of a set of literals; None for anything else."""
    name, body = part(node)
    if name != "Set" or not isinstance(body, list):
        return None
    found = [literal(one) for one in body]
    return None if None in found else found


def comparisons(node: Json) -> Iterator[Comparison]:
    """Yield every string in an expression that is compared with a fact."""
    pending = [node]
    while pending:
        one = pending.pop()
        name, body = part(one)
        if name in ("==", "!=", *_SETS) and isinstance(body, dict):
            yield from _compared(body["left"], body["right"])
            yield from _compared(body["right"], body["left"])
        elif name == "like" and isinstance(body, dict):
            fact = fact_of(body["left"])
            if fact:
                yield Comparison(fact, _shown(body["pattern"]), _pattern(body["pattern"]))
        if name != "Value":
            pending += body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()


def _compared(left: Json, right: Json) -> Iterator[Comparison]:
    fact, one = fact_of(left), literal(right)
    if fact:
        for word in [one] if isinstance(one, str) else literals(right) or ():
            if isinstance(word, str):
                yield Comparison(fact, word)


def _pattern(items: list[Json]) -> str:
    return "".join(".*" if one == "Wildcard" else re.escape(one["Literal"]) for one in items)


def _shown(items: list[Json]) -> str:
    return "".join("*" if one == "Wildcard" else str(one["Literal"]) for one in items)
