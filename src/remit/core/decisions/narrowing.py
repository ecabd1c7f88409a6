# SPDX-License-Identifier: Apache-2.0
"""Narrowing: an approver permits less than was asked.

INVARIANT: a narrowed call does nothing that the call which was asked would not have done. So an argument can
be narrowed only where its description proves the direction, and everything else stays as it was asked:

- a number that is described as an amount: a lower one, above 0;
- a list of destinations, or of stored data that is handed over: fewer of the elements that were asked;
- a path, which a grant constrains as one: a path below.

A shorter list of anything else may select more (a filter), and no other text can be compared. The same
applies to calls whose description hides a value: no person can see what remains of them.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Final

from remit.core.canonical import digest
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import PolicyAnswer, RuleRef
from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.tasks.grant import Grant
from remit.core.tools.constraint import PathUnder, Verdict, path_fault
from remit.core.tools.constraint.base import is_number
from remit.core.tools.json_path import EACH, path_of
from remit.core.tools.tool import LEADING, Argument, ArgumentRole, Tool

#: Kinds of facts of the flow that a person settles who writes the value, by the roles of arguments.
_SETTLED: Final = {one.value for one in (ArgumentRole.AMOUNT, *LEADING)}
_ABOUT_THE_TASK: Final = "tainted"


class NarrowedBy(enum.StrEnum):
    """How an argument of a call can be narrowed."""

    LOWER = "lower"
    FEWER = "fewer"
    BELOW = "below"


def narrowable(request: AccessRequest) -> dict[str, NarrowedBy]:
    """Return the arguments of a call that an approver may narrow, each with the way."""
    tool = request.tool
    if not tool.described or request.follows:
        return {}
    if any(_hidden(spec) and path_of(key)[0] in request.arguments for key, spec in tool.arguments.items()):
        return {}
    return {
        name: how
        for name, value in request.arguments.items()
        if (how := _way(tool, name, value, request.grants)) is not None
    }


def _hidden(spec: Argument) -> bool:
    return spec.sensitive or spec.secret


def _way(tool: Tool, name: str, value: Json, grants: Iterable[Grant]) -> NarrowedBy | None:
    spec = tool.arguments.get(name)
    if spec is not None and spec.least:
        return None  # powers are not ordered
    if isinstance(value, list):
        return NarrowedBy.FEWER if len(value) > 1 and _goes_to_each(tool, name) else None
    if spec is None:
        return None
    if spec.role is ArgumentRole.AMOUNT:
        return NarrowedBy.LOWER if is_number(value) and _number(value) > 0 else None
    if spec.role in LEADING and isinstance(value, str) and not path_fault(value):
        return NarrowedBy.BELOW if any(_is_path(grant, name) for grant in grants) else None
    return None


def _goes_to_each(tool: Tool, name: str) -> bool:
    """Return whether each element of a list is a destination, or data that is handed over."""
    parts = [
        spec
        for key, spec in tool.arguments.items()
        if key == name or (path_of(key)[:2] == (name, EACH) and len(path_of(key)) > 1)
    ]
    return any(one.role is ArgumentRole.DESTINATION or one.hands_over for one in parts)


def _is_path(grant: Grant, name: str) -> bool:
    return any(_says_path(layer.arguments.get(name)) for layer in grant.layers)


def _says_path(spec: Json) -> bool:
    """Return whether a written constraint lets only paths pass."""
    if not isinstance(spec, dict):
        return False
    if "path_under" in spec or "glob" in spec:
        return True
    inner = spec.get("all", [spec.get("optional")])
    return isinstance(inner, list) and any(map(_says_path, inner))


def narrowed(
    arguments: Mapping[str, Json], ways: Mapping[str, NarrowedBy], wanted: Mapping[str, Json]
) -> dict[str, Json]:
    """Return a call's arguments with those narrowed that a person has changed.

    Raises `Malformed` (`not-narrowable`, `not-narrower`) for every change that is not proven to be narrower.
    """
    for name, value in wanted.items():
        how = ways.get(name)
        if how is None:
            known = ", ".join(f"`{one}` ({way.value})" for one, way in ways.items()) or "none"
            raise Malformed(
                f"`{name[:80]}` cannot be narrowed",
                code="not-narrowable",
                remediation=f"narrow one of these, or refuse the call: {known}",
            )
        if not _IS_NARROWER[how](arguments[name], value):
            raise Malformed(
                f"the value for `{name[:80]}` is not narrower than what was asked",
                code="not-narrower",
                remediation=_REMEDIATION[how],
            )
    return {**arguments, **wanted}


def check_granted(tool: str, arguments: dict[str, Json], grants: Iterable[Grant]) -> None:
    """Refuse (`Malformed`) a narrower call that its task's grants would refuse: it is of no use."""
    faults = [one.permits(arguments) for one in grants if one.tool == tool]
    if faults and all(faults):
        raise Malformed(
            f"the task does not permit the narrower call: {faults[0][0].reason}",
            code="not-granted",
            remediation=faults[0][0].remediation or "narrow it otherwise, or refuse the call",
        )


def _number(value: Json) -> int | float:
    assert isinstance(value, int | float)
    return value


def _is_lower(asked: Json, value: Json) -> bool:
    if not is_number(value) or (type(asked) is int and type(value) is not int):
        return False
    return 0 < _number(value) < _number(asked)


def _is_fewer(asked: Json, value: Json) -> bool:
    """Return whether a list has some of the elements that were asked, in their order, and not all."""
    if not isinstance(asked, list) or not isinstance(value, list) or not 0 < len(value) < len(asked):
        return False
    # By canonical form, because `1 == True` in Python.
    left = iter([digest(one) for one in asked])
    return all(digest(one) in left for one in value)


def _is_below(asked: Json, value: Json) -> bool:
    if not isinstance(asked, str) or not isinstance(value, str) or value.rstrip("/") == asked.rstrip("/"):
        return False
    return PathUnder(asked).judge(value) is Verdict.YES


_IS_NARROWER: Final = {
    NarrowedBy.LOWER: _is_lower,
    NarrowedBy.FEWER: _is_fewer,
    NarrowedBy.BELOW: _is_below,
}
_REMEDIATION: Final = {
    NarrowedBy.LOWER: "write a lower number of the same type, above 0",
    NarrowedBy.FEWER: "write some of the elements that were asked, in their order",
    NarrowedBy.BELOW: "write a path below the one that was asked, in normal form",
}


def settled(names: Iterable[str], request: AccessRequest, answer: PolicyAnswer) -> frozenset[RuleRef]:
    """Return the rules that ask only about the origin of values which the approver of a call wrote.

    A rule that also reads another fact of the flow is not among them, nor one about a kind of argument of
    which the call has another value.
    """
    written = set(names)
    parts = request.tool.parts(request.arguments)
    by_kind: dict[str, set[str]] = {}
    for key in parts:
        spec = request.tool.arguments.get(key)
        by_kind.setdefault(spec.role.value if spec else ArgumentRole.CONTENT.value, set()).add(
            path_of(key)[0]
        )

    def about_written(fact: str) -> bool:
        head, _, named = fact.partition(".")
        if head == "provenance":
            return path_of(named)[0] in written
        kind = head.partition("_")[0]
        return kind in _SETTLED and by_kind.get(kind, {""}) <= written

    reads: dict[str, list[str]] = {}
    for rule, fact in answer.flow:
        reads.setdefault(rule, []).append(fact)
    return frozenset(
        rule
        for rule in answer.waivable
        if (facts := [one for one in reads.get(rule.id, ()) if one != _ABOUT_THE_TASK])
        and all(map(about_written, facts))
    )
