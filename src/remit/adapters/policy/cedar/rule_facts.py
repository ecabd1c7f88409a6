# SPDX-License-Identifier: Apache-2.0
"""The facts that a Cedar rule reads, and the literals that it compares them with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from remit.adapters.policy.cedar.expressions import fact_of, literal, literals, part
from remit.adapters.policy.cedar.rule import CedarRule
from remit.adapters.policy.rule_facts import Compared, dotted
from remit.core.json_value import Json

_ENTITIES: Final = ("principal", "resource")
_GROUPS: Final = ("principal", "groups")


def facts_read(rule: CedarRule) -> tuple[str, ...]:
    """Return the dotted names of the facts that a rule reads."""
    paths = [("context", *(name for name in path if name is not None)) for path in rule.reads.paths]
    paths += [path for node in _nodes(rule.policy) if (path := fact_of(node))[:1] and path[0] in _ENTITIES]
    if any(kind == "Group" for kind, _ in rule.uids):
        paths.append(_GROUPS)
    return dotted(path for path in paths if len(path) > 1)


def literals_compared(rule: CedarRule) -> tuple[Compared, ...]:
    """Return the literals that a rule compares facts with."""
    found: dict[Compared, None] = {}
    for node in _nodes(rule.policy):
        _, body = part(node)
        sides = (
            body
            if isinstance(body, list)
            else [body.get("left"), body.get("right")]
            if isinstance(body, dict)
            else []
        )
        if len(sides) != 2:
            continue
        for fact, other in (sides, sides[::-1]):
            if path := fact_of(fact):
                found |= dict.fromkeys((".".join(path), value) for value in _values(other))
    return tuple(found)


def _values(node: Json) -> Iterator[Json]:
    name, body = part(node)
    if name == "decimal" and isinstance(body, list) and body:
        text = literal(body[0])
        if isinstance(text, str):
            yield float(text)
    elif (one := literal(node)) is not None:
        yield one
    else:
        yield from literals(node) or ()


def _nodes(policy: Json) -> Iterator[Json]:
    """Yield every expression in the conditions of a policy."""
    pending = [one.get("body") for one in policy.get("conditions", [])]
    while pending:
        node = pending.pop()
        name, body = part(node)
        if name:
            yield node
        if name != "Value":
            pending += body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
