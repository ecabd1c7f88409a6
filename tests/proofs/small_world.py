# SPDX-License-Identifier: Apache-2.0
"""A world so small that every call in it can be decided: two tools, a few rules, and all that they read.

The rules compare each fact with few values. A fact is enumerated with those values, those next to them and
one other, so two sets of rules that decide every call of the world alike decide every call alike.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.flow.facts import Flow, FlowFacts
from remit.core.identity.principals import Agent, AgentState, Principal
from remit.core.identity.workload import Assurance
from remit.core.label import Audience, Classes, Label, Trust
from remit.core.tasks.task import Intent, Task, TaskType
from remit.core.tools.constraint import Exact, OneOf
from remit.core.tools.tool import Argument, Effect, Tool, Variant

CLASSES = Classes()
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
TASK_TYPES = (
    TaskType(name="report", purpose="reporting", run_by=("ada",), requested_by=("person:kim",)),
    TaskType(name="support", purpose="help", run_by=("ada",), requested_by=("person:kim",)),
)
LARGEST = 2**63 - 1


def _tool(name: str, properties: dict[str, Any], required: list[str], **more: Any) -> Tool:
    surface = {"inputSchema": {"type": "object", "properties": properties, "required": required}}
    return Tool(upstream="desk", name=name, described=True, label=Label(), surface=surface, **more)


EXPORT = _tool(
    "export",
    {"channel": {"type": "string"}, "amount": {"type": "integer"}},
    ["channel"],
    effect=Effect.IRREVERSIBLE,
    audience=Audience("external"),
    variants=(
        Variant({"channel": Exact("screen")}, effect=Effect.NONE, audience=Audience("internal")),
        Variant({"channel": OneOf(["print", "archive"])}, effect=Effect.REVERSIBLE),
    ),
)
NOTE = _tool(
    "note",
    {"text": {"type": "string"}},
    ["text"],
    effect=Effect.REVERSIBLE,
    audience=Audience("internal"),
    arguments={"text": Argument()},
)
TOOLS = (EXPORT, NOTE)

#: Each fact by the words by which rules read it, with its values.
_FACTS: dict[str, tuple[str, Sequence[Any]]] = {
    "data_class": ("context.label.class|context.cleared", CLASSES.order),
    "untrusted": ("context.label.untrusted", (False, True)),
    "asked": ("context.flow.asked", (False, True)),
    "plan": ("context.flow.plan", ("planned", "unplanned", "none")),
    "groups": ("Group::", ((), ("finance",), ("ops",), ("finance", "ops"))),
    "agent": ("Agent::", ("ada", "bob")),
    "task_type": ("context.task.", ("report", "support", "another")),
    "amount": (
        "context.args has amount",
        (None, -LARGEST - 1, 0, 99, 100, 101, 102, 999, 1000, 1001, 1002, LARGEST - 1, LARGEST),
    ),
    "channel": ("", ("screen", "print", "archive", "partner")),
    "to_self": ("", (False, True)),
}
_OF_TOOL = {EXPORT.id: frozenset({"to_self"}), NOTE.id: frozenset({"amount", "channel"})}


def every_call(tool: Tool, texts: Sequence[str]) -> Iterator[AccessRequest]:
    """Yield every call of a tool, as far as rules with these texts can tell calls apart."""
    whole = "\n".join(texts)
    names = [name for name in _FACTS if name not in _OF_TOOL[tool.id]]
    ranges = []
    for name in names:
        words, values = _FACTS[name]
        read = not words or any(word in whole for word in words.split("|"))
        ranges.append(values if read else values[:1])
    for values in itertools.product(*ranges):
        yield _request(tool, dict(zip(names, values, strict=True)))


def _request(tool: Tool, facts: dict[str, Any]) -> AccessRequest:
    arguments: dict[str, Any] = {"text": "a note"} if tool is NOTE else {"channel": facts["channel"]}
    if facts.get("amount") is not None:
        arguments["amount"] = facts["amount"]
    called = tool.called_with(arguments)
    if facts.get("to_self"):
        called = msgspec.structs.replace(called, audience=Audience("self"))
    trust = Trust.UNTRUSTED if facts["untrusted"] else Trust.TRUSTED
    label = Label(data_class=facts["data_class"], trust=trust)
    agent = Agent(
        tenant="house",
        name=facts["agent"],
        owner="kim",
        purpose="desk work",
        groups=facts["groups"],
        state=AgentState.ACTIVE,
        created=NOON,
        created_by="kim",
    )
    flow = FlowFacts(asked=facts["asked"], plan=facts["plan"], to_self=facts.get("to_self", False))
    return AccessRequest(
        principal=Principal(tenant="house", agent=agent.name, assurance=Assurance.KEY_BOUND),
        agent=agent,
        task=Task(
            tenant="house",
            id="task-1",
            type=facts["task_type"],
            agent=agent.name,
            owner="kim",
            intent=Intent(goal="", requested_by="kim", stated_at=NOON),
            grants=(),
            opened=NOON,
            deadline=NOON,
        ),
        tool=called,
        arguments=arguments,
        grants=(),
        tier=called.tier,
        label=label,
        cleared=CLASSES.cleared(called.audience, label),
        now=NOON,
        flow=Flow(flow),
    )
