# SPDX-License-Identifier: Apache-2.0
"""From the forms of `tasks/` to task types."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from remit.config.bundle.forms import BudgetsForm, ParameterForm, TaskFile
from remit.config.bundle.vocabulary import Vocabulary, label_of
from remit.config.reading.decoding import Problems, nearest, suggestion
from remit.config.reading.yaml_lines import Node
from remit.core.errors import ConfigInvalid, Malformed
from remit.core.identity.principals import NO_PERSON
from remit.core.label import Label, Trust, Unseen
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import (
    Budgets,
    HandDown,
    Parameter,
    Runbook,
    TaskType,
    check_parameters,
)
from remit.core.tools import constraint
from remit.core.tools.tool import RESERVED_OPERATIONS, Tool, is_tool_name

_AGENT: Final = re.compile(r"(?:group:)?[a-z0-9][a-z0-9._-]{0,62}")
_PERSON: Final = re.compile(
    r"(?:(?:group|agent|issuer):[a-z0-9][a-z0-9._-]{0,62}|[A-Za-z0-9][A-Za-z0-9._@+-]{0,126})"
)


@dataclass(frozen=True, slots=True)
class KnownNames:
    """The names that task types are checked against: upstreams, tools described so far, and labels.

    `priced`: there is a table of the prices of models.
    """

    upstreams: Collection[str]
    tools: Mapping[str, Tool]
    words: Vocabulary
    priced: bool = False


def task_type(form: TaskFile, node: Node, problems: Problems, known: KnownNames) -> TaskType:
    """Return the task type that a file describes; note its problems."""
    for key, pattern, rule in (
        ("run_by", _AGENT, "write an agent's name or `group:name`; there are no wildcards"),
        (
            "requested_by",
            _PERSON,
            "write a person's name, `group:name`, `agent:name` or `issuer:name`; there are no wildcards",
        ),
    ):
        for place, who in enumerate(getattr(form, key)):
            if not pattern.fullmatch(who):
                at = f"{key}[{place}]"
                problems.add(
                    f"`{who[:80]}` is not a valid name", line=node.line_of(at), key=at, remediation=rule
                )
    return TaskType(
        name=form.task,
        purpose=form.purpose,
        run_by=form.run_by,
        requested_by=form.requested_by,
        parameters=_parameters(form, node, problems),
        grants=_grants(form, node, problems, known),
        budgets=_budgets(form.budgets, node, problems, known),
        deadline_s=form.deadline,
        label=label_of(
            form.labels,
            Label(known.words.classes.bottom, trust=Trust.TRUSTED),
            words=known.words,
            problems=problems,
            line=node.line_of("labels"),
            key="labels",
        ),
        requires_person=form.requires_person,
        delegates=_delegates(form, node, problems),
        ends_when_spent=form.when_spent == "end",
        ends_after=_ends_after(form, node, problems),
        runbook=_runbook(form, node, problems),
        withhold=_unseen(form, node, problems, known),
        asks_unheard=form.without_words == "ask",
    )


def _ends_after(form: TaskFile, node: Node, problems: Problems) -> tuple[str, ...]:
    known = [tool for one in form.grants if isinstance(tool := one.get("tool"), str)]
    for place, tool in enumerate(form.ends_after):
        if tool not in known:
            at = f"ends_after[{place}]"
            way = suggestion(tool, known) if known else "grant the tool"
            problems.add(
                f"`{tool[:80]}` is not a tool of its grants", line=node.line_of(at), key=at, remediation=way
            )
    return form.ends_after


def _runbook(form: TaskFile, node: Node, problems: Problems) -> Runbook | None:
    if form.runbook is None:
        return None
    for key in ("approved_by", "review_by"):
        for place, who in enumerate(getattr(form.runbook, key)):
            if not _PERSON.fullmatch(who) or who.startswith(NO_PERSON):
                at = f"runbook.{key}[{place}]"
                way = "write a person's name or `group:name`"
                problems.add(
                    f"`{who[:80]}` is not a person or a group", line=node.line_of(at), key=at, remediation=way
                )
    return Runbook(form.runbook.approved_by, form.runbook.review_by)


def _unseen(form: TaskFile, node: Node, problems: Problems, known: KnownNames) -> Unseen:
    if (rule := form.withhold) is None:
        return Unseen()
    order = known.words.classes.order
    if rule.above and rule.above not in order:
        way, key = suggestion(rule.above, order), "withhold.above"
        problems.add(f"`{rule.above}` is not a data class", line=node.line_of(key), key=key, remediation=way)
        return Unseen()
    if rule.above in ("", order[-1]) and not rule.categories:
        way = "name the highest class that its tasks see, or categories that they do not see"
        problems.add("withholds nothing", line=node.line_of("withhold"), key="withhold", remediation=way)
    return Unseen(rule.above, frozenset(rule.categories))


def _delegates(form: TaskFile, node: Node, problems: Problems) -> HandDown:
    if form.delegates is None:
        return HandDown()
    for place, who in enumerate(form.delegates.to):
        if not _AGENT.fullmatch(who):
            at = f"delegates.to[{place}]"
            way = "write an agent's name or `group:name`; there are no wildcards"
            problems.add(f"`{who[:80]}` is not a valid name", line=node.line_of(at), key=at, remediation=way)
    return HandDown(form.delegates.to, form.delegates.max_depth)


def _parameters(form: TaskFile, node: Node, problems: Problems) -> dict[str, Parameter]:
    out = {}
    for name, written in form.parameters.items():
        key = f"parameters.{name}"
        line = node.child_line("parameters", name)
        try:
            out[name] = _parameter(name, written)
        except (ConfigInvalid, Malformed) as fault:
            at = f"{key}.{fault.key}" if isinstance(fault, ConfigInvalid) and fault.key else key
            problems.add(_bare(fault), line=_deepest(node, at, line), key=at, remediation=fault.remediation)
    return out


def _grants(form: TaskFile, node: Node, problems: Problems, known: KnownNames) -> tuple[GrantTemplate, ...]:
    out = []
    for place, written in enumerate(form.grants):
        key = f"grants[{place}]"
        try:
            template = GrantTemplate.load(written, key)
        except ConfigInvalid as fault:
            at = fault.key or key
            problems.add(
                _bare(fault), line=_deepest(node, at, node.line), key=at, remediation=fault.remediation
            )
            continue
        for word in sorted(template.placeholders.difference(form.parameters)):
            at, line = _holder(node.value["grants"].value[place], f"{{{word}}}", key)
            way = (
                suggestion(word, form.parameters)
                if form.parameters
                else f"declare `{word}` under `parameters`"
            )
            problems.add(f"`{{{word}}}` is not one of the parameters", line=line, key=at, remediation=way)
        _check_grant(template, f"{key}.tool", node, problems, known)
        out.append(template)
    return tuple(out)


def _check_grant(
    template: GrantTemplate, key: str, node: Node, problems: Problems, known: KnownNames
) -> None:
    upstream, _, name = template.tool.partition("/")
    line = node.line_of(key)
    if upstream not in known.upstreams:
        way = suggestion(upstream, known.upstreams)
        problems.add(f"`{upstream}` is not an upstream of `remit.yaml`", line=line, key=key, remediation=way)
    elif template.tool not in known.tools:
        # A tool need not be described, but a described tool with almost this name was probably meant.
        described = [tool.name for tool in known.tools.values() if tool.upstream == upstream]
        if near := nearest(name, described):
            problems.add(
                f"`{template.tool}` is not described in any tools file",
                line=line,
                key=key,
                remediation=f"did you mean `{upstream}/{near}`? otherwise describe it",
            )
        elif not is_tool_name(name):
            problems.add(
                "is not a tool name", line=line, key=key, remediation=suggestion(name, RESERVED_OPERATIONS)
            )
    result_class = template.ceilings.get("result_class")
    if (
        isinstance(result_class, str)
        and "{" not in result_class
        and result_class not in known.words.classes.order
    ):
        at = key.replace(".tool", ".ceilings.result_class")
        way = suggestion(result_class, known.words.classes.order)
        problems.add(f"`{result_class}` is not a data class", line=node.line_of(at), key=at, remediation=way)


def _parameter(name: str, form: ParameterForm) -> Parameter:
    """Return a parameter; raises `ConfigInvalid` or `Malformed` if its constraint or default is invalid."""
    out = Parameter(
        type=form.type,
        description=form.description,
        constraint=form.constraint,
        required=form.required,
        default=form.default,
    )
    rule = None if form.constraint is None else constraint.load(form.constraint, "constraint")
    if form.default is not None:
        alone = TaskType(name=name, purpose="", run_by=(), requested_by=(), parameters={name: out})
        check_parameters(alone, {name: form.default})
        if rule is not None and rule.judge(form.default) is not constraint.Verdict.YES:
            raise ConfigInvalid(
                "does not satisfy the constraint", key="default", remediation=f"it must {rule.describe()}"
            )
    return out


def _budgets(form: BudgetsForm, node: Node, problems: Problems, known: KnownNames) -> Budgets:
    if form.spend is not None and not known.priced:
        problems.add(
            "a budget of money needs the prices of models",
            line=node.line_of("budgets.spend"),
            key="budgets.spend",
            remediation="write `models` in `remit.yaml`: a currency and prices",
        )
    return Budgets(
        calls=form.calls,
        effectful_calls=form.effectful_calls,
        result_bytes=form.result_bytes,
        tokens=form.tokens,
        spend=form.spend,
        sent_bytes=form.sent_bytes,
    )


def _holder(node: Node, text: str, key: str) -> tuple[str, int]:
    """Return key and line of the first text below a node that holds `text`."""
    if isinstance(node.value, dict):
        below = [(f"{key}.{name}", child) for name, child in node.value.items()]
    else:
        below = (
            [(f"{key}[{i}]", child) for i, child in enumerate(node.value)]
            if isinstance(node.value, list)
            else []
        )
    for at, child in below:
        if (isinstance(child.value, str) and text in child.value) or (
            isinstance(child.value, dict | list) and text in str(child.plain())
        ):
            return _holder(child, text, at)
    return key, node.line


def _deepest(node: Node, path: str, unless: int) -> int:
    return max(node.line_of(path), unless)


def _bare(fault: ConfigInvalid | Malformed) -> str:
    key = fault.key if isinstance(fault, ConfigInvalid) else ""
    return fault.message.removeprefix(f"`{key}`: ") if key else fault.message
