# SPDX-License-Identifier: Apache-2.0
"""Arguments as attributes of the context itself, for rules that read each argument by name.

When Cedar reads a context, a record costs as much as a value in it, tens of thousands of instructions each,
while the rules themselves cost hardly anything. Most rules ask for `context.args.x` and never for
`context.args` as a whole. For these rules `args` is left out, and they are rewritten to read the context
attribute `"args.x"`. It exists exactly when `context.args` has an `x`, with the same value and type. No fact
has a name with a dot, so a flat name hides no fact.
"""

from __future__ import annotations

import msgspec

from remit.adapters.policy.types import Kind, Shape
from remit.core.json_value import Json

ARGUMENTS = "args"
_CONTEXT = {"Var": "context"}
_WHOLE = {".": {"left": _CONTEXT, "attr": ARGUMENTS}}
_THERE = {"Value": True}


class _Whole(Exception):
    """Raised for an expression that reads all arguments at once, or the whole context."""


def flat_name(name: str) -> str:
    """Return the name of an argument among the attributes of the context."""
    return f"{ARGUMENTS}.{name}"


def flattened(policy: Json) -> Json | None:
    """Return a policy (Cedar's JSON form) rewritten to read flat arguments; None if that is impossible."""
    try:
        conditions = [{**one, "body": _expression(one["body"])} for one in policy.get("conditions", [])]
    except _Whole:
        return None
    return {**policy, "conditions": conditions}


def flat_shape(shape: Shape) -> Shape:
    """Return the context's type without `args`, and with each argument under its flat name."""
    below = shape.fields[ARGUMENTS]
    fields = {name: one for name, one in shape.fields.items() if name != ARGUMENTS}
    return msgspec.structs.replace(
        shape,
        fields={**fields, **{flat_name(name): one for name, one in below.fields.items()}},
        required=frozenset((shape.required - {ARGUMENTS}) | {flat_name(name) for name in below.required}),
    )


def with_flat(context: dict[str, Json]) -> dict[str, Json]:
    """Return a context with each argument under its flat name."""
    arguments = context.pop(ARGUMENTS)
    return {**context, **{flat_name(name): item for name, item in arguments.items()}}


def can_be_flat(shape: Shape) -> bool:
    """Return whether a context has a record of arguments at all."""
    below = shape.fields.get(ARGUMENTS)
    return below is not None and below.kind is Kind.RECORD and ARGUMENTS in shape.required


def _expression(node: Json) -> Json:
    """Rewrite one expression; raise `_Whole` if it reads more than single arguments."""
    if isinstance(node, list):
        return [_expression(one) for one in node]
    if not isinstance(node, dict):
        return node
    if node in (_CONTEXT, _WHOLE):
        raise _Whole
    if len(node) == 1:
        ((name, body),) = node.items()
        if name == "Value":
            return node
        if name == "Record":
            # A record's names belong to the rule, whatever they look like.
            return {name: {key: _expression(one) for key, one in body.items()}}
        if name in (".", "has") and isinstance(body, dict):
            left, attr = body["left"], body["attr"]
            if left == _WHOLE:
                return {name: {"left": _CONTEXT, "attr": flat_name(attr)}}
            if left == _CONTEXT:
                # (A `.` here cannot mean the arguments: that would read them as a whole.)
                return _THERE if name == "has" and attr == ARGUMENTS else node
    return {key: _expression(one) for key, one in node.items()}
