# SPDX-License-Identifier: Apache-2.0
"""An expression that fails where a rule fails, and is true for every other call."""

from __future__ import annotations

from functools import reduce
from typing import Final

from remit.core.json_value import Json

_TRUE: Final[Json] = {"Value": True}
_AGENT: Final[Json] = {"Var": "principal"}


def evaluated(policy: Json) -> Json:
    """Return the expression of a policy in Cedar's JSON form, whose action and resource match every call."""
    bodies = [
        one["body"] if one["kind"] == "when" else {"!": {"arg": one["body"]}}
        for one in policy.get("conditions", [])
    ]
    whole: Json = reduce(lambda left, right: {"&&": {"left": left, "right": right}}, bodies, _TRUE)
    tried = {"if-then-else": {"if": whole, "then": _TRUE, "else": _TRUE}}
    # A rule of other agents is not evaluated.
    return {"if-then-else": {"if": _matches(policy["principal"]), "then": tried, "else": _TRUE}}


def _matches(scope: Json) -> Json:
    """Return the scope of a rule's agents as an expression."""
    match scope:
        case {"op": "==" | "in" as operator, "entity": entity}:
            return {operator: {"left": _AGENT, "right": {"Value": {"__entity": entity}}}}
        case {"op": "is", "entity_type": kind, "in": {"entity": entity}}:
            return {"is": {"left": _AGENT, "entity_type": kind, "in": {"Value": {"__entity": entity}}}}
        case {"op": "is", "entity_type": kind}:
            return {"is": {"left": _AGENT, "entity_type": kind}}
        case _:
            return _TRUE
