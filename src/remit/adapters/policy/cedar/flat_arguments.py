# SPDX-License-Identifier: Apache-2.0
"""Arguments as attributes of the context itself, for rules that read each of them by its name.

What Cedar does to read a context costs as much for a record as for a value in it, tens of thousands of
instructions each, while the rules themselves cost hardly anything. Most rules ask for `context.args.x` and
never for `context.args` as a whole. For these `args` is left out: they are rewritten to read the attribute
`"args.x"` of the context, which is there exactly when `context.args` has an `x`, with the same value and of
the same type. No fact has a name with a dot, so none is hidden by it.
"""

from __future__ import annotations

import msgspec

from remit.adapters.policy.cedar.types import Kind, Shape
from remit.core.json_value import Json

ARGUMENTS = "args"
_CONTEXT = {"Var": "context"}
_WHOLE = {".": {"left": _CONTEXT, "attr": ARGUMENTS}}
_THERE = {"Value": True}


class _Whole(Exception):
    """Something reads all arguments at once, or all of the context."""


def flat_name(name: str) -> str:
    """Return the name that an argument has among the attributes of the context."""
    return f"{ARGUMENTS}.{name}"


def flattened(policy: Json) -> Json | None:
    """Return a policy (Cedar's JSON form) that reads arguments by their flat names; None where it cannot."""
    try:
        conditions = [{**one, "body": _expression(one["body"])} for one in policy.get("conditions", [])]
    except _Whole:
        return None
    return {**policy, "conditions": conditions}


def flat_shape(shape: Shape) -> Shape:
    """Return the context's type without `args`, and with each argument by its flat name."""
    below = shape.fields[ARGUMENTS]
    fields = {name: one for name, one in shape.fields.items() if name != ARGUMENTS}
    return msgspec.structs.replace(
        shape,
        fields={**fields, **{flat_name(name): one for name, one in below.fields.items()}},
        required=frozenset((shape.required - {ARGUMENTS}) | {flat_name(name) for name in below.required}),
    )


def can_be_flat(shape: Shape) -> bool:
    """Whether a context holds a record of arguments at all."""
    below = shape.fields.get(ARGUMENTS)
    return below is not None and below.kind is Kind.RECORD and ARGUMENTS in shape.required


def _expression(node: Json) -> Json:
    """Rewrite one expression; raises `_Whole` where it reads more than single arguments."""
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
            # Its names are the rule's own, whatever they look like.
            return {name: {key: _expression(one) for key, one in body.items()}}
        if name in (".", "has") and isinstance(body, dict):
            left, attr = body["left"], body["attr"]
            if left == _WHOLE:
                return {name: {"left": _CONTEXT, "attr": flat_name(attr)}}
            if left == _CONTEXT:
                # (`.` is not of the arguments: that would be the whole of them.)
                return _THERE if name == "has" and attr == ARGUMENTS else node
    return {key: _expression(one) for key, one in node.items()}
