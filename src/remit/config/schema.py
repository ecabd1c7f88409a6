# SPDX-License-Identifier: Apache-2.0
"""The published JSON Schemas and the reference page, generated from the declarations that read the files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import inspect

from remit.config.bundle.forms import TaskFile, ToolsFile
from remit.config.bundle.history import HistoryFile
from remit.config.reading.decoding import shown_fields, type_of, unwrapped
from remit.config.reading.units import shown_duration, shown_size
from remit.config.settings import Config
from remit.core.json_value import Json
from remit.core.tools.constraint import KINDS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

#: Page below docs/ -> its content: the file's name for people, and its form.
SCHEMAS: Final[dict[str, tuple[str, Any]]] = {
    "reference/schemas/remit.json": ("remit.yaml", Config),
    "reference/schemas/tools.json": ("tools/*.yaml", ToolsFile),
    "reference/schemas/history.json": ("policies/*history.yaml", HistoryFile),
    "reference/schemas/tasks.json": ("tasks/*.yaml", TaskFile),
}
REFERENCE: Final = "reference/configuration.md"

_CONSTRAINT: Final = {
    "type": "object",
    "description": "An argument constraint: a mapping of one key, the kind.",
    "propertyNames": {"enum": list(KINDS)},
    "minProperties": 1,
    "maxProperties": 1,
}
_GRANT: Final = {
    "type": "object",
    "description": "One tool that the task may call. Strings may contain `{parameter}`.",
    "required": ["tool"],
    "additionalProperties": False,
    "properties": {
        "tool": {"type": "string", "pattern": "^[^/]+/.+$", "description": "`upstream/tool`; no wildcards."},
        "arguments": {
            "type": "object",
            "description": "A constraint for each argument; an argument that is not named is refused.",
            "additionalProperties": {"$ref": "#/$defs/Constraint"},
        },
        "other_arguments": {
            "type": "boolean",
            "default": False,
            "description": "Whether arguments that are not named are permitted.",
        },
        "ceilings": {
            "type": "object",
            "description": "Limits on all calls together.",
            "additionalProperties": False,
            "properties": {
                "calls": {"type": ["integer", "string"], "description": "Maximum number of calls."},
                "amount": {"type": "object", "description": "Largest sum, by argument."},
                "result_class": {
                    "type": "string",
                    "description": "Highest class that a result may carry.",
                },
            },
        },
    },
}


# Forms that are read elsewhere (`core.tools.constraint`, `core.tasks.grant`), with their parts.
_WRITTEN: Final[dict[str, dict[str, Json]]] = {
    "Constraint": {"Constraint": _CONSTRAINT},
    "Grant": {"Constraint": _CONSTRAINT, "Grant": _GRANT},
}


def generate() -> dict[str, str]:
    """Return each generated page below `docs/` with its text."""
    pages = {
        page: json.dumps(json_schema(name, form), indent=2, ensure_ascii=False) + "\n"
        for page, (name, form) in SCHEMAS.items()
    }
    return {**pages, REFERENCE: reference()}


def config_page(page: str) -> str:
    """Return the text of one generated page."""
    return generate()[page]


def json_schema(name: str, form: Any) -> dict[str, Json]:
    """Return the JSON Schema of one kind of file (draft 2020-12)."""
    defs: dict[str, Json] = {}
    body = _schema(type_of(form), defs)
    schema = {"$schema": DIALECT, "title": name, **defs.pop(body["$ref"].rpartition("/")[2])}
    return {**schema, "$defs": dict(sorted(defs.items()))} if defs else schema


def _schema(kind: inspect.Type, defs: dict[str, Json]) -> dict[str, Json]:
    """Return the schema of a type; sections go to `defs`."""
    kind, extra, description = unwrapped(kind)
    if name := extra.get("written"):
        defs.update(_WRITTEN[name])
        out: dict[str, Json] = {"$ref": f"#/$defs/{name}"}
    else:
        out = _bare_schema(kind, extra, defs)
    return {**out, "description": description} if description else out


def _bare_schema(kind: inspect.Type, extra: dict[str, Any], defs: dict[str, Json]) -> dict[str, Json]:
    if isinstance(kind, inspect.StructType):
        name = kind.cls.__name__
        if name not in defs:
            defs[name] = {}  # reserves its position, before the types that it refers to
            defs[name] = _section_schema(kind, defs)
        return {"$ref": f"#/$defs/{name}"}
    if isinstance(kind, inspect.DictType):
        keys, _, _ = unwrapped(kind.key_type)
        out: dict[str, Json] = {"type": "object", "additionalProperties": _schema(kind.value_type, defs)}
        if isinstance(keys, inspect.StrType) and (names := _text_schema(keys)) != {"type": "string"}:
            out["propertyNames"] = names
        return {**out, "minProperties": kind.min_length} if kind.min_length else out
    if isinstance(kind, inspect.VarTupleType):
        items = _schema(kind.item_type, defs)
        out = {"type": "array", "items": items}
        out = {**out, "minItems": kind.min_length} if kind.min_length else out
        return {"anyOf": [items, out]} if extra.get("one") else out
    if isinstance(kind, inspect.UnionType):
        parts = [part for part in kind.types if not isinstance(part, inspect.NoneType)]
        return {"anyOf": [_schema(parts[0], defs), {"type": "null"}]}
    if "quantity" in extra and isinstance(kind, inspect.IntType):
        least = kind.ge or 0
        if extra["quantity"] == "money":
            return {
                "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": extra["pattern"]}]
            }
        return {"anyOf": [_integer_schema(kind, least), {"type": "string", "pattern": extra["pattern"]}]}
    if isinstance(kind, inspect.StrType):
        return _text_schema(kind)
    if isinstance(kind, inspect.IntType):
        return _integer_schema(kind, kind.ge)
    if isinstance(kind, inspect.BoolType):
        return {"type": "boolean"}
    if isinstance(kind, inspect.LiteralType):
        return {"enum": list(kind.values)}
    if isinstance(kind, inspect.EnumType):
        return {"enum": [member.value for member in kind.cls]}
    return {} if isinstance(kind, inspect.AnyType) else {"type": "string"}  # a secret is written as text


def _section_schema(kind: inspect.StructType, defs: dict[str, Json]) -> dict[str, Json]:
    properties: dict[str, Json] = {}
    for item in shown_fields(kind):
        schema = _schema(item.type, defs)
        default = _default(item)
        properties[item.encode_name] = (
            schema if default is None or default == {} else {**schema, "default": default}
        )
    out = {
        "type": "object",
        "description": _meaning(kind),
        "properties": properties,
        "additionalProperties": False,
    }
    required = [item.encode_name for item in shown_fields(kind) if item.required]
    return {**out, "required": required} if required else out


def _text_schema(kind: inspect.StrType) -> dict[str, Json]:
    out: dict[str, Json] = {"type": "string"}
    if kind.pattern:
        out["pattern"] = kind.pattern
    return {**out, "minLength": kind.min_length} if kind.min_length else out


def _integer_schema(kind: inspect.IntType, least: int | None) -> dict[str, Json]:
    out: dict[str, Json] = {"type": "integer"}
    if least is not None:
        out["minimum"] = least
    return {**out, "maximum": kind.le} if kind.le is not None else out


def _default(item: inspect.Field) -> Json:
    """Return a field's default as JSON; `None` if there is none worth showing."""
    if item.default is msgspec.NODEFAULT or isinstance(item.default, msgspec.Struct):
        return None
    return msgspec.to_builtins(item.default) if item.default != "" else None


