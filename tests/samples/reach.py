# SPDX-License-Identifier: Apache-2.0
"""Small bundles to look at, and judges for them."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import msgspec

import remit
from remit.adapters.policy.cedar import CedarPolicies
from remit.core.label import Audience, Classes, Label, Trust
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.policy.reach import Guard, Openness, ReachSurvey, StaticCall
from remit.core.policy.reach.remediation import Repair, RepairKind
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
    """A judge that permits every call, except for tools that are named."""

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


def mended(bundle: Bundle, repair: Repair, places: dict[str, object] | None = None) -> Bundle:
    """Return a bundle with one change made. `places` are the constraints of a `pin`, by argument.

    Without `places`, a pinned destination is `one_of` with one placeholder address, so that the change can be
    tested.
    """
    types = dict(bundle.task_types)
    tools = dict(bundle.tools)
    policies = bundle.policies
    one = types.get(repair.task_type)
    match repair.kind:
        case RepairKind.APPROVE:
            policies = (*policies, PolicySource(f"paths-{repair.task_type}.cedar", repair.rule))
        case RepairKind.HAND_DOWN if one is not None:
            types[one.name] = msgspec.structs.replace(one, delegates=HandDown())
        case RepairKind.DROP if one is not None:
            kept = tuple(grant for grant in one.grants if grant.tool != repair.tool)
            types[one.name] = msgspec.structs.replace(one, grants=kept)
        case RepairKind.PIN if one is not None:
            given = places or {name: {"one_of": ["nowhere@example.com"]} for name in repair.detail}
            grants = tuple(
                msgspec.structs.replace(grant, arguments={**grant.arguments, **given})
                if grant.tool == repair.tool
                else grant
                for grant in one.grants
            )
            types[one.name] = msgspec.structs.replace(one, grants=grants)
        case RepairKind.TRUST if repair.tool in tools:
            tool = tools[repair.tool]
            trusted = msgspec.structs.replace(tool.label, trust=Trust.TRUSTED)
            fields = tuple(
                msgspec.structs.replace(
                    field, label=msgspec.structs.replace(field.label, trust=Trust.TRUSTED)
                )
                if not repair.detail or field.path in repair.detail
                else field
                for field in tool.fields
            )
            label = tool.label if repair.detail else trusted
            tools[tool.id] = msgspec.structs.replace(tool, label=label, fields=fields)
    return msgspec.structs.replace(bundle, task_types=types, tools=tools, policies=policies)
