# SPDX-License-Identifier: Apache-2.0
"""The types that policies see: derived from JSON Schema, fitted to values. They are the same in every engine.

INVARIANT: a value reaches an engine only through `fit`, which rebuilds it by its declared type. A dict of
untrusted origin is never passed on, so arguments cannot smuggle in an engine's own escapes (Cedar's
`__entity`, `__extn`).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from remit.core.json_value import Json
from remit.core.tasks.history import Unreadable

Path = tuple[str | None, ...]
"""The path of a policy's read below a record. `None` at the end: only its presence (`has`) is read."""

MAX_DEPTH = 6
MAX_STEPS = 2000
MAX_ITEMS = 4096
LONG = 2**63
DECIMAL_LIMIT = 922_337_203_685_477
DECIMAL_STEP = Decimal("0.0001")


class Kind(enum.StrEnum):
    """The types, by Cedar's names for them."""

    STRING = "String"
    LONG = "Long"
    BOOL = "Bool"
    DECIMAL = "decimal"
    DATETIME = "datetime"
    SET = "Set"
    RECORD = "Record"


class Shape(msgspec.Struct, frozen=True):
    """The type of a fact.

    `of` is a set's element type; `fields`, `required` and `nullable` (null counts as absent) belong to a
    record. `hidden` are names that JSON Schema declares and policies cannot read, each with the reason. A
    `closed` record refuses unknown names. A record pruned to what policies read refuses only the names in
    `absent`: names that policies read and that the record does not have.
    """

    kind: Kind
    of: Shape | None = None
    fields: dict[str, Shape] = {}
    required: frozenset[str] = frozenset()
    nullable: frozenset[str] = frozenset()
    hidden: dict[str, str] = {}
    closed: bool = True
    absent: frozenset[str] = frozenset()

    def has(self, path: Path) -> bool:
        """Return whether a policy may read `path` in this type."""
        if not path or path[0] is None:
            return True
        below = self.fields.get(path[0])
        return below is not None and below.has(path[1:])


STRING = Shape(Kind.STRING)
BOOL = Shape(Kind.BOOL)
WHOLE = Shape(Kind.LONG)
DECIMAL = Shape(Kind.DECIMAL)
MOMENT = Shape(Kind.DATETIME)
STRINGS = Shape(Kind.SET, of=STRING)


def record(**fields: Shape) -> Shape:
    """Return a record type in which every field is required."""
    return Shape(Kind.RECORD, fields=fields, required=frozenset(fields))


class Inexpressible(Exception):
    """Raised for a JSON Schema that no type can express; the text states why."""


class TypeMismatch(Exception):
    """Raised for a value that does not fit the type under which policies read it; never contains the
    value.
    """

    def __init__(self, path: str, why: str) -> None:
        """Take the path and the reason."""
        super().__init__(f"`{path}` {why}")
        self.path = path
        self.why = why


# -- from JSON Schema --------------------------------------------------------------------------------------


def arguments(schema: dict[str, Json]) -> Shape:
    """Return the record type of a tool's arguments from its `inputSchema`.

    Arguments that no type can express are listed in `hidden`.
    """
    return _SchemaReader(schema).record(schema, 0)


_SCALARS = {"string": STRING, "integer": WHOLE, "number": DECIMAL, "boolean": BOOL}


class _SchemaReader:
    """Reads one JSON Schema. The schema comes from the upstream, so the work that it can cause is bounded."""

    def __init__(self, root: dict[str, Json]) -> None:
        self._root = root
        self._steps_left = MAX_STEPS

    def record(self, schema: dict[str, Json], depth: int) -> Shape:
        properties = schema.get("properties")
        required = schema.get("required")
        wanted = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
        fields: dict[str, Shape] = {}
        hidden: dict[str, str] = {}
        nullable: set[str] = set()
        for name, below in (properties if isinstance(properties, dict) else {}).items():
            try:
                if name.startswith("__"):
                    raise Inexpressible("names that begin with `__` are reserved")
                fields[name], null = self.shape(below, depth + 1)
            except Inexpressible as why:
                hidden[name] = str(why)
                continue
            if null:
                nullable.add(name)
        return Shape(
            Kind.RECORD,
            fields=fields,
            required=frozenset(wanted & fields.keys() - nullable),
            nullable=frozenset(nullable),
            hidden=hidden,
        )

    def shape(self, schema: Json, depth: int) -> tuple[Shape, bool]:
        """Return the type of one JSON Schema and whether it also accepts null."""
        self._steps_left -= 1
        if depth > MAX_DEPTH or self._steps_left < 0:
            raise Inexpressible("too deep or too large to read")
        if not isinstance(schema, dict):
            raise Inexpressible("takes anything")
        if "$ref" in schema:
            return self.shape(self._referred(schema["$ref"]), depth + 1)
        for union in ("anyOf", "oneOf", "allOf"):
            if isinstance(schema.get(union), list):
                return self._union(schema[union], depth)
        names = schema.get("type")
        if isinstance(names, list):
            return self._union([{**schema, "type": name} for name in names], depth)
        if names is None:
            return _valued(schema), False
        if isinstance(names, str) and names in _SCALARS:
            return _SCALARS[names], False
        if names == "array":
            below, null = self.shape(schema.get("items"), depth + 1)
            if null:
                raise Inexpressible("a list that may hold null")
            return Shape(Kind.SET, of=below), False
        if names == "object":
            shape = self.record(schema, depth)
            if not shape.fields:
                raise Inexpressible("an object without declared properties")
            return shape, False
        raise Inexpressible("of a type that policies do not support")

    def _union(self, options: list[Json], depth: int) -> tuple[Shape, bool]:
        kept = [one for one in options if not (isinstance(one, dict) and one.get("type") == "null")]
        shapes = [self.shape(one, depth + 1) for one in kept]
        if not shapes or any(shape != shapes[0][0] for shape, _ in shapes):
            raise Inexpressible("of several types")
        return shapes[0][0], len(kept) < len(options) or any(null for _, null in shapes)

    def _referred(self, reference: Json) -> Json:
        """Follow a reference inside the same schema (`#/$defs/x`); refuse any other."""
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise Inexpressible("refers to another document")
        place: Json = self._root
        for step in reference[2:].split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(place, dict) or name not in place:
                raise Inexpressible("refers to nothing")
            place = place[name]
        return place


