# SPDX-License-Identifier: Apache-2.0
"""Plans: an agent's statement of the calls that its work needs, made before it reads anything untrusted.

A plan is a tuple of grants that name a tool, and constraints on some of its arguments; other arguments are
free. A plan grants nothing: grants and policies apply unchanged. It only classifies each call as planned or
not (`standing`, which policies read as `context.flow.plan`).

INVARIANT: a plan only grows, so a child's plan that once lay within its parent's stays within it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from remit.core.errors import ConfigInvalid, Forbidden, Malformed
from remit.core.json_value import Json
from remit.core.label import Audience, Label
from remit.core.tasks.grant import Grant, Refusal
from remit.core.tools.tool import RESERVED_OPERATIONS, Argument, Effect, Tool

Plan = tuple[Grant, ...]

PLANNED: Final = "planned"
UNPLANNED: Final = "unplanned"
NO_PLAN: Final = "none"

MAX_PLAN: Final = 512
"""Most entries of one plan."""
MAX_COMPARED: Final = 4096
"""Pairs of entries of one tool that are compared when a plan is checked against the parent task's plan."""

PLAN_TOOL: Final = Tool(
    upstream="remit",
    name="plan",
    effect=Effect.NONE,
    audience=Audience("self"),
    label=Label(),
    arguments={"add": Argument()},
    record="the plan of the task",
    described=True,
    surface={
        "description": "Extends the plan of a task",
        "inputSchema": {
            "type": "object",
            "properties": {"add": {"type": "array"}},
            "required": ["add"],
            "additionalProperties": False,
        },
    },
)
"""The extension of a plan, as policies and people see it. No upstream offers this tool, and no task is
granted it.
"""

PLAN_GRANT: Final = Grant(PLAN_TOOL.id, {"add": {"anything": {}}})


class PlanEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool, as `upstream/tool`, and the plan's constraints on its arguments, by name."""

    tool: str
    arguments: dict[str, Json] = {}


PlanWish = str | PlanEntry
"""An entry in the notation of agents; a tool's id alone leaves all arguments free."""


def read_plan(wished: Iterable[PlanWish], held: Collection[str]) -> Plan:
    """Parse a written plan; `held` are the tools that are granted.

    Raises `Forbidden` for a tool that is not granted, `Malformed` for an unknown constraint.
    """
    entries: list[Grant] = []
    for place, one in enumerate(wished):
        entry = PlanEntry(one) if isinstance(one, str) else one
        if entry.tool not in held:
            names = ", ".join(sorted(held)[:20]) or "nothing"
            raise Forbidden(
                f"the plan names `{entry.tool[:80]}`, which the task does not grant",
                code="plan",
                remediation=f"it grants: {names}",
            )
        try:
            entries.append(
                Grant.load(
                    {"tool": entry.tool, "arguments": entry.arguments, "other_arguments": True},
                    f"plan[{place}]",
                )
            )
        except ConfigInvalid as fault:
            raise Malformed(fault.message, code="plan", remediation=fault.remediation) from None
    return _bounded(entries)


def standing(plan: Plan | None, tool: Tool, arguments: dict[str, Json]) -> str:
    """Return whether a call was planned: `planned`, `unplanned`, or `none` where the task has no plan.

    Operations that are not tools (reading a resource, getting a prompt) are planned in every plan that does
    not mention them.
    """
    if plan is None:
        return NO_PLAN
    entries = [one for one in plan if one.tool == tool.id]
    if not entries and tool.name in RESERVED_OPERATIONS:
        return PLANNED
    return PLANNED if any(not one.permits(arguments) for one in entries) else UNPLANNED


def departures(plan: Plan | None, tool: str, arguments: dict[str, Json]) -> tuple[Refusal, ...]:
    """Return how a call departs from the plan for its tool; empty where the plan does not mention the
    tool.
    """
    found = [one.permits(arguments) for one in plan or () if one.tool == tool]
    return min(found, key=len, default=())


def tools_of(plan: Plan | None) -> tuple[str, ...] | None:
    """Return the ids of the tools that a plan names, each once; None where there is no plan."""
    return None if plan is None else tuple(dict.fromkeys(one.tool for one in plan))


def extended(plan: Plan | None, more: Plan) -> Plan:
    """Return a plan with further entries.

    An entry that leaves a tool's arguments free replaces the tool's other entries.
    """
    entries = dict.fromkeys((*(plan or ()), *more))
    free = {one.tool for one in entries if not one.arguments and not one.ancestors}
    return _bounded([one for one in entries if one.tool not in free or not (one.arguments or one.ancestors)])


def within(plan: Plan, bound: Plan | None) -> Plan:
    """Return a plan's entries within an ancestor's plan; raise `Forbidden` for an entry outside it."""
    if bound is None:
        return plan
    entries: list[Grant] = []
    by_tool = Counter(held.tool for held in bound)
    if sum(by_tool[one.tool] for one in plan) > MAX_COMPARED:
        raise Malformed(
            "this plan and the parent task's plan constrain the same tools too often",
            code="plan",
            remediation="name tools without arguments",
        )
    for one in plan:
        met = [held.attenuate(one).simplified() for held in bound if held.tool == one.tool]
        if not met:
            raise Forbidden(
                f"`{one.tool}` is not in the parent task's plan",
                code="plan",
                remediation="extend the parent task's plan first",
            )
        entries += met
    return _bounded(list(dict.fromkeys(entries)))


def narrowed(plan: Plan | None, tools: tuple[str, ...] | None) -> Plan | None:
    """Return the plan of a child that gets only `tools` of its parent's.

    Raises `Forbidden` for a tool that the parent did not plan.
    """
    if tools is None:
        return plan
    return within(tuple(Grant(tool, {}, True) for tool in tools), plan)


def _bounded(entries: list[Grant]) -> Plan:
    if len(entries) > MAX_PLAN:
        raise Malformed(
            f"a plan has at most {MAX_PLAN} entries", code="plan", remediation="name tools without arguments"
        )
    return tuple(entries)
