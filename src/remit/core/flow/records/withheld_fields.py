# SPDX-License-Identifier: Apache-2.0
"""Withheld fields: finds them, and all that repeats them, in the values of a result.

A result is several values: the structure, and the text of each block, parsed. First `look` reads every value
and finds the withheld fields. Then `search` reads every value again, for repetitions of what was found. Each
change is the place of a value (keys and positions), with what stands there instead. A place that has a change
already is not read.

INVARIANT: what cannot be changed safely raises `CannotWithholdError`; then the caller withholds the whole
result.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final

import orjson

from remit.core.cooperative_steps import Steps
from remit.core.flow.records.field_labels import KEYS, VALUES, FieldLabels, holds, spelled
from remit.core.flow.records.record import is_data
from remit.core.flow.records.withheld_names import MAX_DEPTH, TYPES, WithheldColumns, indexed
from remit.core.flow.records.withheld_texts import naming, repeating, spells
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.tool import FieldLabel, Tool, WithheldBy

NOTES: Final = {
    WithheldBy.TOOL: "(withheld by remit, because the tool's description withholds this field)",
    WithheldBy.TASK: "(withheld by remit, because tasks of this type do not see this field)",
    WithheldBy.POLICY: "(withheld by remit, because a policy redacts this field)",
}
REPEATS: Final = "(withheld by remit, because a withheld field has this value)"
HOLDS: Final = "(withheld by remit, because this text may hold a withheld field)"
NAMELESS: Final = "(withheld by remit, because no name says whether this is a withheld field)"
UNREADABLE: Final = (
    "(the result is withheld by remit, because it holds fields that this task does not get, and could not be "
    "divided by field)"
)
WHOLE: Final = "*"
"""The field that evidence names where a whole result is withheld."""

MAX_LEAVES: Final = 20_000
MAX_VALUES: Final = 200
#: A shorter value occurs by chance in any text.
_SHORTEST = 3
#: A greater number may have lost digits when it was read.
_MAX_EXACT = 2**53
_LITERALS = frozenset({"true", "false", "null", "none", "yes", "no", "on", "off"})
_STEP = 128

Place = tuple[str | int, ...]
Way = tuple[tuple[str, bool], ...]
"""The names on the way to a value, each with whether it may be a value itself, such as a key of a map."""
Changes = dict[Place, Json]


class CannotWithholdError(Exception):
    """A result cannot be changed so that it surely lacks its withheld fields."""


class Withheld:
    """The withheld fields of one result, and their values."""

    def __init__(self, tool: Tool, said: Collection[str] = ()) -> None:
        """Take the tool, whose fields say what is withheld, and the texts in the arguments of the call."""
        self._labels = FieldLabels(tool.fields)
        self._label = tool.label
        groups: dict[str, list[FieldLabel]] = {}
        for one in tool.fields:
            groups.setdefault(one.path, []).append(one)
        hidden = {path: found for path, found in groups.items() if any(one.withheld for one in found)}
        self._hidden = [(_names(path), found) for path, found in hidden.items()]
        #: Longer paths to fields of the same names, which are not withheld.
        self._shown = {_names(path) for path in groups.keys() - hidden.keys()}
        names = {way[-1] for way, _ in self._hidden} - {KEYS, VALUES}
        self._columns = WithheldColumns(names)
        self._named, self._mentioned = naming(names), naming(names, prose=True)
        self._pattern: re.Pattern[str] | None = None
        self._by = next((one.withheld for one in tool.fields if one.withheld), WithheldBy.TOOL)
        self._around: set[Place] = set()
        self._said, self._guessed = said, False
        self._left = MAX_LEAVES
        self.found: dict[str, None] = {}
        self.values: set[str] = set()
        #: The places of texts that repeat an argument of the call letter by letter.
        self.echoes: Changes = {}

    # The first reading.

    def read_names(self, value: Json) -> Steps[None]:
        """Find the names of withheld fields among the values of a result: before `look`, all of it."""
        if self._hidden:
            yield from self._columns.read(value)

    def look(self, value: Json, changes: Changes, *, prose: bool = False) -> Steps[None]:
        """Find the withheld fields of a value; add a change for each.

        `prose`: texts of the value belong to no field of the tool's own, so that each that mentions a
        withheld name may hold the value.
        """
        # What is around the parts that are read apart has the names of the protocol.
        self._around = {one[:depth] for one in changes for depth in range(len(one))}
        yield from self._look(value, (), (), {}, changes, prose=prose, listed=False)

    def _look(
        self,
        value: Json,
        place: Place,
        way: Way,
        beside: dict[str, Json],
        changes: Changes,
        *,
        prose: bool,
        listed: bool,
    ) -> Steps[None]:
        yield from self._count(place)
        if place in changes:
            return
        if isinstance(value, dict | list):
            self._by_position(value, place, way, changes, listed=listed)
        if isinstance(value, dict):
            yield from self._look_in(value, place, way, changes, prose=prose)
        elif isinstance(value, list):
            for at, below in enumerate(value):
                yield from self._look(below, (*place, at), way, beside, changes, prose=prose, listed=True)
        elif isinstance(value, str) and self._may_hold(value, prose=prose or not way):
            self._hide(way, value, place, HOLDS, changes)

    def _by_position(
        self, value: dict[str, Json] | list[Json], place: Place, way: Way, changes: Changes, *, listed: bool
    ) -> None:
        """Hide the values of a list or map whose name stands beside them, or nowhere.

        `listed`: it is a value of a list itself, such as a row of a table.
        """
        if not self._hidden or place in self._around:
            return
        name = place[-1] if place and isinstance(place[-1], str) else ""
        for at in self._columns.beside(value, name):
            below = value[at]  # type: ignore[index]
            self._hide(way, below, (*place, at), NOTES[self._by], changes)
        parts = indexed(value)
        if parts is not None and (listed or not way):
            for at, below in parts:
                nameless = not isinstance(below, dict | list) and self._columns.may_be(below, len(parts))
                if nameless and (*place, at) not in changes:
                    self._hide(way, below, (*place, at), NAMELESS, changes)

    def _look_in(
        self, value: dict[str, Json], place: Place, way: Way, changes: Changes, *, prose: bool
    ) -> Steps[None]:
        if self._part(way, KEYS, value) is not None:
            # The keys of a map inside a list, or of the whole result.
            raise CannotWithholdError
        numbered = indexed(value) is not None
        for key, below in value.items():
            steps, at = (*way, *_steps(key)), (*place, key)
            by = self._withheld(steps, way, key, value) or self._part(steps, KEYS, value)
            if by is None and not isinstance(below, dict):
                # A list, or a single value, where the file expects a map.
                by = self._part(steps, VALUES, value) if not _holds_map(below) else None
            if by is None and self._may_hold(key, prose=False):
                raise CannotWithholdError
            if by is None:
                yield from self._look(below, at, steps, value, changes, prose=prose, listed=numbered)
                continue
            self._hide(steps, below, at, NOTES[by], changes)
            if isinstance(below, dict) and self._part(steps, KEYS, value) is not None:
                self.values.update(_telling(below))

    def _withheld(self, steps: Way, around: Way, key: str, beside: dict[str, Json]) -> WithheldBy | None:
        """Return who withholds a field: by any path that ends like one of the file."""
        if (by := self._part(around, VALUES, beside)) is not None:
            return by
        whole = (*around, (re.sub(r"\W", "", spelled(key)), False))
        shown = tuple(name for name, _ in steps) in self._shown
        for wanted, entries in self._hidden:
            fits = _ends(steps, wanted) or _ends(whole, wanted)
            if fits and not (len(wanted) == 1 and shown) and (by := _applies(entries, beside)) is not None:
                return by
        return None

    def _part(self, way: Way, part: str, beside: dict[str, Json]) -> WithheldBy | None:
        """Return who withholds the keys of a map, or its values."""
        for wanted, entries in self._hidden:
            fits = wanted[-1] == part and (_ends(way, wanted[:-1]) if len(wanted) > 1 else not way)
            if fits and (by := _applies(entries, beside)) is not None:
                return by
        return None

    def _hide(self, way: Way, value: Json, place: Place, note: str, changes: Changes) -> None:
        self.found[".".join("*" if data else name for name, data in way)] = None
        changes[place] = note
        if note not in (HOLDS, NAMELESS):
            self.values.update(_values(value))
            if len(self.values) > MAX_VALUES:
                raise CannotWithholdError

    def _may_hold(self, text: str, *, prose: bool) -> bool:
        """Return whether a text names a withheld field, as a structure does (`"password":`) or as prose."""
        pattern = self._mentioned if prose else self._named
        return pattern is not None and spells(text, pattern)

    # The second reading.

    def search(self, value: Json, changes: Changes, place: Place = ()) -> Steps[None]:
        """Find the repetitions of withheld values; add a change for each.

        A repetition in a field that an outsider may write can be a guess: a note in its place would confirm
        it. So the result is not divided. An argument of the call can be the agent's guess: where it comes
        back as it was, it stays, and any other repetition of it prevents the division.
        """
        if self._pattern is None:
            self._pattern = repeating(self.values)
            if self._pattern is not None:
                self._guessed = any(spells(one, self._pattern) for one in self._said)
        yield from self._search(value, (), "", "", {}, changes)

    def _search(
        self, value: Json, place: Place, path: str, name: str, beside: dict[str, Json], changes: Changes
    ) -> Steps[None]:
        yield from self._count(place)
        pattern = self._pattern
        if place in changes or pattern is None:
            return
        if isinstance(value, dict):
            for key, below in value.items():
                if spells(key, pattern):
                    raise CannotWithholdError
                at = f"{path}{{}}" if is_data(key) else f"{path}.{key}" if path else key
                yield from self._search(
                    below, (*place, key), at, name if is_data(key) else key, value, changes
                )
        elif isinstance(value, list):
            for at_place, below in enumerate(value):
                yield from self._search(below, (*place, at_place), f"{path}[]", name, beside, changes)
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            self._replace(value, place, path, name, beside, changes)

    def _replace(
        self,
        value: str | float,
        place: Place,
        path: str,
        name: str,
        beside: dict[str, Json],
        changes: Changes,
    ) -> None:
        text = value if isinstance(value, str) else _number(value)
        pattern = self._pattern
        if pattern is None or not spells(text, pattern):
            return
        if text in self._said:
            self.echoes[place] = None
            return
        fields = self._labels.of(path, name)
        label = next((one.label for one in fields if holds(one, beside)), self._label)
        if self._guessed or label.trust is Trust.UNTRUSTED or not pattern.search(text):
            raise CannotWithholdError
        self.found[path] = None
        changes[place] = pattern.sub(REPEATS, text)

    def _count(self, place: Place) -> Steps[None]:
        self._left -= 1
        if len(place) > MAX_DEPTH or self._left < -MAX_LEAVES:
            raise CannotWithholdError
        if not self._left % _STEP:
            yield


def changed(value: Json, changes: Changes, place: Place = ()) -> Json:
    """Return a value with the notes in place of what is withheld."""
    if place in changes:
        return changes[place]
    if isinstance(value, dict):
        return {key: changed(below, changes, (*place, key)) for key, below in value.items()}
    if isinstance(value, list):
        return [changed(below, changes, (*place, at)) for at, below in enumerate(value)]
    return value


def _names(path: str) -> tuple[str, ...]:
    """Return the names of a path, as spelled: `user[].pass_word` is `user`, `password`."""
    parts = [one for one in re.split(r"[^\w\s-]+", path) if one.strip()]
    return tuple(one if one in (KEYS, VALUES) else spelled(one) for one in parts) or (spelled(path),)


def _steps(key: str) -> Way:
    """Return the names in a key of a result, each with whether it may be a value."""
    data = is_data(key)
    return tuple((one, data) for one in _names(key))


def _ends(way: Way, wanted: tuple[str, ...]) -> bool:
    """Return whether a way ends like a path: a key that may be a value is no name that the path must have."""
    left = list(wanted)
    for name, data in reversed(way):
        if not left:
            break
        if name == left[-1]:
            left.pop()
        elif not data or len(left) == len(wanted):
            return False
    return not left


def _holds_map(value: Json) -> bool:
    return isinstance(value, list) and any(isinstance(one, dict) for one in value)


def _applies(entries: list[FieldLabel], beside: dict[str, Json]) -> WithheldBy | None:
    """Return who withholds a field of these entries; where no condition holds, the strictest entry counts."""
    for one in entries:
        if holds(one, beside):
            return one.withheld
    return next((one.withheld for one in entries if one.withheld), None)


def _values(value: Json) -> Iterator[str]:
    """Yield the texts and numbers of a withheld value, without words that say nothing."""
    return _telling(_leaves(value))


def _telling(texts: Iterable[str]) -> Iterator[str]:
    for one in texts:
        text = one.strip()
        if len(text) >= _SHORTEST and text.lower() not in _LITERALS | TYPES:
            yield text


def _leaves(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        for key, below in value.items():
            if is_data(key):
                yield key
            yield from _leaves(below)
    elif isinstance(value, list):
        for below in value:
            yield from _leaves(below)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(value, float) and abs(value) >= _MAX_EXACT:
            raise CannotWithholdError
        yield _number(value)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else orjson.dumps(value).decode()
