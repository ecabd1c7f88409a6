# SPDX-License-Identifier: Apache-2.0
"""What a recorded decision rested on, gathered from the events before it.

A decision's event names the call and the rules. What else was decided on stands in earlier events: the terms
of its task, the facts of its agent, the surfaces of the tools, what people approved. `EvidenceInputs` reads
the events in order and gives each wanted decision with these, as they were then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Agent
from remit.core.json_value import Json
from remit.core.tasks.task import Intent, Task, UserMessage

Record = Mapping[str, Any]
#: Of a task: what its event says elsewhere, and what no decision rests on.
_NOT_TERMS: Final = ("tenant", "id", "epochs", "state", "lowered", "ended", "end_reason")
_OF_AGENT: Final = ("owner", "purpose", "environment", "initiative", "manifest_digest", "groups")
#: What `agent.changed` calls facts of an agent.
_CHANGED: Final = {"owner": "owner", "manifest": "manifest_digest"}
#: The kinds of events that decisions rest on, decisions among them.
KINDS: Final = frozenset(
    {
        *("agent.changed", "approval.decided", "approval.requested", "decision.made", "task.message"),
        *("task.narrowed", "task.opened", "tool.accepted", "tool.changed", "tool.pinned"),
    }
)


def terms_of(task: Task, agent: Agent | None = None) -> dict[str, Json]:
    """Return the terms of a task for its event, without the goal: what is not usual, and its agent."""
    bare = msgspec.structs.replace(task, intent=msgspec.structs.replace(task.intent, goal="", messages=()))
    usual = {one.name: one.default for one in msgspec.structs.fields(Task)}
    kept: dict[str, Json] = {
        name: msgspec.to_builtins(value)
        for name in usual
        if name not in _NOT_TERMS and (value := getattr(bare, name)) not in (usual[name], {})
    }
    if agent is None:
        return {"task": kept}
    facts = msgspec.to_builtins({name: getattr(agent, name) for name in _OF_AGENT})
    return {"task": kept, "agent": facts}


class ToolOffer(msgspec.Struct, frozen=True):
    """A tool as it was pinned, by digest, and as its upstream offered it."""

    accepted: str
    offered: str


class RecordedApproval(msgspec.Struct, frozen=True, kw_only=True):
    """A question to people and its answer, as the events have it; `uses` are the calls it had permitted.

    `comment` is `None` where it is not disclosed.
    """

    id: str
    task: str
    tool: str
    call: str
    rules: tuple[tuple[str, str], ...]
    state: str = "pending"
    most: int = 1
    bounded: bool = False
    instead: str = ""
    comment: str | None = ""
    uses: int = 0


class RecordedDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision's event, and what it rested on. `None` or empty: the events before it do not say.

    `values` are the sealed values that are disclosed. `types` are the types of the tasks above its own.
    `offers` are the tools by id, `surfaces` what the upstreams said of them, by digest. `whole` is whether
    the events of everything before it were read, not only those of its task.
    """

    index: int
    record: Record
    values: Mapping[str, Any]
    task: Task | None
    agent: Mapping[str, Any] | None
    types: tuple[str, ...] | None
    offers: Mapping[str, ToolOffer]
    surfaces: Mapping[str, dict[str, Json]]
    approval: RecordedApproval | None
    whole: bool = True