def _valued(schema: dict[str, Json]) -> Shape:
    """Derive the type from `enum` or `const` if there is no `type`."""
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(values, list) and values and all(isinstance(value, str) for value in values):
        return STRING
    raise Inexpressible("takes anything")


# -- to what is read ---------------------------------------------------------------------------------------


def prune(shape: Shape, reads: Collection[Path]) -> Shape:
    """Return the part of a record type that `reads` reach; a record that is read as a whole stays closed."""
    if shape.kind is not Kind.RECORD or () in reads:
        return shape
    below: dict[str, set[Path]] = {}
    for path in reads:
        if path[0] is not None:
            below.setdefault(path[0], set()).add(path[1:])
    fields = {name: prune(shape.fields[name], paths) for name, paths in below.items() if name in shape.fields}
    return Shape(
        Kind.RECORD,
        fields=fields,
        required=shape.required & fields.keys(),
        nullable=shape.nullable,
        closed=False,
        absent=frozenset(below.keys() - shape.fields.keys()),
    )


# -- with values -------------------------------------------------------------------------------------------


# Module-level names: a class lookup finds a member through the metaclass, which is ten times slower.
_STRING, _RECORD, _BOOL, _LONG, _SET, _DECIMAL = (
    Kind.STRING, Kind.RECORD, Kind.BOOL, Kind.LONG, Kind.SET, Kind.DECIMAL
)  # fmt: skip


Write = Callable[[Kind, str], Json]
"""Writes a decimal (with four decimals) or a point in time (RFC 3339, UTC) as an engine reads it."""


def fit(shape: Shape, value: Json, path: str, limit: int, write: Write) -> Json:
    """Return `value` as JSON of the type `shape`; raise `TypeMismatch`.

    Strings have at most `limit` characters.
    """
    kind = shape.kind
    if kind is _STRING:
        if not isinstance(value, str):
            raise TypeMismatch(path, "is not a string")
        if len(value) > limit:
            raise TypeMismatch(path, f"is longer than the {limit} characters that policies may read")
        return value
    if kind is _RECORD:
        return _fit_record(shape, value, path, limit, write)
    if kind is _BOOL:
        if not isinstance(value, bool):
            raise TypeMismatch(path, "is not a boolean")
        return value
    if kind is _LONG:
        return _fit_long(value, path)
    if kind is _SET:
        if not isinstance(value, list | tuple | frozenset) or shape.of is None:
            raise TypeMismatch(path, "is not a list")
        if len(value) > MAX_ITEMS:
            raise TypeMismatch(path, f"has more than {MAX_ITEMS} items")
        return [fit(shape.of, item, path, limit, write) for item in value]
    if kind is _DECIMAL:
        return write(kind, _fit_decimal(value, path))
    if not isinstance(value, datetime):
        raise TypeMismatch(path, "is not a point in time")
    return write(kind, value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def _fit_record(shape: Shape, value: Json, path: str, limit: int, write: Write) -> Json:
    if not isinstance(value, dict):
        raise TypeMismatch(path, "is not an object")
    out: dict[str, Json] = {}
    for name, below in shape.fields.items():
        item = value.get(name)
        if item is not None:
            out[name] = fit(below, item, f"{path}.{name}", limit, write)
        elif name in value and name not in shape.nullable:
            raise TypeMismatch(f"{path}.{name}", "is null")
        elif name in shape.required:
            raise TypeMismatch(f"{path}.{name}", "is missing")
    unseen = value.keys() - shape.fields.keys() if shape.closed else shape.absent & value.keys()
    if unseen:
        raise TypeMismatch(f"{path}.{min(unseen)}", "cannot be shown to the policy that reads it")
    return out


def _fit_long(value: Json, path: str) -> int:
    if isinstance(value, Unreadable):
        raise TypeMismatch(path, value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        return int(value)  # in JSON Schema, 3.0 is an integer
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeMismatch(path, "is not a whole number")
    if not -LONG <= value < LONG:
        raise TypeMismatch(path, "is beyond 64 bits")
    return value


def _fit_decimal(value: Json, path: str) -> str:
    """Write a number with Cedar's four decimals; refuse, and never round, a number that needs more."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeMismatch(path, "is not a number")
    if not -DECIMAL_LIMIT <= value <= DECIMAL_LIMIT:  # also refuses NaN
        raise TypeMismatch(path, "is beyond the range of policies' decimals")
    exact = Decimal(repr(value))
    short = exact.quantize(DECIMAL_STEP)
    if short != exact:
        raise TypeMismatch(path, "has more than four decimals")
    return format(short, "f")
