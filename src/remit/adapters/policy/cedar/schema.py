# SPDX-License-Identifier: Apache-2.0
"""The Cedar schema, generated from the registered tools: one action with arguments for each tool."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from remit.adapters.policy.cedar.policy_text import attribute, quoted
from remit.adapters.policy.cedar.type_text import cedar_type
from remit.adapters.policy.facts import (
    AGENT,
    BUDGET,
    ENVIRONMENT,
    FLOW,
    LABEL,
    NO_CLAIMS,
    NO_HISTORY,
    NO_RECORD,
    TOOL,
    context_shape,
)
from remit.adapters.policy.types import Kind, Shape
from remit.core.identity.workload import Assurance
from remit.core.label import Classes
from remit.core.tools.tool import Effect, Tier, Tool

CALL = "call"
GROUPS = (CALL, *(f"effect:{effect.value}" for effect in Effect))
"""The action groups: every call, and the calls of each effect. Every tool id has a `/`, so none collides."""

_ENTITIES = f"""\
entity Group;
entity Agent in [Group] {cedar_type(AGENT)};
entity Upstream;
entity Tool in [Upstream] {cedar_type(TOOL)};
"""


def groups_of(tool: Tool) -> tuple[str, ...]:
    """Return the action groups of a tool's action."""
    return (CALL, f"effect:{tool.effect.value}")


def _head(named: Iterable[str] = ()) -> list[str]:
    lines = [_ENTITIES, f'action "{CALL}";']
    lines += [f'action "{group}" in [Action::"{CALL}"];' for group in GROUPS if group != CALL]
    lines += [f"action {quoted(name)};" for name in sorted(named)]
    return lines


def forms(tool: Tool) -> list[Tool]:
    """Return a tool in every form that a call can have: as registered, and in each of its variants."""
    return [tool, *(one.of(tool) for one in tool.variants)]


def _parents(*tools: Tool) -> str:
    groups = dict.fromkeys(group for tool in tools for group in groups_of(tool))
    return "[" + ", ".join(f'Action::"{group}"' for group in groups) + "]"


def schema_of_one(tool: Tool, context: Shape, named: Iterable[str] = ()) -> str:
    """Return the schema for calls of one tool with exactly the context that its policies read.

    `named` are other actions that the policies mention; they are declared, but no request can use them.
    """
    others = set(named) - {tool.id, *GROUPS}
    lines = _head(others)
    lines.append(
        f"action {quoted(tool.id)} in {_parents(tool)} appliesTo "
        f"{{ principal: [Agent], resource: [Tool], context: {cedar_type(context)} }};"
    )
    return "\n".join(lines)


def schema_text(
    tools: Sequence[Tool],
    params: Shape,
    classes: Classes,
    facts: Shape = NO_RECORD,
    history: Shape = NO_HISTORY,
    known_posture: Shape = NO_CLAIMS,
) -> str:
    """Return the whole schema, for people, for `check`, and for storage with the policy bundle.

    `params` are the intent parameters of all task types, `facts` those of records, `history` the counters,
    `known_posture` what is known about agents. A tool whose arguments are not known yet (no `inputSchema` was
    received) has an action that applies to nothing.
    """
    lines = [
        "// generated from the registered tools and task types; changes made here are lost",
        _levels("tier_level", [tier.word for tier in Tier], 0),
        _levels("assurance_level", [one.word for one in Assurance], 1),
        _levels("class_level", classes.order, 0),
        "",
        *_head(),
        "",
        f"type Label = {cedar_type(LABEL)};",
        f"type Flow = {cedar_type(FLOW)};",
        *_hidden("task.params", params),
        f"type Params = {cedar_type(params)};",
        *_hidden("record", facts),
        f"type Facts = {cedar_type(facts)};",
        f"type History = {cedar_type(history)};",
        f"type Task = {_named_record(_task_shape(params), {'params': 'Params'})};",
        f"type Environment = {cedar_type(ENVIRONMENT)};",
        f"type Posture = {cedar_type(known_posture)};",
        f"type Budget = {cedar_type(BUDGET)};",
    ]
    for tool in sorted(tools, key=lambda one: one.id):
        lines += ["", *_action(tool, context_shape(tool, params, facts, history, known_posture))]
    return "\n".join(lines) + "\n"


def _task_shape(params: Shape) -> Shape:
    return context_shape(Tool(upstream="", name=""), params).fields["task"]


def _action(tool: Tool, context: Shape) -> list[str]:
    if not tool.input_schema:
        return [
            f"// the arguments of {quoted(tool.id)} are unknown until its upstream is connected",
            f"action {quoted(tool.id)} in {_parents(*forms(tool))};",
        ]
    return [
        *_hidden("args", context.fields["args"]),
        f"action {quoted(tool.id)} in {_parents(*forms(tool))} appliesTo {{",
        "  principal: [Agent],",
        "  resource: [Tool],",
        f"  context: {_named_record(context, _NAMED)}",
        "};",
    ]


_NAMED = {
    "label": "Label",
    "task_label": "Label",
    "flow": "Flow",
    "record": "Facts",
    "task": "Task",
    "history": "History",
    "environment": "Environment",
    "posture": "Posture",
    "budget": "Budget",
}


def _named_record(shape: Shape, names: dict[str, str]) -> str:
    """Write a record in which some fields are named by their common types."""
    inner = ", ".join(
        f"{attribute(name)}: {names.get(name) or cedar_type(below)}" for name, below in shape.fields.items()
    )
    return f"{{ {inner} }}"


def _levels(name: str, words: Iterable[str], start: int) -> str:
    return f"// {name}: " + ", ".join(f"{quoted(word)} {level}" for level, word in enumerate(words, start))


def _hidden(path: str, shape: Shape) -> list[str]:
    """Return comments that list what policies cannot read, and why."""
    lines = [
        f"// not readable by policies: {path}.{quoted(name)}, {why}" for name, why in shape.hidden.items()
    ]
    for name, below in shape.fields.items():
        if below.kind is Kind.RECORD:
            lines += _hidden(f"{path}.{attribute(name)}", below)
    return lines
