# SPDX-License-Identifier: Apache-2.0
"""Records of a result: its objects, and the leaves of each with path, label and text.

A result is JSON, or text that writes JSON or YAML, or text. The objects of a list are records of their own,
objects below a name belong to the record around them; what has no structure is one record. Labels of fields
are those of the tool's description, which may look at what stands beside a field in the same object.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from remit.core.flow.records.fields import structuring
from remit.core.json_value import Json
from remit.core.label import Classes, Label, Trust
from remit.core.tools.constraint import Verdict
from remit.core.tools.tool import FieldLabel, Tool

MAX_LEAVES = 50_000
"""Leaves of one result that are looked at."""
OTHERS = 256
"""Values that are no texts, and between which others may have a turn: most of them are no leaf."""
MAX_DEPTH = 32
MAX_KEY = 80
MAX_NAMES = 1_000
"""Names of an object that are kept while a result is read."""
MAX_PATHS = 1_000
"""Paths of one tool that are kept for its next result, and tools of which they are kept:"""
MAX_TOOLS = 100
PATH_BYTES = 600
"""What a path takes in memory, about."""
_NO_KEY = itertools.repeat(None)
#: Where a block of content, or a resource, holds what it is about.
_HELD = ("text", "blob", "data")


class ResultLeaf(msgspec.Struct, frozen=True, gc=False):
    """One text of a result, in its record, under its path; `name` is the last name of the path."""

    record: int
    path: str
    name: str
    text: str
    label: Label


class _Names(msgspec.Struct):
    """A path of results, and those below it: each is written, and has its label looked up, once.

    `data` says that a key is to be read: it is no name, and nothing is kept of it, or a name that may be the
    name of a host, too. `tally` counts all paths of a tool.
    """

    path: str
    name: str
    tally: list[int]
    data: bool = False
    label: Label | None = None
    below: dict[str, _Names] = {}
    each: _Names | None = None
    keyed: _Names | None = None

    def add(self, key: str) -> _Names:
        if is_data(key):
            return _DATA
        found = self._new(f"{self.path}.{key}" if self.path else key, key)
        found.data = "." in key
        if len(self.below) < MAX_NAMES:
            self.below[key] = found
        return found

    def add_each(self) -> _Names:
        self.each = self._new(f"{self.path}[]", self.name)
        return self.each

    def add_keyed(self) -> _Names:
        self.keyed = self._new(f"{self.path}{{}}", self.path.rpartition(".")[2].replace("[]", ""))
        return self.keyed

    def forget(self) -> None:
        """Forget the paths below the root."""
        self.below, self.each, self.keyed, self.tally = {}, None, None, [0]

    def _new(self, path: str, name: str) -> _Names:
        self.tally[0] += 1
        return _Names(path, name, self.tally)


_DATA = _Names("", "", [0], True)


class Paths:
    """The paths of results that a task has met, by tool: most results have those of the one before."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[str, tuple[Tool, _Names]] = {}

    @property
    def size_bytes(self) -> int:
        """What they take in memory, about."""
        return PATH_BYTES * sum(names.tally[0] for _, names in self._known.values())

    def of(self, tool: Tool) -> _Names:
        """Return the root of a tool's paths; of one that is described otherwise by now a new one."""
        name = f"{tool.upstream}/{tool.name}"
        found = self._known.get(name)
        if found is not None and found[0] is tool:
            return found[1]
        if len(self._known) >= MAX_TOOLS:
            self._known.clear()
        names = _Names("", "", [0])
        self._known[name] = (tool, names)
        return names


#: Where a walk stands in an object or a list: what is left of it (with keys, or None), its path, the object
#: in which its fields stand beside one another, the record, and whether its keys are data.
_Level = tuple[Iterator[tuple[str | None, Json]], _Names, dict[str, Json], int, bool]


