# SPDX-License-Identifier: Apache-2.0
"""From the forms of `tools/` to tools."""

from __future__ import annotations

import re
from typing import Final

from remit.config.forms import LabelForm, ToolForm
from remit.config.load import AUDIENCE_RULE, audience_fault
from remit.config.shape import Problems, nearest, suggestion
from remit.core.label import Audience, Classes, Label
from remit.core.tool import RESERVED_OPERATIONS, Argument, Tool, undescribed

_TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_./-]{1,128}")
_PLACE: Final = re.compile(r"\{([^{}]*)\}")


def described_tool(
    upstream: str, name: str, form: ToolForm, *, classes: Classes, problems: Problems, line: int
) -> Tool:
    """Give a tool as its file describes it; what is wrong is noted."""
    key = f"tools.{name}"
    if fault := audience_fault(form.audience):
        problems.add(fault, line=line, key=f"{key}.audience", way_out=AUDIENCE_RULE)
    for place, template in (("record", form.record), ("target", form.target)):
        for word in _PLACE.findall(template):
            if word not in form.arguments:
                way = f"add `{word}: {{role: selector}}` under `arguments`"
                if near := nearest(word, form.arguments):
                    way = f"did you mean `{{{near}}}`? otherwise {way}"
                problems.add(
                    f"`{{{word}}}` is none of its arguments", line=line, key=f"{key}.{place}", way_out=way
                )
    if form.own_conversation and (form.effect != "none" or form.audience != "self"):
        problems.add(
            "does not go with an effect or another audience",
            line=line,
            key=f"{key}.own_conversation",
            way_out="write `effect: none` and `audience: self`, or remove it",
        )
    worst = undescribed(upstream, name, classes).label
    return Tool(
        upstream=upstream,
        name=name,
        effect=form.effect,
        audience=Audience(form.audience),
        label=label_of(
            form.labels, worst, classes=classes, problems=problems, line=line, key=f"{key}.labels"
        ),
        arguments={word: Argument(role=a.role, sensitive=a.sensitive) for word, a in form.arguments.items()},
        record=form.record,
        target=form.target,
        production=form.production,
        financial=form.financial,
        own_conversation=form.own_conversation,
        described=True,
        surface={"name": name, "inputSchema": form.schema} if form.schema else {},
    )


def label_of(
    form: LabelForm | None, unless: Label, *, classes: Classes, problems: Problems, line: int, key: str
) -> Label:
    """Give a label as a file says it, and where it says nothing, `unless`."""
    if form is None:
        return unless
    data_class = form.data_class or unless.data_class
    if data_class not in classes.order:
        way = suggestion(data_class, classes.order)
        problems.add(f"`{data_class}` is not a data class", line=line, key=f"{key}.class", way_out=way)
    return Label(
        data_class=data_class,
        categories=frozenset(form.categories),
        trust=form.trust or unless.trust,
        zones=frozenset({form.zone} if form.zone else ()),
    )


def is_tool_name(name: str) -> bool:
    """Whether a tool of MCP, or an operation beside tools, can have this name."""
    return name in RESERVED_OPERATIONS or _TOOL_NAME.fullmatch(name) is not None
