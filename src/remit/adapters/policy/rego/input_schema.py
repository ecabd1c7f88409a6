# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema of a rule's `input`, generated from the registered tools and task types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from remit.adapters.policy.facts import AGENT, NO_CLAIMS, NO_HISTORY, TOOL, context_shape
from remit.adapters.policy.types import STRING, STRINGS, Kind, Shape, record
from remit.core.json_value import Json
from remit.core.tools.tool import Tool

MIXED: Final = "of several types"
ACTION: Final = record(id=STRING)
_PRINCIPAL: Final = record(id=STRING, groups=STRINGS, **AGENT.fields)
_RESOURCE: Final = record(id=STRING, **TOOL.fields)
_SIMPLE: Final = {
    Kind.STRING: {"type": "string"},
    Kind.LONG: {"type": "integer"},
    Kind.BOOL: {"type": "boolean"},
    Kind.DECIMAL: {"type": "number"},
    Kind.DATETIME: {"type": "string", "format": "date-time"},
}


def input_shape(
    tool: Tool,
    params: Shape,
    facts: Shape,
    history: Shape = NO_HISTORY,
    known_posture: Shape = NO_CLAIMS,
) -> Shape:
    """Return the type of `input` for calls of one tool."""
    context = context_shape(tool, params, facts, history, known_posture)
    return record(principal=_PRINCIPAL, action=ACTION, resource=_RESOURCE, context=context)


def joined(shapes: Sequence[Shape]) -> Shape:
    """Return a record type with the fields of all; a field of several types is `hidden`."""
    fields: dict[str, Shape] = {}
    hidden: dict[str, str] = {}
    for shape in shapes:
        hidden |= {name: why for name, why in shape.hidden.items() if name not in hidden}
        for name, below in shape.fields.items():
            known = fields.setdefault(name, below)
            if known.kind is below.kind is Kind.RECORD:
                fields[name] = joined((known, below))
            elif known != below:
                hidden[name] = MIXED
    required = frozenset.intersection(*(shape.required for shape in shapes)) if shapes else frozenset()
    return Shape(
        Kind.RECORD,
        fields={name: below for name, below in fields.items() if hidden.get(name) != MIXED},
        required=frozenset(required & fields.keys()),
        hidden={name: why for name, why in hidden.items() if why == MIXED or name not in fields},
    )


def schema_text(
    tools: Sequence[Tool],
    params: Shape,
    facts: Shape,
    history: Shape = NO_HISTORY,
    known_posture: Shape = NO_CLAIMS,
) -> str:
    """Return the JSON Schema, for people, for `opa check --schema`, and for storage with the policies.

    The arguments of each tool are below `$defs`, and those of all tools are the type of `context.args`. An
    argument that has several types is readable where a rule compares `input.action.id` first.
    """
    ordered = sorted(tools, key=lambda one: one.id)
    known = (params, facts, history, known_posture)
    shapes = [input_shape(tool, *known) for tool in ordered or [Tool(upstream="", name="")]]
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": "generated from the registered tools and task types; changes made here are lost",
        **json_schema(joined(shapes)),
        "$defs": {
            tool.id: json_schema(shape.fields["context"].fields["args"])
            for tool, shape in zip(ordered, shapes, strict=False)
        },
    }
    return msgspec.json.format(msgspec.json.encode(document)).decode() + "\n"


def json_schema(shape: Shape) -> dict[str, Json]:
    """Return a type as JSON Schema."""
    if shape.of is not None:
        return {"type": "array", "items": json_schema(shape.of)}
    if shape.kind is not Kind.RECORD:
        return dict(_SIMPLE[shape.kind])
    properties = {name: json_schema(below) for name, below in sorted(shape.fields.items())}
    # What has several types is checked rule by rule; here it may be anything.
    mixed = {
        name: {"description": f"{why}: compare `input.action.id` first"}
        for name, why in sorted(shape.hidden.items())
        if why == MIXED
    }
    return {
        "type": "object",
        "properties": {**properties, **mixed},
        "required": sorted(shape.required),
        "additionalProperties": False,
    }
