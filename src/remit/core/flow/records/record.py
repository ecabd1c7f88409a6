# SPDX-License-Identifier: Apache-2.0
"""Records of a result: its objects, and the leaves of each with path, label and text.

A result is JSON, or text that writes JSON or YAML, or text. The objects of a list are separate records;
objects below a name belong to the record around them; a value without structure is one record. The labels of
fields come from the tool's description, and may depend on other fields in the same object.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from remit.core.flow.language.word_forms import name_stems, stems
from remit.core.flow.records.field_labels import NO_LABELS, FieldLabels, holds
from remit.core.flow.records.fields import structuring
from remit.core.flow.values.destination import within
from remit.core.flow.values.numbers import MIN_NUMBER
from remit.core.json_value import Json
from remit.core.label import Classes, Label, Trust
from remit.core.tools.tool import FieldLabel, Tool

MAX_LEAVES = 50_000
"""Leaves of one result that are read."""
OTHERS = 256
"""Values other than texts between two pauses for other tasks: most of them are no leaves."""
MAX_DEPTH = 32
MAX_KEY = 80
MAX_NAMES = 1_000
"""Names of an object that are cached while a result is read."""
MAX_FACTS = 5_000
"""Facts of one result that are read."""
MAX_PATHS = 1_000
"""Paths of one tool that are cached for its next result; `MAX_TOOLS` limits the tools."""
MAX_TOOLS = 100
PATH_BYTES = 600
"""Approximate memory of a path."""
_NO_KEY = itertools.repeat(None)
_IDS = stems("id uid uuid guid key")
#: Members that hold the body of a content block or a resource.
_HELD = ("text", "blob", "data")


class ResultLeaf(msgspec.Struct, frozen=True, gc=False):
    """One text of a result, with its record and path; `name` is the last name of the path."""

    record: int
    path: str
    name: str
    text: str
    label: Label


class ReadFact(msgspec.Struct, frozen=True, gc=False):
    """A field that a tool file declares as a fact, with its record, type, value and label."""

    record: int
    name: str
    type: str
    value: Json
    label: Label


class _Names(msgspec.Struct):
    """A path of results, and the paths below it; each path is written, and its label looked up, once.

    `data` means that the key is read as a value: either it is no name and is not cached, or it is a name that
    may also be a host name or holds a destination. `tally` counts all paths of a tool.
    """

    path: str
    name: str
    tally: list[int]
    data: bool = False
    label: Label | None = None
    below: dict[str, _Names] = {}
    each: _Names | None = None
    keyed: _Names | None = None

    def add(self, key: str, labels: FieldLabels) -> _Names:
        if is_data(key) and not labels.names(key):
            return _DATA
        found = self._new(f"{self.path}.{key}" if self.path else key, key)
        found.data = "." in key or (len(key) >= MIN_NUMBER and any(within(key)))
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
    """The paths of results that a task has met, by tool: most results have the same paths as the one
    before.
    """

    def __init__(self) -> None:
        """Start with no arguments."""
        self._known: dict[str, tuple[Tool, _Names]] = {}

    @property
    def size_bytes(self) -> int:
        """Approximate memory of the stored entries."""
        return PATH_BYTES * sum(names.tally[0] for _, names in self._known.values())

    def of(self, tool: Tool) -> _Names:
        """Return the root of a tool's paths; a new root where the tool's description has changed."""
        name = f"{tool.upstream}/{tool.name}"
        found = self._known.get(name)
        if found is not None and found[0] is tool:
            return found[1]
        if len(self._known) >= MAX_TOOLS:
            self._known.clear()
        names = _Names("", "", [0])
        self._known[name] = (tool, names)
        return names


#: The position of a walk in an object or a list: the remaining items (with keys, or None), its path, the
#: object whose fields are siblings, the record, and whether its keys are data.
_Level = tuple[Iterator[tuple[str | None, Json]], _Names, dict[str, Json], int, bool]


def bodies(result: Json) -> Iterator[tuple[Json, str | None]]:
    """Yield the parts of a tool's result, without the MCP envelope.

    Each part comes with None, except a text that may write a structure: it comes with its member name. A part
    that a tool returns twice, as structure and as text, is yielded twice, because the two may differ.
    Everything else is yielded as well: a tool's own result may look like the envelope, and a client may read
    it.
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
    """Yield the text or bytes of a content block, or of the resource in it, and its other members."""
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
    """The leaves of one result. After iteration, `cut` is true if leaves were left out.

    `above` holds for each record the record around it (the first one refers to itself), `seen` the labels
    that occurred.
    """

    def __init__(
        self, result: Json, tool: Tool, paths: Paths | None = None, seen: set[Label] | None = None
    ) -> None:
        """Hold a parsed result: JSON values only.

        `paths` are the paths of earlier results. Labels that occur are added to `seen`.
        """
        self._result = result
        self._names = (paths or Paths()).of(tool)
        self._label = tool.label
        self._labels = FieldLabels(tool.fields) if tool.fields else NO_LABELS
        self._fields = tool.fields
        self._left = MAX_LEAVES
        self.cut = False
        self.above: list[int] = []
        #: The fields that policies may read as facts.
        self.facts: list[ReadFact] = []
        self._declared = any(one.fact for one in tool.fields)
        self.seen: set[Label] = set() if seen is None else seen

    def __iter__(self) -> Iterator[ResultLeaf]:
        """Iterate over the leaves; numbers become text, booleans and nulls are omitted."""
        return (leaf for leaf in self.steps() if leaf is not None)

    def steps(self) -> Iterator[ResultLeaf | None]:
        """Yield each leaf, and None where a long stretch contains no leaf."""
        try:
            for body, name in bodies(self._result):
                value = body
                left: list[str] = []
                if name is not None and isinstance(body, str):
                    inner = yield from structuring(body, left)
                    if inner is not None:
                        value = inner
                        # The envelope may be the tool's own result, and the text one of its fields.
                        self.seen.update(one.label for one in self._fields if one.path.split(".")[-1] == name)
                    elif self._fields:
                        # INVARIANT: text that is not read as a structure belongs to no field. A client may
                        # still find a field in it, behind a guard or in another notation.
                        value, left = [], [body]
                self.above.append(len(self.above))
                yield from self._walk(value, len(self.above) - 1)
                if left:
                    yield from self._beside(left)
        finally:
            # The paths of a tool that always returns new paths are not cached.
            if self._names.tally[0] > MAX_PATHS:
                self._names.forget()

    def _beside(self, left: list[str]) -> Iterator[ResultLeaf]:
        """Yield the parts of a text outside its fields: a client may read them as any field."""
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

    def _walk(self, root: Json, first: int) -> Iterator[ResultLeaf | None]:  # noqa: PLR0912  one loop, for speed
        """Walk through a value with a stack, so that no leaf passes through one generator for each level
        above it.
        """
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
                elif several or (at := below_names.get(key) or names.add(key, self._labels)).data:
                    # The text of a key is data, too, and usually no name for the value below it.
                    if several or at is _DATA:
                        at = names.keyed or names.add_keyed()
                        if kind is dict:
                            inner = self._record(record)
                    self._left -= 1
                    label = self._of(self._labels.of_keys(at.path, at.name), beside)
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
                    if self._declared:
                        self._fact(at, below, label, inner)
                    yield ResultLeaf(inner, at.path, at.name, text, label)
                elif kind is bool and self._declared:
                    self._fact(at, below, at.label or self._label_of(at, beside), inner)
                elif kind is dict:
                    several = self._labels.is_map(at.path, at.name) or _by_name(below) or self._by_key(below)
                    stack.append((iter(below.items()), at, below, inner, several))
                    break
                elif kind is list:
                    each = at.each or at.add_each()
                    stack.append((zip(_NO_KEY, below, strict=False), each, beside, inner, False))
                    break
            else:
                stack.pop()

    def _by_key(self, value: dict[str, Json]) -> bool:
        """Return whether an object holds objects, however different, of which each repeats its key as its id.

        A key without a digit may be a name that someone took as an id. INVARIANT: no key is a step of a path
        in the tool file, else what is below it would lose the label that it has there.
        """
        key, first = next(iter(value.items()), ("", None))
        if not isinstance(first, dict):
            return False
        names = [name for name, one in first.items() if one == key and not _IDS.isdisjoint(name_stems(name))]
        return any(
            all(isinstance(below, dict) and below.get(name) == key for key, below in value.items())
            for name in names
        ) and not any(self._labels.mentions(one) or not any(map(str.isdigit, one)) for one in value)

    def _cut(self) -> None:
        """Leave out the rest; any field may be in it."""
        self.cut = True
        self.seen.update(field.label for field in self._fields)

    def _fact(self, at: _Names, value: Json, label: Label, record: int) -> None:
        kind = next((one.fact for one in self._labels_of(at) if one.fact), "")
        if kind and not at.path.endswith("[]") and len(self.facts) < MAX_FACTS:
            self.facts.append(ReadFact(record, at.name, kind, value, label))

    def _labels_of(self, at: _Names) -> Sequence[FieldLabel]:
        """Return the entries of the tool file for a field: by its path, else by its name."""
        return self._labels.of(at.path, at.name)

    def _record(self, around: int) -> int:
        self.above.append(around)
        return len(self.above) - 1

    def _label_of(self, at: _Names, beside: dict[str, Json]) -> Label:
        """Return the label of a field; `at` caches it where it is the same at every occurrence of the
        field.
        """
        fields = self._labels_of(at)
        label = self._of(fields, beside)
        if not fields or not fields[0].when:
            at.label = label
        return label

    def _of(self, fields: Sequence[FieldLabel], beside: dict[str, Json]) -> Label:
        return next((one.label for one in fields if holds(one, beside)), self._label)


def with_fields(label: Label, seen: Iterable[Label], classes: Classes) -> Label:
    """Return a label joined with the labels of fields."""
    for one in seen:
        label = label.join(one, classes)
    return label


def _by_name(value: dict[str, Json]) -> bool:
    """Return whether an object holds several similar objects by name."""
    if len(value) < 3:
        return False
    first = next(iter(value.values()))
    return isinstance(first, dict) and all(
        isinstance(below, dict) and below.keys() == first.keys() for below in value.values()
    )


def is_data(key: str) -> bool:
    """Return whether a key of an object is a value (an address, a number, a date) rather than a name."""
    if len(key) > MAX_KEY:
        return True
    return not key.isidentifier() and ("@" in key or "/" in key or " " in key or key[:1].isdigit())


def _number(value: float) -> str:
    if isinstance(value, int):
        # A longer number does not occur in practice and is slow to write.
        return str(value) if value.bit_length() < 512 else "0"
    return msgspec.json.encode(value).decode()
