# SPDX-License-Identifier: Apache-2.0
"""The facts that a rule reads of one call, with their values, for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from remit.adapters.policy.types import Kind
from remit.core.json_value import Json

Compared = tuple[str, Json]
"""A fact by its dotted name, and a literal that a rule compares it with."""
_ABSENT: Final = object()


def plain(kind: Kind, text: str) -> Json:
    """Write a decimal as a number and a point in time as text."""
    return msgspec.Raw(text.encode()) if kind is Kind.DECIMAL else text


def dotted(paths: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Return the names of facts, without those that are only on the way to others."""
    every = sorted({tuple(path) for path in paths if path})
    return tuple(
        ".".join(path)
        for number, path in enumerate(every)
        if number + 1 == len(every) or every[number + 1][: len(path)] != path
    )


def values_at(document: Json, names: Iterable[str]) -> dict[str, Json]:
    """Return the values of facts by their dotted names, without those that a call does not have."""
    found: dict[str, Json] = {}
    for name in names:
        value: object = document
        for part in name.split("."):
            value = value.get(part, _ABSENT) if isinstance(value, dict) else _ABSENT
        if value is not _ABSENT:
            found[name] = value
    return found