class EvidenceInputs:
    """Reads events in order; `wanted` says of which decisions the inputs are kept."""

    def __init__(self, wanted: Callable[[int, Record], bool]) -> None:
        """Begin before the first event."""
        self._wanted = wanted
        self._tasks: dict[str, Task] = {}
        self._types: dict[str, str] = {}
        self._agents: dict[str, dict[str, Any]] = {}
        self._offers: dict[str, ToolOffer] = {}
        self._surfaces: dict[str, dict[str, Json]] = {}
        self._approvals: dict[str, RecordedApproval] = {}

    def take(self, index: int, record: Record, values: Mapping[str, Any]) -> RecordedDecision | None:
        """Read the next event; return the decision that it is, if it is wanted."""
        kind, facts = record["kind"], record["facts"]
        match kind:
            case EventKind.TASK_OPENED | EventKind.TASK_NARROWED:
                self._terms(record, values)
            case EventKind.TASK_MESSAGE:
                self._message(record, values)
            case EventKind.AGENT_CHANGED:
                for said, name in _CHANGED.items():
                    if facts["change"] == said and record["agent"] in self._agents:
                        self._agents[record["agent"]] |= {name: facts.get(said, "")}
            case EventKind.TOOL_PINNED | EventKind.TOOL_CHANGED | EventKind.TOOL_ACCEPTED:
                self._offer(kind, facts, values)
            case EventKind.APPROVAL_REQUESTED | EventKind.APPROVAL_DECIDED:
                self._approval(kind, record, values)
            case EventKind.DECISION_MADE:
                return self._decision(index, record, values)
        return None

    def _terms(self, record: Record, values: Mapping[str, Any]) -> None:
        task, terms = record["task"], values.get("terms")
        if record["kind"] == EventKind.TASK_OPENED:
            self._types[task] = record["facts"]["task_type"]
        if not isinstance(terms, dict):
            self._tasks.pop(task, None)  # what it may do from here on is not disclosed
            return
        kept = terms["task"]
        before = self._tasks.get(task)
        goal = values.get("goal", before.intent.goal if before else "")
        made = msgspec.convert(
            {**kept, "tenant": record["tenant"], "id": task, "intent": {**kept["intent"], "goal": goal}}, Task
        )
        if made.authority_hash != record["facts"]["authority"]:
            self._tasks.pop(task, None)
            return
        if before is not None:
            made = msgspec.structs.replace(made, intent=before.intent)
        self._tasks[task] = made
        if "agent" in terms:
            self._agents[record["agent"]] = dict(terms["agent"])

    def _message(self, record: Record, values: Mapping[str, Any]) -> None:
        task, text = self._tasks.get(record["task"]), values.get("text")
        if task is not None and isinstance(text, str):
            said = UserMessage(text, datetime.fromisoformat(record["at"]))
            intent: Intent = msgspec.structs.replace(task.intent, messages=(*task.intent.messages, said))
            self._tasks[task.id] = msgspec.structs.replace(task, intent=intent)

    def _offer(self, kind: str, facts: Record, values: Mapping[str, Any]) -> None:
        tool, surface = facts["tool"], values.get("surface")
        before = self._offers.get(tool)
        if kind == EventKind.TOOL_PINNED:
            offer = ToolOffer(facts["digest"], facts["digest"])
        elif kind == EventKind.TOOL_CHANGED:
            offer = ToolOffer(facts["accepted"], facts["offered"])
        else:
            offer = ToolOffer(facts["accepted"], before.offered if before else facts["accepted"])
        # A new mapping each time: decisions before it keep theirs.
        self._offers = {**self._offers, tool: offer}
        if isinstance(surface, dict):
            self._surfaces = {**self._surfaces, offer.offered: surface}

    def _approval(self, kind: str, record: Record, values: Mapping[str, Any]) -> None:
        facts = record["facts"]
        name = facts["approval"]
        if kind == EventKind.APPROVAL_REQUESTED:
            self._approvals[name] = RecordedApproval(
                id=name,
                task=record.get("task", ""),
                tool=facts["tool"],
                call=facts["call"],
                rules=tuple((rule, digest) for rule, digest in facts["rules"]),
            )
        elif (asked := self._approvals.get(name)) is not None:
            self._approvals[name] = msgspec.structs.replace(
                asked,
                state=facts["state"],
                most=facts.get("most") or 1,
                bounded=bool(facts.get("most")),
                instead=facts.get("instead", ""),
                comment=values.get("comment"),
            )

    def _decision(self, index: int, record: Record, values: Mapping[str, Any]) -> RecordedDecision | None:
        facts = record["facts"]
        approval = self._approvals.get(_approval_named(facts))
        found = None
        if self._wanted(index, record):
            task = self._tasks.get(record.get("task", ""))
            above = [self._types.get(one) for one in task.ancestors] if task else [None]
            agent = self._agents.get(record.get("agent", ""))
            found = RecordedDecision(
                index=index,
                record=record,
                values=values,
                task=task,
                agent=dict(agent) if agent is not None else None,
                types=tuple(one for one in above if one) if all(above) else None,
                offers=self._offers,
                surfaces=self._surfaces,
                approval=approval,
            )
        if facts["outcome"] == "permit" and approval is not None:
            self._approvals[approval.id] = msgspec.structs.replace(approval, uses=approval.uses + 1)
        return found


def _approval_named(facts: Record) -> str:
    """Return the approval that a decision used, or whose answer refused it."""
    for reason in facts.get("reasons", ()):
        kind, _, name = reason.get("rule", "").partition(" ")
        if kind == "approval" and reason["code"] in ("denied", "narrowed", "unanswered"):
            return str(name)
    return str(facts.get("approval", ""))
