# SPDX-License-Identifier: Apache-2.0
"""Parameters of a task type: values that belong to one task, and that the person states in its goal.

A repository, a contract, a customer: each task is about one, named in its goal. A wide set of all of them
would let each task reach every other; a parameter lets it reach its own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from remit.core.json_value import Json
from remit.core.tools.suggestions import vocabulary
from remit.core.tools.suggestions.call_observations import ObservedCall
from remit.core.tools.suggestions.draft import ToolDraft
from remit.core.tools.suggestions.grant_draft import GrantDraft, ParameterDraft, TypeDraft
from remit.core.tools.suggestions.value_constraints import ValueConstraint, constrained
from remit.core.tools.tool import ArgumentRole

#: Tasks with the argument, and different values, from which a parameter shows.
MIN_TASKS: Final = 5
MIN_VALUES: Final = 3
#: The share of these tasks that have one value, stated by the person.
MIN_STATED: Final = 0.95
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")


def with_parameters(
    draft: TypeDraft, calls: Sequence[ObservedCall], drafts: Mapping[str, ToolDraft]
) -> TypeDraft:
    """Return a type's draft in which arguments that hold the task's own stated value are bound to it."""
    granted = {one.tool for one in draft.grants}
    uses: dict[str, list[tuple[ObservedCall, Json]]] = defaultdict(list)
    for one in calls:
        if one.tool in granted and not one.led:
            for name, value in one.arguments.items():
                if _names(drafts.get(one.tool), name):
                    uses[name].append((one, value))
    found: dict[str, ParameterDraft] = {}
    for name, used in sorted(uses.items()):
        if (made := _parameter(name, used)) is not None:
            found[name] = made
    grants = tuple(_bound(one, found) for one in draft.grants)
    return msgspec.structs.replace(draft, grants=grants, parameters=found)


def _names(draft: ToolDraft | None, name: str) -> bool:
    """Return whether an argument names one thing or one party, by its guessed role."""
    return draft is not None and any(
        one.path == name
        and one.role.value in (ArgumentRole.SELECTOR, ArgumentRole.DESTINATION)
        and one.word not in vocabulary.LOOSE
        and not one.secret
        for one in draft.arguments
    )


def _parameter(name: str, used: Sequence[tuple[ObservedCall, Json]]) -> ParameterDraft | None:
    """Return the parameter that an argument of this name is, in all tools that have one."""
    if not _NAME.fullmatch(name):
        return None
    values: dict[str, set[str | int]] = defaultdict(set)
    stated: set[str] = set()
    for one, value in used:
        if isinstance(value, bool) or not isinstance(value, str | int):
            return None
        values[one.task].add(value)
        if name in one.sources and one.sources[name].stated:
            stated.add(one.task)
    works = {one.words for one, _ in used if one.words}
    single = [task for task, some in values.items() if len(some) == 1 and task in stated]
    distinct = {value for some in values.values() for value in some}
    kinds = {type(value) for value in distinct}
    enough = min(len(works), len(values)) >= MIN_TASKS and len(distinct) >= MIN_VALUES
    if not enough or len(kinds) != 1 or len(single) < len(values) * MIN_STATED:
        return None
    return ParameterDraft(
        type="integer" if kinds == {int} else "string",
        limit=constrained([value for some in values.values() for value in sorted(some, key=str)], 1),
        arguments=tuple(sorted({f"{one.tool} {name}" for one, _ in used})),
        tasks=len(values),
    )


def _bound(grant: GrantDraft, found: dict[str, ParameterDraft]) -> GrantDraft:
    arguments = {
        name: ValueConstraint({"exact": f"{{{name}}}"}, f"the task's own, in {found[name].tasks:,} tasks")
        if name in found and f"{grant.tool} {name}" in found[name].arguments
        else made
        for name, made in grant.arguments.items()
    }
    return msgspec.structs.replace(grant, arguments=arguments)
