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
from collections.abc import Iterable, Iterator
from typing import Final

import orjson

from remit.core.cooperative_steps import Steps
from remit.core.flow.records.field_labels import KEYS, VALUES, FieldLabels, holds, spelled
from remit.core.flow.records.record import is_data
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.tool import FieldLabel, Tool, WithheldBy

NOTES: Final = {
    WithheldBy.TOOL: "(withheld by remit, because the tool's description withholds this field)",
    WithheldBy.TASK: "(withheld by remit, because tasks of this type do not see this field)",
}
REPEATS: Final = "(withheld by remit, because a withheld field has this value)"
HOLDS: Final = "(withheld by remit, because this text may hold a withheld field)"
UNREADABLE: Final = (
    "(the result is withheld by remit, because it holds fields that this task does not get, and could not be "
    "divided by field)"
)
WHOLE: Final = "*"
"""The field that evidence names where a whole result is withheld."""

MAX_DEPTH: Final = 32
MAX_LEAVES: Final = 20_000
MAX_VALUES: Final = 200
#: A shorter value occurs by chance in any text; a value shorter than `_ALONE` is found as a word only.
_SHORTEST, _ALONE = 3, 5
_MAX_GROUPED = 64
#: A value of letters and digits that people write in groups: a card, an account, a telephone number.
_GROUPED = re.compile(r"[0-9A-Za-z]+(?:[ -][0-9A-Za-z]+)*")
_LITERALS = frozenset({"true", "false", "null", "none", "yes", "no", "on", "off"})
_STEP = 128

Place = tuple[str | int, ...]
Changes = dict[Place, Json]


class CannotWithholdError(Exception):
    """A result cannot be changed so that it surely lacks its withheld fields."""


class Withheld:
    """The withheld fields of one result, and their values."""

    def __init__(self, tool: Tool) -> None:
        """Take the tool, whose fields say what is withheld."""
        self._labels = FieldLabels(tool.fields)
        self._label = tool.label
        groups: dict[str, list[FieldLabel]] = {}
        for one in tool.fields:
            groups.setdefault(one.path, []).append(one)
        hidden = {path: found for path, found in groups.items() if any(one.withheld for one in found)}
        self._hidden = [(_steps(path), found) for path, found in hidden.items()]
        #: Longer paths to fields of the same names, which are not withheld.
        self._shown = {_steps(path) for path in groups.keys() - hidden.keys()}
        self._named = _naming({way[-1] for way, _ in self._hidden} - {KEYS, VALUES})
        self._pattern: re.Pattern[str] | None = None
        self._left = MAX_LEAVES
        self.found: dict[str, None] = {}
        self.values: set[str] = set()

    # The first reading.

    def look(self, value: Json, changes: Changes) -> Steps[None]:
        """Find the withheld fields of a value; add a change for each."""
        yield from self._look(value, (), (), {}, changes)

    def _look(
        self, value: Json, place: Place, way: tuple[str, ...], beside: dict[str, Json], changes: Changes
    ) -> Steps[None]:
        yield from self._count(place)
        if place in changes:
            return
        if isinstance(value, dict):
            for key, below in value.items():
                steps = (*way, *_steps(key))
                if (by := self._withheld(steps, way, value)) is not None:
                    self._hide(steps, below, (*place, key), NOTES[by], changes)
                elif (by := self._keys_withheld(steps, value)) is not None and isinstance(below, dict):
                    self._hide(steps, below, (*place, key), NOTES[by], changes)
                    self.values.update(_telling(below))
                else:
                    yield from self._look(below, (*place, key), steps, value, changes)
        elif isinstance(value, list):
            for at, below in enumerate(value):
                yield from self._look(below, (*place, at), way, beside, changes)
        elif isinstance(value, str) and self._may_hold(value):
            self._hide(way, value, place, HOLDS, changes)

    def _withheld(
        self, steps: tuple[str, ...], around: tuple[str, ...], beside: dict[str, Json]
    ) -> WithheldBy | None:
        """Return who withholds a field: by any path that ends like one of the file."""
        for wanted, entries in self._hidden:
            if wanted[-1] == VALUES:
                fits = around[-len(wanted) + 1 :] == wanted[:-1] if len(wanted) > 1 else not around
            else:
                fits = steps[-len(wanted) :] == wanted and not (len(wanted) == 1 and steps in self._shown)
            if fits and (by := _applies(entries, beside)) is not None:
                return by
        return None

    def _keys_withheld(self, steps: tuple[str, ...], beside: dict[str, Json]) -> WithheldBy | None:
        for wanted, entries in self._hidden:
            if wanted[-1] == KEYS and steps[-len(wanted) + 1 :] == wanted[:-1] and len(wanted) > 1:
                return _applies(entries, beside)
        return None

    def _hide(self, steps: tuple[str, ...], value: Json, place: Place, note: str, changes: Changes) -> None:
        self.found[".".join(steps)] = None
        changes[place] = note
        if note is not HOLDS:
            self.values.update(_values(value))
            if len(self.values) > MAX_VALUES:
                raise CannotWithholdError

    def _may_hold(self, text: str) -> bool:
        """Return whether a text names a withheld field as a structure does: `"password":`, `password=`."""
        return self._named is not None and self._named.search(text) is not None

    # The second reading.

    def search(self, value: Json, changes: Changes) -> Steps[None]:
        """Find the repetitions of withheld values; add a change for each.

        A repetition in a field that an outsider may write can be a guess: a note in its place would confirm
        it. So the result is not divided.
        """
        if self._pattern is None:
            self._pattern = _finding(self.values)
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
                if pattern.search(key):
                    raise CannotWithholdError
                at = f"{path}{{}}" if is_data(key) else f"{path}.{key}" if path else key
                yield from self._search(
                    below, (*place, key), at, name if is_data(key) else key, value, changes
                )
        elif isinstance(value, list):
            for at_place, below in enumerate(value):
                yield from self._search(below, (*place, at_place), f"{path}[]", name, beside, changes)
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            text = value if isinstance(value, str) else _number(value)
            if pattern.search(text):
                fields = self._labels.of(path, name)
                label = next((one.label for one in fields if holds(one, beside)), self._label)
                if label.trust is Trust.UNTRUSTED:
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


