# SPDX-License-Identifier: Apache-2.0
"""Small bundles to look at, and judges for them."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import remit
from remit.adapters.policy.cedar import CedarPolicies
from remit.core.label import Audience, Classes, Label, Trust
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.policy.reach import Guard, Openness, ReachSurvey, StaticCall
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import HandDown, TaskType
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool
from remit.services.policy.reach import survey

Json = Any
POLICIES = Path(remit.__file__).parent / "templates/policies"
DEFAULT = tuple(
    PolicySource(f"policies/{path.name}", path.read_text()) for path in sorted(POLICIES.glob("*.cedar"))
)
PERMIT = (
    PolicySource(
        "policies/00.cedar", '@id("all")\npermit (principal, action in Action::"call", resource);\n'
    ),
)
#: Lets people outside learn what is internal: otherwise clearance would stop everything here.
LOOSE = Classes(clearance={"self": "restricted", "internal": "confidential", "external": "internal"})
FREE: Json = {"anything": {}}


class Lenient:
    """A judge to whom every call is open, but for tools that are named."""

    def __init__(self, **answers: Openness) -> None:
        self.answers = answers

    def __call__(self, call: StaticCall) -> Guard:
        """Answer by the tool's name."""
        openness = self.answers.get(call.tool.name, Openness.OPEN)
        return Guard(openness, () if openness is Openness.OPEN else ("house/rule",))

    def kind(self, tool: Tool) -> Hashable:
        """Tell every tool from every other."""
        return tool.id, tool.effect, tool.audience

    def party(self, task_type: TaskType, agent: str, handed: bool) -> Hashable:
        """Tell every caller from every other."""
        return task_type.name, agent, handed


def reads(name: str, data_class: str = "internal", *, untrusted: bool = False, **rest: Any) -> Tool:
    """A tool that reads."""
    upstream, _, tool = name.partition("/")
    trust = Trust.UNTRUSTED if untrusted else Trust.TRUSTED
    label = Label(data_class, trust=trust)
    audience = rest.pop("audience", "self")
    return Tool(
        upstream=upstream,
        name=tool,
        effect=Effect.NONE,
        audience=Audience(audience),
        label=label,
        described=True,
        **rest,
    )


def acts(name: str, audience: str = "external", effect: Effect = Effect.REVERSIBLE, **rest: Any) -> Tool:
    """A tool that changes something; with `to`, it has that destination."""
    upstream, _, tool = name.partition("/")
    to = rest.pop("to", "")
    arguments = {to: Argument(ArgumentRole.DESTINATION)} if to else {}
    arguments["text"] = Argument(ArgumentRole.CONTENT)
    return Tool(
        upstream=upstream,
        name=tool,
        effect=effect,
        audience=Audience(audience),
        label=Label("public"),
        arguments=arguments,
        described=True,
        **rest,
    )


def task(
    name: str, *tools: str, to: Json = None, agent: str = "", heirs: tuple[str, ...] = (), **rest: Any
) -> TaskType:
    """A task type with grants of these tools; `to` is what each says of that argument."""
    arguments = {"text": FREE, "id": FREE, "to": to or FREE}
    arguments |= rest.pop("arguments", {})
    grants = tuple(GrantTemplate(tool, arguments) for tool in tools)
    return TaskType(
        name=name,
        purpose="Work",
        run_by=(agent or f"{name}-bot",),
        requested_by=("ana",),
        grants=grants,
        delegates=HandDown(heirs),
        **rest,
    )


def bundle(
    tools: tuple[Tool, ...],
    *types: TaskType,
    policies: tuple[PolicySource, ...] = PERMIT,
    classes: Classes = LOOSE,
) -> Bundle:
    """A bundle of these."""
    return Bundle(
        tools={tool.id: tool for tool in tools},
        task_types={one.name: one for one in types},
        policies=policies,
        classes=classes,
    )


def look(
    one: Bundle, groups: dict[str, tuple[str, ...]] | None = None, observed: tuple[str, ...] = ()
) -> ReachSurvey:
    """Survey a bundle under its own policies."""
    return survey(one, CedarPolicies(classes=one.classes), groups or {}, observed)


MAIL = acts("mail/send", to="to", effect=Effect.IRREVERSIBLE)
INBOX = reads("mail/inbox", "public", untrusted=True)
FILES = reads("files/read", "internal")
TOXIC = bundle((MAIL, INBOX, FILES), task("triage", "mail/send", "mail/inbox", "files/read"))
