# SPDX-License-Identifier: Apache-2.0
"""Finds the tools that a rule is for: those that it compares with literals, in each of its bodies.

INVARIANT: a rule cannot match a call of any other tool. A body holds only if each of its expressions holds,
so one plain comparison is enough. What is negated, goes through a variable or a helper, or has `with` says
nothing: the rule is for every tool.
"""

from __future__ import annotations

from collections.abc import Sequence

from remit.adapters.policy.rego.syntax import Definition, Names, called, fact_named

_TOOL = (("action", "id"), ("resource", "id"))
_UPSTREAM = (("resource", "upstream"),)


def scope_of(bodies: Sequence[Definition]) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    """Return the tools and the upstreams that a rule with these bodies is for; `None`: it does not say."""
    return _all(bodies, _TOOL), _all(bodies, _UPSTREAM)


def _all(bodies: Sequence[Definition], facts: Sequence[Names]) -> frozenset[str] | None:
    found = [_compared(body, facts) for body in bodies]
    return None if None in found else frozenset().union(*(one for one in found if one))


def _compared(body: Definition, facts: Sequence[Names]) -> frozenset[str] | None:
    """Return the literals that a body compares one of these facts with, if it does."""
    if "else" in body.tree:
        return None
    for expression in body.tree["body"]:
        terms = expression.get("terms")
        if expression.get("negated") or expression.get("with") or not isinstance(terms, list):
            continue
        name, operands = called(terms[0]), terms[1:]
        if name in ("equal", "eq") and len(operands) == 2:
            fact, other = operands if fact_named(operands[0]) in facts else operands[::-1]
            if fact_named(fact) in facts and other.get("type") == "string":
                return frozenset({str(other["value"])})
        if name == "internal.member_2" and len(operands) == 2 and fact_named(operands[0]) in facts:
            among = operands[1]
            if among.get("type") in ("set", "array") and all(
                one.get("type") == "string" for one in among["value"]
            ):
                return frozenset(str(one["value"]) for one in among["value"])
    return None
