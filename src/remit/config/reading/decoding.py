# SPDX-License-Identifier: Apache-2.0
"""From YAML to values of a declared type, with every problem collected.

Each problem names file, line, key and the remediation.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import msgspec
from msgspec import inspect

from remit.config.reading.secret_reference import SecretRef, read_secret
from remit.config.reading.units import duration_s, money_millionths, size_bytes
from remit.config.reading.yaml_lines import Node
from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json

T = TypeVar("T")

#: Marks a value that could not be read; its problem has been noted.
MISSING: Final = msgspec.UNSET

_QUANTITIES: Final = {"size": size_bytes, "duration": duration_s, "money": money_millionths}
_QUANTITY_WAYS: Final = {
    "size": "write bytes or a unit: `65536`, `64 KiB`, `1 MiB`",
    "duration": "write seconds or units: `90`, `15s`, `30m`, `1h 30m`",
    "money": "write an amount below a million with at most six decimals: `5`, `2.50`",
}


@dataclass(slots=True)
class Problems:
    """The problems of one file found so far. `folder` is the base of relative paths of secrets."""

    file: str
    folder: Path
    found: list[ConfigInvalid] = field(default_factory=list)

    def add(self, message: str, *, line: int | None, key: str = "", remediation: str = "") -> None:
        """Note one problem."""
        self.found.append(ConfigInvalid(message, file=self.file, line=line, key=key, remediation=remediation))


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that was probably meant, or an empty text."""
    folded = {name.lower().replace("-", "_"): name for name in known}
    found = difflib.get_close_matches(word.lower().replace("-", "_"), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else ""


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return the remediation for an unknown word: the nearest known one, or all of them."""
    known = list(known)
    if near := nearest(word, known):
        return f"did you mean `{near}`?"
    return f"known are: {', '.join(known)}" if known else "remove it"


@cache
def type_of(kind: Any) -> inspect.Type:
    """Return msgspec's description of a type."""
    return inspect.type_info(kind)


def unwrapped(kind: inspect.Type) -> tuple[inspect.Type, dict[str, Any], str]:
    """Return a type without its metadata, and the metadata: our extra keys, and the description."""
    extra: dict[str, Any] = {}
    description = ""
    while isinstance(kind, inspect.Metadata):
        extra = {**(kind.extra or {}), **extra}
        description = description or (kind.extra_json_schema or {}).get("description", "")
        kind = kind.type
    return kind, extra, description


def read(node: Node, kind: type[T], problems: Problems) -> T | msgspec.UnsetType:
    """Read a value of `kind`. Note problems in `problems`; an invalid part takes its default."""
    value: T | msgspec.UnsetType = _Reader(problems).read(node, type_of(cast(Any, kind)), "", node.line)
    return value


class _Reader:
    """Reads one file into declared types."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def read(self, node: Node, kind: inspect.Type, key: str, line: int) -> Any:
        """Read one value; `line` is the line of its key, where a person will look."""
        kind, extra, _ = unwrapped(kind)
        if isinstance(kind, inspect.StructType):
            return self._struct(node, kind, key, line)
        if isinstance(kind, inspect.DictType):
            return self._dict(node, kind, key, line)
        if isinstance(kind, inspect.VarTupleType):
            if extra.get("one") and isinstance(node.value, dict):
                node = Node([node], node.line)  # a single item may be written without a list
            return self._tuple(node, kind, key, line)
        if isinstance(kind, inspect.UnionType):
            if node.value is None and any(isinstance(t, inspect.NoneType) for t in kind.types):
                return None
            (other,) = [t for t in kind.types if not isinstance(t, inspect.NoneType)]
            return self.read(node, other, key, line)
        if isinstance(kind, inspect.AnyType):
            return node.plain()
        if isinstance(node.value, dict | list):
            return self._refuse(
                "must be a single value", line, key, "write it on one line, without `-` or keys"
            )
        return self._scalar(node.value, kind, extra, key, line)

    def _struct(self, node: Node, kind: inspect.StructType, key: str, line: int) -> Any:
        if not isinstance(node.value, dict):
            fields = ", ".join(f.encode_name for f in shown_fields(kind))
            return self._refuse("must be a mapping", line, key, f"its keys: {fields}")
        known = {f.encode_name: f for f in shown_fields(kind)}
        for name in node.value:
            if name not in known:
                self._refuse("unknown key", node.key_lines[name], _join(key, name), suggestion(name, known))
        values: dict[str, Any] = {}
        for name, item in known.items():
            if name in node.value:
                value = self.read(node.value[name], item.type, _join(key, name), node.key_lines[name])
                if value is not MISSING:
                    values[item.name] = value
                elif item.required:
                    return MISSING
            elif item.required:
                self._refuse("is missing", line, _join(key, name), f"add `{name}:`{_purpose(item)}")
                values[item.name] = MISSING
        if any(value is MISSING for value in values.values()):
            return MISSING
        return kind.cls(**values)

    def _dict(self, node: Node, kind: inspect.DictType, key: str, line: int) -> Any:
        if not isinstance(node.value, dict):
            return self._refuse("must be a mapping", line, key, "write `name: value` lines below it")
        names, extra, _ = unwrapped(kind.key_type)
        out = {}
        for name, item in node.value.items():
            at, where = node.key_lines[name], _join(key, name)
            if self._scalar(name, names, extra, where, at) is MISSING:
                continue
            value = self.read(item, kind.value_type, where, at)
            if value is not MISSING:
                out[name] = value
        if kind.min_length and len(node.value) < kind.min_length:
            return self._refuse("is empty", line, key, "add at least one entry")
        return out

    def _tuple(self, node: Node, kind: inspect.VarTupleType | Any, key: str, line: int) -> Any:
        if not isinstance(node.value, list):
            return self._refuse("must be a list", line, key, "write it as `[a, b]`")
        out = []
        for place, item in enumerate(node.value):
            value = self.read(item, kind.item_type, f"{key}[{place}]", item.line)
            if value is not MISSING:
                out.append(value)
        if kind.min_length and len(node.value) < kind.min_length:
            return self._refuse("is empty", line, key, "add at least one entry")
        return tuple(out)

    def _scalar(self, value: Json, kind: inspect.Type, extra: dict[str, Any], key: str, line: int) -> Any:
        if "quantity" in extra and isinstance(kind, inspect.IntType):
            try:
                value = _QUANTITIES[extra["quantity"]](value)
            except ValueError as fault:
                return self._refuse(str(fault), line, key, _QUANTITY_WAYS[extra["quantity"]])
        if isinstance(kind, inspect.StrType):
            return self._text(value, kind, key, line, extra.get("rule", ""))
        if isinstance(kind, inspect.BoolType):
            return (
                value
                if type(value) is bool
                else self._refuse("must be true or false", line, key, "write `true` or `false`")
            )
        if isinstance(kind, inspect.IntType):
            return self._integer(value, kind, key, line)
        if isinstance(kind, inspect.LiteralType | inspect.EnumType):
            known = [
                str(v)
                for v in (
                    kind.values if isinstance(kind, inspect.LiteralType) else [m.value for m in kind.cls]
                )
            ]
            if value not in known:
                shown = f"`{value}` is not a known value"
                return self._refuse(shown, line, key, _choice(str(value), known))
            return value if isinstance(kind, inspect.LiteralType) else kind.cls(value)
        assert isinstance(kind, inspect.DataclassType)
        assert kind.cls is SecretRef
        return self._secret(value, key, line)

    def _text(self, value: Json, kind: inspect.StrType, key: str, line: int, rule: str) -> Any:
        if not isinstance(value, str):
            return self._refuse(
                "must be a text", line, key, "put it in quotes" if value is not None else "write one"
            )
        if kind.min_length and not value:
            return self._refuse("is empty", line, key, "write one")
        if kind.pattern and not re.search(kind.pattern.replace("$", r"\Z"), value):
            return self._refuse(f"`{value[:80]}` cannot be a name here", line, key, rule)
        return value

    def _integer(self, value: Json, kind: inspect.IntType, key: str, line: int) -> Any:
        if type(value) is not int:
            return self._refuse("must be a whole number", line, key, "write it without quotes or a unit")
        if kind.ge is not None and value < kind.ge:
            return self._refuse("is too small", line, key, f"write at least {kind.ge}")
        if kind.le is not None and value > kind.le:
            return self._refuse("is too large", line, key, f"write at most {kind.le}")
        return value

    def _secret(self, value: Json, key: str, line: int) -> Any:
        if not isinstance(value, str):
            return self._refuse("must be a text", line, key, "put it in quotes")
        try:
            place = f"{self._problems.file}:{line}: `{key}`"
            return read_secret(value, name=key.rpartition(".")[2], folder=self._problems.folder, place=place)
        except ConfigInvalid as fault:
            return self._refuse(fault.message, line, key, fault.remediation)

    def _refuse(self, message: str, line: int, key: str, remediation: str) -> Any:
        self._problems.add(message, line=line, key=key, remediation=remediation)
        return MISSING


def shown_fields(kind: inspect.StructType) -> list[inspect.Field]:
    """Return the fields of a section that a file may set."""
    return [f for f in kind.fields if not unwrapped(f.type)[1].get("internal")]


def _purpose(item: inspect.Field) -> str:
    description = unwrapped(item.type)[2].rstrip(".")
    return f" ({description[:1].lower()}{description[1:]})" if description else ""


def _choice(value: str, known: list[str]) -> str:
    near = nearest(value, known)
    return (
        f"did you mean `{near}`? known are: {', '.join(known)}" if near else f"use one of {', '.join(known)}"
    )


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
