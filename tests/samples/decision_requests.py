# SPDX-License-Identifier: Apache-2.0
"""Requests over the closed sets that the guardrails read, in the thousands, always the same ones.

Most facts have the values of a quiet call, and a few are drawn: where every fact is drawn, so many rules
refuse that no single rule decides.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.flow.facts import Flow, FlowFacts
from remit.core.identity.principals import AgentState, Principal
from remit.core.identity.workload import Assurance
from remit.core.label import Audience, Label, Trust
from remit.core.tasks.plan import PLAN_TOOL
from remit.core.tasks.task import Task
from remit.core.tools.tool import Effect, ToolState
from tests.samples.policy_requests import CLERK, MEND, READ, request

Change = dict[str, Any]

PROVENANCES = ("none", "intent", "trusted", "unknown", "untrusted")
WORDS = {
    "plan": ("none", "planned", "unplanned"),
    "adds": ("none", "first", "reads", "own-reads", "effects"),
    "participants": ("none", "known", "doubtful", "unread"),
}
FLOW: dict[str, tuple[Any, ...]] = {
    one.name: (False, True) if one.type is bool else WORDS.get(one.name, PROVENANCES)
    for one in msgspec.structs.fields(FlowFacts)
}
TOOL: dict[str, tuple[Any, ...]] = {
    "effect": tuple(Effect),
    "audience": tuple(Audience(name) for name in ("self", "internal", "external")),
    "described": (True, False),
    "production": (False, True),
    "financial": (False, True),
    "state": tuple(ToolState),
}
REST: dict[str, tuple[Any, ...]] = {
    "plan_tool": (False, True),
    "environment": ("development", "production"),
    "agent_state": tuple(AgentState),
    "assurance": tuple(Assurance),
    "cleared": (True, False),
    "categories": ((), ("pii",), ("secret",)),
    "crossings": (0, 3, 4),
    "data_class": ("", "never-configured"),
    "agent": ("clerk", "another"),
    "unattended": (False, True),
    "unscoped": (False, True),
    "runbook": (False, True),
    "lasting": (False, True),
    "leased": (False, True),
}
_TAINTED: Change = {"tainted": True, "effect": Effect.IRREVERSIBLE, "audience": Audience("external")}
#: What the requests begin with: a quiet call, calls of an attack, and what rules need that speak rarely.
BEGINNINGS: tuple[Change, ...] = (
    {},
    _TAINTED,
    {**_TAINTED, "effect": Effect.REVERSIBLE, "audience": Audience("internal")},
    {**_TAINTED, "content_foreign": True, "content_near": False, "crossed": True, "asked": True},
    {"unattended": True, "effect": Effect.IRREVERSIBLE, "environment": "production"},
    {"personal": "intent", "personal_reached": True, "personal_given": True, "personal_parameter": False},
)
CHOICES = {**FLOW, **TOOL, **REST}
#: Values that end every question at once are drawn less often.
RARE = {"data_class": 10, "agent": 10, "state": 6, "agent_state": 6, "cleared": 6, "described": 4}


def changes(count: int, seed: int = 19) -> Iterator[Change]:
    """Return what differs from a quiet call, for `count` requests."""
    draw = random.Random(seed)
    names = sorted(CHOICES)
    for number in range(count):
        chosen = dict(BEGINNINGS[number % len(BEGINNINGS)])
        for name in draw.sample(names, draw.choice((1, 2, 3, 4, 6, 8, 12, 20))):
            if name in RARE and draw.randrange(RARE[name]):
                continue
            chosen[name] = draw.choice(CHOICES[name])
        yield chosen


def changed(change: Change) -> AccessRequest:
    """Return the request that a change makes of a quiet call."""
    tool = msgspec.structs.replace(READ, **{name: change[name] for name in TOOL if name in change})
    if change.get("plan_tool"):
        tool = PLAN_TOOL
    agent = msgspec.structs.replace(
        CLERK,
        environment=change.get("environment", "development"),
        state=change.get("agent_state", AgentState.ACTIVE),
    )
    label = Label(
        data_class=change.get("data_class") or Label().data_class,
        categories=frozenset(change.get("categories", ())),
        trust=Trust.UNTRUSTED if change.get("tainted") else Trust.TRUSTED,
    )
    assurance = change.get("assurance", Assurance.KEY_BOUND)
    named = change.get("agent", agent.name)
    asked = request(
        tool,
        {"path": "C-42"},
        agent,
        principal=Principal(tenant=agent.tenant, agent=named, on_behalf_of="alice", assurance=assurance),
        label=label,
        cleared=change.get("cleared", True),
        crossings=change.get("crossings", 0),
        unscoped=change.get("unscoped", False),
        flow=Flow(FlowFacts(**{name: change[name] for name in FLOW if name in change})),
    )
    return msgspec.structs.replace(asked, task=_task(asked.task, change))


def _task(task: Task, change: Change) -> Task:
    """Return the task as a change makes it: by whose word it was opened, and what ends it."""
    alone = change.get("unattended", False)
    return msgspec.structs.replace(
        task,
        intent=msgspec.structs.replace(task.intent, requested_by="agent:clerk") if alone else task.intent,
        type=MEND.name if change.get("runbook") else task.type,
        runbook=MEND.runbook if change.get("runbook") else None,
        deadline=task.opened + timedelta(hours=2 if change.get("lasting") else 1),
        lease_s=15 if change.get("leased") else 0,
    )