def _meaning(kind: inspect.StructType) -> str:
    return " ".join((kind.cls.__doc__ or "").split())


def reference() -> str:
    """Return the reference page: every key of every file, with its type, default and meaning."""
    out = [
        "# Configuration",
        "",
        "Generated from the code by `make docs`. An unknown key is an error. For editors there are",
        "JSON Schemas: [remit.yaml](schemas/remit.json), [tools](schemas/tools.json),",
        "[tasks](schemas/tasks.json).",
        "",
        "Sizes are bytes or `64 KiB`, `1 MiB`, `1 GiB`; durations are seconds or `15s`, `30m`, `1h 30m`.",
        "Secrets are named, never written: `env:NAME`, `file:path` (a file closed to other users),",
        "`openbao:MOUNT/PATH#field` or `keyring:SERVICE/NAME`, in a header also after one word:",
        "`Bearer env:NAME`. See [how the last two are read](../howto/read-secrets-from-openbao.md).",
    ]
    for name, form in SCHEMAS.values():
        kind = type_of(form)
        assert isinstance(kind, inspect.StructType)
        out += [
            "",
            f"## {name}",
            "",
            _meaning(kind),
            "",
            "| key | value | default | meaning |",
            "| --- | --- | --- | --- |",
        ]
        out += [
            f"| `{key}` | {value} | {default} | {text} |" for key, value, default, text in _rows(kind, "")
        ]
    kinds = ", ".join(f"`{kind}`" for kind in KINDS)
    return "\n".join(
        [*out, "", "## Argument constraints", "", f"A mapping of one key, the kind: {kinds}.", ""]
    )


