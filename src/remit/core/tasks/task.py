# SPDX-License-Identifier: Apache-2.0
"""Tasks: one piece of work, with the intent behind it, what it may use, and how it ends.

    proposed -> active -> completed | expired | revoked
    proposed -> denied

Only `active` permits. There is no way back from an ended state.
"""

from __future__ import annotations

import enum
from datetime import datetime, timedelta

import msgspec

from remit.core.canonical import digest
from remit.core.errors import Conflict, Malformed
from remit.core.identity.principals import Agent
from remit.core.json_value import Json
from remit.core.label import Label
from remit.core.scope import EVERYTHING, ScopeKind, scope
from remit.core.tasks.grant import Grant, GrantTemplate
from remit.core.tasks.plan import Plan

MAX_CHAIN = 8
"""Most agents in the chain of a task (RFC 8693 section 4.1: nested `act`).

A longer chain is refused, never cut.
"""


class TaskState(enum.StrEnum):
    """Where a task stands."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    COMPLETED = "completed"
    EXPIRED = "expired"
    REVOKED = "revoked"
    DENIED = "denied"

    @property
    def ended(self) -> bool:
        """Whether nothing can come after it."""
        return self not in _LIVING


_LIVING = (TaskState.PROPOSED, TaskState.ACTIVE)


TRANSITIONS: dict[TaskState, frozenset[TaskState]] = {
    TaskState.PROPOSED: frozenset({TaskState.ACTIVE, TaskState.DENIED, TaskState.EXPIRED, TaskState.REVOKED}),
    TaskState.ACTIVE: frozenset({TaskState.COMPLETED, TaskState.EXPIRED, TaskState.REVOKED}),
    TaskState.COMPLETED: frozenset(),
    TaskState.EXPIRED: frozenset(),
    TaskState.REVOKED: frozenset(),
    TaskState.DENIED: frozenset(),
}


class Parameter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A typed parameter of a task type.

    `type` is `string`, `integer`, `number` or `boolean`; `constraint` is the YAML form of an argument
    constraint and is checked before the value is put into any grant.
    """

    type: str = "string"
    description: str = ""
    constraint: dict[str, Json] | None = None
    required: bool = True
    default: Json = None


class Budgets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a task may use up; `None` is no bound. A child's spending counts against every ancestor."""

    calls: int | None = None
    effectful_calls: int | None = None
    result_bytes: int | None = None

    def narrow(self, other: Budgets) -> Budgets:
        """Return the smaller of each bound."""
        return Budgets(
            calls=_least(self.calls, other.calls),
            effectful_calls=_least(self.effectful_calls, other.effectful_calls),
            result_bytes=_least(self.result_bytes, other.result_bytes),
        )


def _least(a: int | None, b: int | None) -> int | None:
    if a is None:
        return b
    return a if b is None else min(a, b)


