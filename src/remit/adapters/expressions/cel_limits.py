# SPDX-License-Identifier: Apache-2.0
"""How much work an expression in CEL can be, read from its tree before it runs.

The unit is one pass over the input. A value that comes from the input counts as the whole of it, a constant
as nothing. A macro passes over its list once for each node of its body; so a body may read its item and
constants, and neither the variables nor a pattern, and may hold no other macro.

Source: cel-spec, `proto/cel/expr/syntax.proto` and `checked.proto`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError

from remit.core.protobuf_messages import BOOL, BYTES, INT32, STRING, described

MAX_DEPTH: Final = 64
MAX_PATTERN: Final = 64
_VARIABLES: Final = frozenset(("params", "token"))
#: Functions that an expression may call; their work is proportional to what they read.
_FUNCTIONS: Final = frozenset(
    (
        "bool", "contains", "double", "endsWith", "hasValue", "int", "matches", "optional.none",
        "optional.of", "or", "orValue", "size", "startsWith", "string",
    )
)  # fmt: skip
#: Operators and functions whose value is as large as what they read.
_LARGE: Final = frozenset(("_+_", "_?_:_", "_[_]", "_[?_]", "_?._", "optional.of", "or", "orValue", "string"))
_OPERATOR: Final = re.compile(r"[^A-Za-z]+|@in|@not_strictly_false")
#: A pattern that takes one step for each of its characters and the text's: no counts, no large classes.
_PATTERN: Final = re.compile(rf"(?:[^{{\\]|\\[^pPx]){{0,{MAX_PATTERN}}}", re.DOTALL)
#: A constant that is null: field 1 with the value 0, which proto3 does not tell from an absent one.
_NULL: Final = b"\x08\x00"
#: Passes of a search for a text in a text.
_SEARCH: Final = 4

_message: Final = described(
    "cel",
    {
        "Any": (("value", 2, BYTES),),
        "CheckedExpr": (("expr", 4, "Expr"),),
        "Constant": (("string_value", 6, STRING),),
        "Ident": (("name", 1, STRING),),
        "Select": (("operand", 1, "Expr"),),
        "Call": (("target", 1, "Expr"), ("function", 2, STRING), ("*args", 3, "Expr")),
        "List": (("*elements", 1, "Expr"), ("*optional_indices", 2, INT32)),
        "Entry": (("map_key", 3, "Expr"), ("value", 4, "Expr"), ("optional_entry", 5, BOOL)),
        "Struct": (("message_name", 1, STRING), ("*entries", 2, "Entry")),
        "Comprehension": (
            ("iter_var", 1, STRING),
            ("iter_range", 2, "Expr"),
            ("accu_var", 3, STRING),
            ("accu_init", 4, "Expr"),
            ("loop_condition", 5, "Expr"),
            ("loop_step", 6, "Expr"),
            ("result", 7, "Expr"),
        ),
        "Expr": (
            ("const_expr", 3, "Constant"),
            ("ident_expr", 4, "Ident"),
            ("select_expr", 5, "Select"),
            ("call_expr", 6, "Call"),
            ("list_expr", 7, "List"),
            ("struct_expr", 8, "Struct"),
            ("comprehension_expr", 9, "Comprehension"),
        ),
    },
)


#: The names of a macro's body, each with its size; `None` outside of one.
_Body = Mapping[str, int] | None


class Weight(NamedTuple):
    """The passes of an expression, the size of its value in inputs, and whether it may be optional."""

    work: int
    size: int
    optional: bool = False


def weighed(serialized: bytes) -> Weight:
    """Return the weight of a checked expression, the reading of its value included.

    Raises `ValueError`, whose text says what is not permitted.
    """
    try:
        checked = _message("CheckedExpr").FromString(_message("Any").FromString(serialized).value)
    except DecodeError:
        raise ValueError("it is nested too deeply") from None
    work, size, optional = _weight(checked.expr, None, 0)
    return Weight(work + 2 * size + 1, size, optional)


def _weight(one: Any, body: _Body, depth: int) -> Weight:
    if depth > MAX_DEPTH:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH}")
    if one.HasField("ident_expr"):
        work, size, optional = 0, _size_of(one.ident_expr.name, body), False
    elif one.HasField("comprehension_expr"):
        work, size, optional = _macro(one.comprehension_expr, body, depth)
    else:
        parts = [_weight(below, body, depth + 1) for below in _below(one)]
        read = sum(part.size for part in parts)
        work, size = sum(part.work for part in parts), read
        optional = _optional(one, [part.optional for part in parts])
        if one.HasField("call_expr"):
            work += read * _passes(one.call_expr, body)
            size = read if one.call_expr.function in _LARGE else 0
    # In a body, each node is a step for each item.
    return Weight(work + (body is not None), size, optional)


def _optional(one: Any, parts: list[bool]) -> bool:
    """Return whether a value may be optional; such a one in a list or map would end the process."""
    name = one.call_expr.function
    if name in ("_==_", "_!=_"):
        return False
    if any(below.const_expr.SerializeToString() == _NULL for below in _below(one)):
        raise ValueError("it has a `null` that it does not compare")
    if one.HasField("list_expr"):
        given = set(one.list_expr.optional_indices)
        parts = [part and at not in given for at, part in enumerate(parts)]
    elif one.HasField("struct_expr"):
        given = {2 * at + 1 for at, entry in enumerate(one.struct_expr.entries) if entry.optional_entry}
        parts = [part and at not in given for at, part in enumerate(parts)]
    elif one.HasField("select_expr") or name in ("or", "_?_:_"):
        return any(parts)
    elif name in ("_?._", "_[?_]", "_[_]", "orValue", "hasValue"):
        made = name in ("_?._", "_[?_]") or (name == "_[_]" and parts[0])
        if not any(parts[1:]):
            return made
    if any(parts):
        raise ValueError("it has an optional value in a place that needs one")
    return name in ("optional.of", "optional.none")


def _size_of(name: str, body: _Body) -> int:
    if body is None:
        if name not in _VARIABLES:
            raise ValueError(f"it reads `{name[:40]}`")
        return 1
    if name not in body:
        raise ValueError(f"a macro's body reads `{name[:40]}`, and may read its item alone")
    return body[name]


def _macro(one: Any, body: _Body, depth: int) -> Weight:
    if body is not None:
        raise ValueError("it has a macro in a macro")
    if not one.accu_init.HasField("const_expr"):
        raise ValueError("it has a macro that builds a value")
    ranged = _weight(one.iter_range, None, depth + 1)
    if ranged.optional:
        raise ValueError("it has a macro over an optional value")
    # All items together are as large as the range; what a body builds of them is a truth value or a number.
    inside = {one.iter_var: 1, one.accu_var: 0}
    steps = [_weight(part, inside, depth + 1) for part in (one.loop_condition, one.loop_step)]
    passes = sum(step.work for step in steps)
    return Weight(ranged.work + max(1, ranged.size) * passes, 0)


def _passes(call: Any, body: _Body) -> int:
    """Return how often a call passes over what it reads."""
    name = call.function
    if _OPERATOR.fullmatch(name):
        return 1
    if name not in _FUNCTIONS:
        raise ValueError(f"it calls `{name[:40]}`")
    if name == "matches":
        pattern = call.args[-1].const_expr.string_value if call.args[-1].HasField("const_expr") else "{"
        if body is not None or not _PATTERN.fullmatch(pattern):
            raise ValueError(
                f"a pattern is a text of {MAX_PATTERN} characters without counts, classes by name or "
                "place in a macro"
            )
        return 1 + len(pattern)
    return _SEARCH if name == "contains" else 1


def _below(one: Any) -> list[Any]:
    """Return the expressions that an expression is made of."""
    if one.HasField("select_expr"):
        return [one.select_expr.operand]
    if one.HasField("call_expr"):
        target = [one.call_expr.target] if one.call_expr.HasField("target") else []
        return [*target, *one.call_expr.args]
    if one.HasField("list_expr"):
        return list(one.list_expr.elements)
    if one.HasField("struct_expr"):
        if one.struct_expr.message_name:
            raise ValueError("it makes a message")
        return [part for entry in one.struct_expr.entries for part in (entry.map_key, entry.value)]
    if one.HasField("const_expr"):
        return []
    raise ValueError("it has a part that remit does not know")