def _rows(section: inspect.StructType, above: str) -> Iterator[tuple[str, str, str, str]]:
    for item in shown_fields(section):
        key = above + item.encode_name
        kind, extra, description = unwrapped(item.type)
        inner, below = _inside(kind, key)
        meaning = description or (_meaning(inner) if inner else "")
        default = "required" if item.required else _shown_default(item, extra)
        yield key, _value(kind, extra), default, meaning.replace("|", "\\|")
        if inner:
            yield from _rows(inner, below)


def _inside(kind: inspect.Type, key: str) -> tuple[inspect.StructType | None, str]:
    """Return the section below a key, and the prefix of its own keys."""
    if isinstance(kind, inspect.UnionType):
        kind = next(part for part in kind.types if not isinstance(part, inspect.NoneType))
    if isinstance(kind, inspect.StructType):
        return kind, f"{key}."
    if isinstance(kind, inspect.DictType):
        inner, _, _ = unwrapped(kind.value_type)
        if isinstance(inner, inspect.VarTupleType):
            return _inside(inner, f"{key}.*")
        return (inner, f"{key}.*.") if isinstance(inner, inspect.StructType) else (None, "")
    if isinstance(kind, inspect.VarTupleType) and isinstance(kind.item_type, inspect.StructType):
        return kind.item_type, f"{key}[]."
    return None, ""


def _value(kind: inspect.Type, extra: dict[str, Any]) -> str:
    if "quantity" in extra:
        return str(extra["quantity"])
    if isinstance(kind, inspect.UnionType):
        inner, within, _ = unwrapped(next(p for p in kind.types if not isinstance(p, inspect.NoneType)))
        return _value(inner, within)
    if isinstance(kind, inspect.LiteralType):
        return ", ".join(f"`{value}`" for value in kind.values)
    if isinstance(kind, inspect.EnumType):
        return ", ".join(f"`{member.value}`" for member in kind.cls)
    words: dict[type, str] = {
        inspect.StrType: "text",
        inspect.IntType: "whole number",
        inspect.BoolType: "`true` or `false`",
        inspect.DictType: "mapping",
        inspect.StructType: "mapping",
        inspect.VarTupleType: "list",
        inspect.AnyType: "any",
        inspect.DataclassType: "a secret: `env:`, `file:`, `openbao:` or `keyring:`",
    }
    return words[type(kind)]


def _shown_default(item: inspect.Field, extra: dict[str, Any]) -> str:
    default = _default(item)
    if default is None or default == []:
        return ""
    if extra.get("quantity") == "size":
        return f"`{shown_size(default)}`"
    if extra.get("quantity") == "duration":
        return f"`{shown_duration(default)}`"
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"
