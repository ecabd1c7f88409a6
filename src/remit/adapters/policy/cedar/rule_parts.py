# SPDX-License-Identifier: Apache-2.0
"""The parts of a rule that two versions of it are compared by."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from remit.core.json_value import Json

_SCOPE: Final = ("effect", "principal", "action", "resource")
#: Operators that cannot fail on values that fit the schema; every other one counts as one that can.
_SAFE: Final = frozenset(
    {
        *("Value", "Var", ".", "has", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "!", "if-then-else"),
        *("in", "is", "like", "contains", "containsAll", "containsAny", "isEmpty", "Set", "Record"),
        *("lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual", "toTime", "toDate"),
        *("left", "right", "arg", "if", "then", "else", "attr", "pattern", "entity_type"),
    }
)


def rule_parts(policy: Json) -> tuple[str, tuple[str, ...], bool]:
    """Return the digests of a policy's scope and of each condition, and whether a condition can fail."""
    scope = _digest({name: policy.get(name) for name in _SCOPE})
    conditions = policy.get("conditions", [])
    return (
        scope,
        tuple(sorted(map(_digest, conditions))),
        any(can_fail(one.get("body")) for one in conditions),
    )


def _digest(value: Json) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def can_fail(node: Json) -> bool:
    """Return whether an expression has an operator that is not known to be safe."""
    pending = [node]
    while pending:
        one = pending.pop()
        if isinstance(one, list):
            pending += one
        elif isinstance(one, dict):
            for name, below in one.items():
                if name in ("Value", "pattern"):
                    continue
                if name == "Record":
                    pending += below.values()
                    continue
                if name not in _SAFE:
                    return True
                pending.append(below)
    return False