def bodies(result: Json) -> Iterator[tuple[Json, str | None]]:
    """Yield the parts of a tool's result out of the shape in which MCP carries them; with a text that may
    write a structure the name under which it stood, with all else None.

    What a tool gives twice, as structure and as text, is given twice: nobody promises that both are equal.
    All else is given as well: what looks like this shape may be a tool's own result, and somebody reads it.
    """
    if not isinstance(result, dict) or not isinstance(result.get("content", result.get("contents")), list):
        yield result, ""
        return
    rest = {}
    for key, value in result.items():
        if key in ("content", "contents") and isinstance(value, list):
            for block in value:
                yield from _of_block(block)
        elif key == "structuredContent":
            yield value, None
        elif key != "resultType" or value != "complete":
            rest[key] = value
    if rest:
        yield rest, None


def _of_block(block: Json) -> Iterator[tuple[Json, str | None]]:
    """Yield the text or the bytes of a block of content, or of the resource in it, and what stands beside."""
    if not isinstance(block, dict):
        yield block, None
        return
    holders = [block]
    if isinstance(resource := block.get("resource"), dict):
        holders = [{key: block[key] for key in block if key != "resource"}, resource]
    for holder in holders:
        rest = {key: value for key, value in holder.items() if value is not None}
        held = [key for key in _HELD if isinstance(rest.get(key), str)]
        for key in held:
            yield rest.pop(key), key
        if rest and (not held or rest.keys() != {"type"}):
            yield rest, None