class HandDown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To whom a task may be handed down, and how deep.

    `to` names agents (or `group:x`) that may get a child task, at whatever depth; `max_depth` counts the
    levels below the task. Without anybody in `to` nothing is handed down.
    """

    to: tuple[str, ...] = ()
    max_depth: int = 1

    def names(self, agent: Agent) -> bool:
        """Whether an agent may get a child task."""
        return agent.name in self.to or any(f"group:{group}" in self.to for group in agent.groups)

    def below(self) -> HandDown:
        """Return what is left of it one level down."""
        return HandDown(self.to, self.max_depth - 1)


class TaskType(msgspec.Struct, frozen=True, kw_only=True):
    """A reviewed template for tasks.

    `run_by` names the agents (or `group:x`) that may run it; `requested_by` names who may state its intent: a
    person, a `group:x` of people, `agent:x` for an agent whose work needs no person, or `issuer:x` for an
    issuer whose identity assertions speak for people (ID-JAG). `delegates`
    says to whom its tasks may be handed down. `ends_when_spent`: a task of it ends once no call of it can be
    permitted any more because its budgets or ceilings are used up.
    """

    name: str
    purpose: str
    run_by: tuple[str, ...]
    requested_by: tuple[str, ...]
    parameters: dict[str, Parameter] = {}
    grants: tuple[GrantTemplate, ...] = ()
    budgets: Budgets = Budgets()
    deadline_s: int = 1800
    label: Label = Label()
    requires_person: bool = True
    delegates: HandDown = HandDown()
    ends_when_spent: bool = True


class UserMessageRecord(msgspec.Struct, frozen=True):
    """One authenticated utterance of the person behind the task."""

    text: str
    at: datetime


#: How whoever states an intent is written where that is no person: a permitted agent, a permitted issuer.
NO_PERSON = ("agent:", "issuer:")


def person_of(requested_by: str) -> str:
    """Return the person who stated an intent; empty where it was no person."""
    return "" if requested_by.startswith(NO_PERSON) else requested_by


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody who may say so wants done.

    INVARIANT: `requested_by` was authenticated by remit or is an issuer that the task type permits. An
    agent's own words never stand here.
    """

    goal: str
    params: dict[str, Json] = {}
    requested_by: str
    stated_at: datetime
    turns: tuple[UserMessageRecord, ...] = ()

    @property
    def digest(self) -> str:
        """The digest of the whole intent; in the token as part of `authority_hash`."""
        return digest(msgspec.to_builtins(self))


