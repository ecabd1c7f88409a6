# SPDX-License-Identifier: Apache-2.0
"""Finds counters of arguments that no tool has; for every policy language."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from remit.adapters.policy.cedar.policy_text import nearest
from remit.core.tasks.history import HistoryCounter
from remit.core.tools.tool import Tool
from remit.ports.policy import Problem


def problems_of_counters(counters: Iterable[HistoryCounter], tools: Sequence[Tool]) -> list[Problem]:
    """Return a problem for each argument that a counter reads and no tool has whose calls it counts.

    Such a counter stays at 0, and a rule that limits it never applies. A tool whose arguments are not known
    may have any.
    """
    out = []
    for one in counters:
        counted = [tool for tool in tools if one.names(tool)]
        read = [(name, counted) for name in (one.argument, *(pair[0] for pair in one.same)) if name]
        for name, among in (*read, *((pair[1], tools) for pair in one.same)):
            known = [_arguments(tool) for tool in among]
            if known and all(known) and not any(name in names for names in known):
                whose = "no tool" if among is tools else "no tool that it counts"
                text = f"counter `{one.name}`: {whose} has an argument `{name}`"
                way = nearest(name, sorted(set().union(*known)))
                out.append(Problem("error", text, rule=one.name, remediation=way))
    return out


def _arguments(tool: Tool) -> set[str]:
    properties = tool.input_schema.get("properties")
    if not isinstance(properties, dict) or not properties:
        return set()
    return {*properties, *(name.partition(".")[0].removesuffix("[]") for name in tool.arguments)}