class Reading:
    """The leaves of one result. `cut` says, once all have been given, that there were more.

    `above` holds for each record the one around it (the first is its own), `seen` the labels that occurred.
    """

    def __init__(
        self, result: Json, tool: Tool, paths: Paths | None = None, seen: set[Label] | None = None
    ) -> None:
        """Take a result as it was parsed: JSON values only; `paths` are those that were met before. Labels
        are added to `seen`.
        """
        self._result = result
        self._names = (paths or Paths()).of(tool)
        self._label = tool.label
        self._by_path: dict[str, list[FieldLabel]] = {}
        for field in tool.fields:
            self._by_path.setdefault(field.path, []).append(field)
        self._fields = tool.fields
        self._left = MAX_LEAVES
        self.cut = False
        self.above: list[int] = []
        self.seen: set[Label] = set() if seen is None else seen

    def __iter__(self) -> Iterator[ResultLeaf]:
        """Return each leaf; numbers are given as text, booleans and nulls are not given."""
        return (leaf for leaf in self.steps() if leaf is not None)

    def steps(self) -> Iterator[ResultLeaf | None]:
        """Yield each leaf, and None where no leaf has been found for long."""
        try:
            for body, name in bodies(self._result):
                value = body
                left: list[str] = []
                if name is not None and isinstance(body, str):
                    inner = yield from structuring(body, left)
                    if inner is not None:
                        value = inner
                        # The shape may be the tool's own, and the text a field of it.
                        self.seen.update(one.label for one in self._fields if one.path.split(".")[-1] == name)
                    elif self._fields:
                        # INVARIANT: what is not read as a structure stands in no field. A client may find
                        # one in it nevertheless, behind a guard or in another notation.
                        value, left = [], [body]
                self.above.append(len(self.above))
                yield from self._walk(value, len(self.above) - 1)
                if left:
                    yield from self._beside(left)
        finally:
            # Of a tool that gives ever new paths none are kept.
            if self._names.tally[0] > MAX_PATHS:
                self._names.forget()

    def _beside(self, left: list[str]) -> Iterator[ResultLeaf]:
        """Yield what stands in a text and in no field of it: it may be read as any."""
        others = [field.label for field in self._fields]
        self.seen.update(others)
        labels = (self._label, *others)
        label = next((one for one in labels if one.trust is Trust.UNTRUSTED), self._label)
        for text in left:
            if self._left <= 0:
                self._cut()
                return
            self._left -= 1
            yield ResultLeaf(self._record(len(self.above)), "", "", text, label)

    def _walk(self, root: Json, first: int) -> Iterator[ResultLeaf | None]:
        """Go through a value, with a stack: no leaf passes through a generator for each level above it."""
        stack: list[_Level] = [(iter(((None, root),)), self._names, {}, first, False)]
        seen, last, others = self.seen, None, 0
        while stack:
            items, names, beside, record, several = stack[-1]
            too_deep, below_names = len(stack) > MAX_DEPTH + 1, names.below
            for key, below in items:
                inner, at, kind = record, names, type(below)
                if kind is not str and not (others := others + 1) % OTHERS:
                    yield None
                if key is None:
                    if kind is dict and len(stack) > 1:
                        inner = self._record(record)
                elif several or (at := below_names.get(key) or names.add(key)).data:
                    # What stands in a key is data just as well, and most often no name for what is below it.
                    if several or at is _DATA:
                        at = names.keyed or names.add_keyed()
                        if kind is dict:
                            inner = self._record(record)
                    self._left -= 1
                    label = self._label_of(at, beside)
                    seen.add(label)
                    yield ResultLeaf(inner, at.path, at.name, key, label)
                if self._left <= 0:
                    self._cut()
                    return
                if too_deep:
                    self._cut()
                elif kind is str or kind is int or kind is float:
                    self._left -= 1
                    label = at.label or self._label_of(at, beside)
                    if label is not last:
                        seen.add(label)
                        last = label
                    text = below if kind is str else _number(below)
                    yield ResultLeaf(inner, at.path, at.name, text, label)
                elif kind is dict:
                    stack.append((iter(below.items()), at, below, inner, _by_name(below)))
                    break
                elif kind is list:
                    each = at.each or at.add_each()
                    stack.append((zip(_NO_KEY, below, strict=False), each, beside, inner, False))
                    break
            else:
                stack.pop()

    def _cut(self) -> None:
        """Leave the rest out: any field may stand in it."""
        self.cut = True
        self.seen.update(field.label for field in self._fields)

    def _record(self, around: int) -> int:
        self.above.append(around)
        return len(self.above) - 1

    def _label_of(self, at: _Names, beside: dict[str, Json]) -> Label:
        """Return the label of a field; where it is the same wherever the field occurs, `at` keeps it."""
        fields: Sequence[FieldLabel] = ()
        if by_path := self._by_path:
            fields = by_path.get(at.path) or by_path.get(at.path.removeprefix("[].")) or ()
            fields = fields or by_path.get(at.name, ())
        if not fields or not fields[0].when:
            at.label = label = fields[0].label if fields else self._label
        else:
            label = next((one.label for one in fields if _holds(one, beside)), self._label)
        return label


def with_fields(label: Label, seen: Iterable[Label], classes: Classes) -> Label:
    """Return a label joined with those of fields."""
    for one in seen:
        label = label.join(one, classes)
    return label


def _holds(field: FieldLabel, beside: dict[str, Json]) -> bool:
    """Whether what stands beside a field is so; what is missing, or undecided, is not."""
    return all(name in beside and one.judge(beside[name]) is Verdict.YES for name, one in field.when.items())


def _by_name(value: dict[str, Json]) -> bool:
    """Whether an object holds several like it by their names."""
    if len(value) < 3:
        return False
    first = next(iter(value.values()))
    return isinstance(first, dict) and all(
        isinstance(below, dict) and below.keys() == first.keys() for below in value.values()
    )


def is_data(key: str) -> bool:
    """Whether a key of an object is rather a value (an address, a number, a date) than a name."""
    if len(key) > MAX_KEY:
        return True
    return not key.isidentifier() and ("@" in key or "/" in key or " " in key or key[:1].isdigit())


def _number(value: float) -> str:
    if isinstance(value, int):
        # Longer ones are none that anybody writes, and slow to write.
        return str(value) if value.bit_length() < 512 else "0"
    return msgspec.json.encode(value).decode()
