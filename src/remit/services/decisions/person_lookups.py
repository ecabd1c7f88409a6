# SPDX-License-Identifier: Apache-2.0
"""Which look-up would reach the record of a person that a call was refused for."""

from __future__ import annotations

from collections.abc import Iterable

from remit.core.flow.language.word_forms import name_stems
from remit.core.flow.records.persons import Persons, kind_of
from remit.core.tools.tool import LEADING, Effect, Tool


def lookup_for(refused: Tool, argument: str, offered: Iterable[Tool], persons: Persons) -> str:
    """Return the remediation for a refused personal argument; empty where no known tool can reach it.

    `offered` are the tools that the task may call. Of those that read by a parameter of the task, the first
    that speaks of what the argument selects is named.
    """
    wanted = kind_of(argument)
    own = persons.parameter_for(argument)
    if own and wanted:
        return f"this task serves the person in its parameter `{own}`: call with that value"
    found: list[tuple[int, str, str, str]] = []
    for tool in offered:
        if tool.effect is not Effect.NONE or not tool.described:
            continue
        for name, spec in tool.arguments.items():
            parameter = persons.parameter_for(name) if spec.personal or spec.role in LEADING else ""
            if parameter and (tool.id, name) != (refused.id, argument):
                speaks = not wanted.isdisjoint(_words(tool))
                found.append((0 if speaks else 1, tool.id, name, parameter))
    if not found:
        return ""
    _, tool_id, name, parameter = min(found)
    return f"call `{tool_id}` first, with `{name}` from the task's parameter `{parameter}`"


def _words(tool: Tool) -> frozenset[str]:
    """Return what the names of a tool, and of its described fields, speak of."""
    names = (tool.name, tool.resource.partition("{")[0], *(one.path for one in tool.fields))
    return frozenset(word for name in names for word in name_stems(name))