def _steps(path: str) -> tuple[str, ...]:
    """Return the names of a path or of a key, as spelled: `user[0].pass_word` is `user`, `0`, `password`."""
    parts = [one for one in re.split(r"[.\[\]{}:/]+", path) if one]
    return tuple(one if one in (KEYS, VALUES) else spelled(one) for one in parts) or (spelled(path),)


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
        if len(text) >= _SHORTEST and text.lower() not in _LITERALS:
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
        yield _number(value)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else orjson.dumps(value).decode()


def _finding(values: set[str]) -> re.Pattern[str] | None:
    """Return the expression that finds values, also in groups of digits and letters."""
    if not values:
        return None
    parts = []
    for one in sorted(values, key=len, reverse=True):
        signs = re.sub(r"[ -]", "", one)
        if _ALONE < len(signs) <= _MAX_GROUPED and _GROUPED.fullmatch(one):
            parts.append(f"(?i:{'[ -]?'.join(map(re.escape, signs))})")
        elif len(one) < _ALONE:
            parts.append(rf"(?<!\w){re.escape(one)}(?!\w)")
        else:
            parts.append(re.escape(one))
    return re.compile("|".join(parts))


def _naming(names: set[str]) -> re.Pattern[str] | None:
    """Return the expression that finds withheld names, as a structure inside a text writes them."""
    if not names:
        return None
    words = "|".join("[ _-]?".join(map(re.escape, name)) for name in sorted(names))
    quote = r"[\"'\\]{1,8}"
    return re.compile(
        rf"(?i:{quote}(?:{words}){quote}\s{{0,8}}[:=,]|(?<![^\W_])(?:{words})=|<(?:{words})[\s>/]"
        rf"|^\s{{0,80}}(?:{words})\s{{0,8}}:)",
        re.MULTILINE,
    )
