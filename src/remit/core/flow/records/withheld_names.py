# SPDX-License-Identifier: Apache-2.0
"""Withheld fields whose name is a value of the result: a column of a table, or an entry of name and value.

A text that is exactly the name of a withheld field names what stands beside it: the other values of its
object, or of its list, and the values at its position in lists of the same length.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from remit.core.cooperative_steps import Steps
from remit.core.flow.records.field_labels import spelled
from remit.core.json_value import Json

#: Members that hold the names of columns, as spelled.
HEADERS: Final = frozenset(
    (
        "attributes", "cols", "columnnames", "columns", "fieldnames", "fields", "header", "headers", "keys",
        "labels", "names", "schema", "titles", "variables",
    )
)  # fmt: skip
#: Words about a field that say nothing of its value.
TYPES: Final = frozenset(
    ("boolean", "date", "float", "int", "integer", "number", "object", "string", "text", "varchar")
)
_MAX_NAME: Final = 128
MAX_DEPTH: Final = 32
_STEP: Final = 128
#: A nameless text that passes is as short as a unit or a country, or a date.
_PLAIN: Final = re.compile(
    r".{0,3}|\d{4}-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?)?"
)


class WithheldColumns:
    """Where the values of one result name withheld fields."""

    def __init__(self, names: Collection[str]) -> None:
        """Take the names of the withheld fields, as spelled."""
        self._names = frozenset(names)
        #: Positions of withheld values, by the length of the list that names them.
        self._hidden: dict[int, set[int]] = {}
        #: Lengths of the lists whose positions have names.
        self._known: set[int] = set()
        self._nodes = 0

    def read(self, value: Json, name: str = "", *, depth: int = 0, first: bool = False) -> Steps[None]:
        """Find the lists that name columns; `name` is the member that a list is the value of."""
        self._nodes += 1
        if not self._nodes % _STEP:
            yield
        if depth > MAX_DEPTH:
            # The reading of fields refuses it.
            return
        parts = indexed(value)
        if parts is not None:
            found = {at for at, (_, one) in enumerate(parts) if self._mentions(one)}
            if found:
                self._hidden.setdefault(len(parts), set()).update(found)
            names = all(isinstance(one, str | dict) for _, one in parts)
            if parts and names and (spelled(name) in HEADERS or (found and first)):
                self._known.add(len(parts))
            for at, (_, one) in enumerate(parts):
                yield from self.read(one, depth=depth + 1, first=not at)
        elif isinstance(value, dict):
            for key, one in value.items():
                yield from self.read(one, key, depth=depth + 1)

    def beside(self, value: dict[str, Json] | list[Json], name: str) -> set[str | int]:
        """Return the positions in a value that a name elsewhere says to be withheld.

        `name` is the member that the value stands in.
        """
        parts = indexed(value)
        entries = parts if parts is not None else list(value.items()) if isinstance(value, dict) else []
        named = {place for place, one in entries if self._is_name(one)}
        found: set[str | int] = set()
        if named and not (parts is not None and spelled(name) in HEADERS):
            found = {place for place, _ in entries}
        # An entry that has the name itself stays, without what stands beside the name.
        named |= {place for place, one in entries if isinstance(one, dict) and self._mentions(one)}
        if parts is not None and not (named and spelled(name) in HEADERS):
            flat = all(not isinstance(one, dict | list) for _, one in parts)
            for length, positions in self._hidden.items():
                if length == len(parts) or (flat and not len(parts) % length):
                    found |= {place for at, (place, _) in enumerate(parts) if at % length in positions}
        return {place for place, one in entries if place in found - named and not _says_nothing(one)}

    def may_be(self, value: Json, length: int) -> bool:
        """Return whether a value without a name may be a withheld field; `length` is that of its list."""
        if length in self._known or _says_nothing(value):
            return False
        return bool(self._hidden) or (isinstance(value, str) and not _PLAIN.fullmatch(value))

    def _is_name(self, value: Json) -> bool:
        """Return whether a value is the name of a withheld field, with no more than its type."""
        if isinstance(value, dict):
            return self._mentions(value) and all(
                self._is_text(one) or _says_nothing(one) or (isinstance(one, str) and spelled(one) in TYPES)
                for one in value.values()
            )
        return self._is_text(value)

    def _mentions(self, value: Json) -> bool:
        return any(map(self._is_text, value.values() if isinstance(value, dict) else (value,)))

    def _is_text(self, value: Json) -> bool:
        if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME:
            return False
        # Of a path, its last step.
        steps = [one for one in re.split(r"[.\[\]]+", value.strip(" \t\r\n:*\"'`")) if one]
        return bool(steps) and spelled(steps[-1]) in self._names


def indexed(value: Json) -> list[tuple[str | int, Json]] | None:
    """Return the values of a list with their places, also of a map whose keys count from 0 or 1."""
    if isinstance(value, list):
        return list(enumerate(value))
    if isinstance(value, dict) and value and len(value) <= 1_000:
        for start in (0, 1):
            keys = [str(at) for at in range(start, start + len(value))]
            if value.keys() == set(keys):
                return [(key, value[key]) for key in keys]
    return None


def _says_nothing(value: Json) -> bool:
    return value is None or isinstance(value, bool)