class Ancestor(msgspec.Struct, frozen=True):
    """A task that another one was handed down from: its id, its agent, and who answers for that agent."""

    task: str
    agent: str
    owner: str


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work of one agent.

    `lowered` says when somebody last declassified what it carries. `epochs` are the fence epochs of the
    task's scopes when it was opened: a scope whose epoch has risen since then has been ended. `lineage`
    holds parent, grandparent and so on. A task with `lease_s` set ends when nobody has renewed its lease for
    that many seconds, one with `idle_s` set when it was not used for that many. `plan` is what its agent said
    it would need (`core.tasks.plan`). `delegation` is the id of the record by which the person it acts for
    has agreed, where they did not open it themselves. `delegates` says to whom it may be handed down.
    `drawn_from` gives, for each of its grants by digest, the accounts of the ancestors' grants that a call
    under it is also counted against. `counted_as` names, for a grant that was narrowed since, the one that it
    was opened with: what was used up of that stays used up. `narrowings` is how often the task was made to
    hold less. `coded_by` is who had made sign-in codes for those who stated it.
    """

    tenant: str
    id: str
    type: str
    agent: str
    owner: str
    on_behalf_of: str = ""
    initiative: str = ""
    environment: str = "development"
    intent: Intent
    grants: tuple[Grant, ...]
    budgets: Budgets = Budgets()
    label: Label = Label()
    plan: Plan | None = None
    lineage: tuple[Ancestor, ...] = ()
    delegation: str = ""
    delegates: tuple[HandDown, ...] = ()
    drawn_from: dict[str, tuple[str, ...]] = {}
    counted_as: dict[str, str] = {}
    narrowings: int = 0
    coded_by: tuple[str, ...] = ()
    state: TaskState = TaskState.ACTIVE
    opened: datetime
    deadline: datetime
    lease_s: int = 0
    idle_s: int = 0
    ends_when_spent: bool = False
    lowered: datetime | None = None
    ended: datetime | None = None
    end_reason: str = ""
    bundle: str = ""
    epochs: dict[str, int] = {}

    @property
    def speaker(self) -> str:
        """The person who stated the intent; empty where it was no person."""
        return person_of(self.intent.requested_by)

    @property
    def subject(self) -> str:
        """Whose the task is: whom it is for, else who stated it, else its agent. Their key seals what is
        asked in it.
        """
        return self.on_behalf_of or self.speaker or self.agent

    @property
    def parent(self) -> str:
        """The id of the task that this one was handed down from; empty where there is none."""
        return self.lineage[0].task if self.lineage else ""

    @property
    def ancestors(self) -> tuple[str, ...]:
        """The ids of parent, grandparent and so on."""
        return tuple(one.task for one in self.lineage)

    @property
    def actors(self) -> tuple[str, ...]:
        """The agents of the chain, the current one first (RFC 8693 section 4.1: the outermost `act`)."""
        return (self.agent, *(one.agent for one in self.lineage))

    @property
    def authority_hash(self) -> str:
        """The digest of what the task may do and why: grants, deadline, intent without later turns."""
        return digest(
            {
                "intent": msgspec.to_builtins(msgspec.structs.replace(self.intent, turns=())),
                "grants": msgspec.to_builtins(self.grants),
                "deadline": self.deadline.isoformat(),
            }
        )

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that the task lies in, whatever it calls.

        INVARIANT: a child lies in every scope of its ancestors, so that what ends one of these ends it too.
        """
        names = [EVERYTHING, scope(ScopeKind.OWNER, self.owner), scope(ScopeKind.AGENT, self.agent)]
        for one in self.lineage:
            names += [
                scope(ScopeKind.OWNER, one.owner),
                scope(ScopeKind.AGENT, one.agent),
                scope(ScopeKind.TASK, one.task),
            ]
        for person in (self.on_behalf_of, self.intent.requested_by):
            if person and not person.startswith(NO_PERSON):
                names.append(scope(ScopeKind.PERSON, person))
        if self.delegation:
            names.append(scope(ScopeKind.DELEGATION, self.delegation))
        return tuple(dict.fromkeys((*names, scope(ScopeKind.TASK, self.id))))

    def call_scopes(self, tool: str) -> tuple[str, ...]:
        """Return the scopes of a call: those of its task, and the tool and its upstream."""
        upstream = tool.partition("/")[0]
        return (*self.scopes, scope(ScopeKind.TOOL, tool), scope(ScopeKind.UPSTREAM, upstream))

    def active_at(self, now: datetime) -> bool:
        """Whether the task permits anything at `now`."""
        return self.state is TaskState.ACTIVE and now < self.deadline

    def moved(self, state: TaskState, now: datetime, reason: str = "") -> Task:
        """Return the task in its next state; an illegal move raises `Conflict`."""
        if state not in TRANSITIONS[self.state]:
            raise Conflict(
                f"task `{self.id}` is {self.state.value} and cannot become {state.value}",
                remediation="open a new task" if self.state.ended else "",
            )
        return msgspec.structs.replace(
            self, state=state, ended=now if state.ended else None, end_reason=reason if state.ended else ""
        )

    def grants_for(self, tool: str) -> tuple[Grant, ...]:
        """Return the grants that name `tool`."""
        return tuple(grant for grant in self.grants if grant.tool == tool)


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def check_parameters(task_type: TaskType, given: dict[str, Json]) -> dict[str, Json]:
    """Return the parameters with defaults filled in; a missing, unknown or ill-typed one raises `Malformed`.

    Constraints of parameters are checked by the caller with `core.tools.constraint`, before any grant is
    instantiated.
    """
    unknown = sorted(set(given) - set(task_type.parameters))
    if unknown:
        known = ", ".join(task_type.parameters) or "none"
        raise Malformed(
            f"task type `{task_type.name}` has no parameter `{unknown[0]}`", remediation=f"permitted: {known}"
        )
    out: dict[str, Json] = {}
    for name, spec in task_type.parameters.items():
        if name not in given:
            if spec.required and spec.default is None:
                raise Malformed(f"parameter `{name}` is missing", remediation=f"give it with `-p {name}=...`")
            if spec.default is not None:
                out[name] = spec.default
            continue
        value = given[name]
        kinds = _TYPES[spec.type]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise Malformed(
                f"parameter `{name}` must be of type {spec.type}", remediation="give a value of that type"
            )
        out[name] = value
    return out


def deadline_for(task_type: TaskType, now: datetime, parent: Task | None = None) -> datetime:
    """Return the deadline of a new task: the type's own, and never past its parent's."""
    own = now + timedelta(seconds=task_type.deadline_s)
    return min(own, parent.deadline) if parent else own
