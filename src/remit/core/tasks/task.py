# SPDX-License-Identifier: Apache-2.0
"""Tasks: one piece of work, with the intent behind it, its authority, and its end.

    proposed -> active -> completed | expired | revoked
    proposed -> denied

Only `active` permits. No transition leaves an ended state.
"""

from __future__ import annotations

import enum
from datetime import datetime, timedelta

import msgspec

from remit.core.canonical import digest
from remit.core.errors import Conflict, Malformed
from remit.core.identity.principals import NO_PERSON, Agent, person_of
from remit.core.json_value import Json
from remit.core.label import Label, Unseen
from remit.core.scope import EVERYTHING, ScopeKind, scope
from remit.core.tasks.ceiling import AuthorityCut
from remit.core.tasks.grant import Grant, GrantTemplate
from remit.core.tasks.plan import Plan

MAX_CHAIN = 8
"""Most agents in the chain of a task (RFC 8693 section 4.1: nested `act`).

A longer chain is refused, never cut.
"""


class TaskState(enum.StrEnum):
    """The state of a task."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    COMPLETED = "completed"
    EXPIRED = "expired"
    REVOKED = "revoked"
    DENIED = "denied"

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
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
    """A task's limits of use; `None` is no bound. A child's spending counts against every ancestor.

    `tokens` are those of the model calls that the agent reports, `spend` is what these cost, in millionths.
    `sent_bytes` is the size of arguments whose audience is not `self`.
    """

    calls: int | None = None
    effectful_calls: int | None = None
    result_bytes: int | None = None
    tokens: int | None = None
    spend: int | None = None
    sent_bytes: int | None = None

    def narrow(self, other: Budgets) -> Budgets:
        """Return the smaller of each bound."""
        return Budgets(
            calls=_least(self.calls, other.calls),
            effectful_calls=_least(self.effectful_calls, other.effectful_calls),
            result_bytes=_least(self.result_bytes, other.result_bytes),
            tokens=_least(self.tokens, other.tokens),
            spend=_least(self.spend, other.spend),
            sent_bytes=_least(self.sent_bytes, other.sent_bytes),
        )


def _least(a: int | None, b: int | None) -> int | None:
    if a is None:
        return b
    return a if b is None else min(a, b)


class HandDown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The agents that a task may be handed down to, and the depth.

    `to` names agents (or `group:x`) that may get a child task, at any depth; `max_depth` counts the levels
    below the task. An empty `to` permits no hand-down.
    """

    to: tuple[str, ...] = ()
    max_depth: int = 1

    def names(self, agent: Agent) -> bool:
        """Return whether an agent may get a child task."""
        return agent.name in self.to or any(f"group:{group}" in self.to for group in agent.groups)

    def below(self) -> HandDown:
        """Return the rule for one level further down."""
        return HandDown(self.to, self.max_depth - 1)


class Runbook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The work of a task type was approved in advance, step by step, and is reviewed afterwards.

    `approved_by` and `review_by` name people, or groups of people as `group:name`.
    """

    approved_by: tuple[str, ...]
    review_by: tuple[str, ...]


class TaskType(msgspec.Struct, frozen=True, kw_only=True):
    """A reviewed template for tasks.

    - `run_by`: the agents (or `group:x`) that may run it.
    - `requested_by`: who may state its intent: a person, a `group:x` of people, `agent:x` for an agent whose
      work needs no person, or `issuer:x` for an issuer whose identity assertions act for people (ID-JAG).
    - `delegates`: to which agents its tasks may be delegated.
    - `withhold`: the data that its tasks, and the tasks below them, never see.
    - `asks_unheard`: while remit knows no words of a person, calls that only such words could permit are
      questions (`Task.unheard`).
    - `ends_when_spent`: a task of this type ends once its budgets or ceilings are used up, so that no further
      call can be permitted.
    - `ends_after`: the tools of which the first call that succeeds, or may have, completes a task of this
      type.
    - `runbook`: set where the steps were approved in advance.
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
    ends_after: tuple[str, ...] = ()
    runbook: Runbook | None = None
    withhold: Unseen = Unseen()
    asks_unheard: bool = False

    def unheard(self, intent: Intent) -> bool:
        """Return whether a task of this type asks, because no words of a person are known to it.

        Words are a message, a parameter, or the goal of a person: neither the goal that an agent gives
        itself, nor the purpose of the type in its place.
        """
        said = intent.goal != self.purpose and bool(person_of(intent.requested_by))
        return self.asks_unheard and not (intent.messages or intent.params or said)


class UserMessage(msgspec.Struct, frozen=True):
    """One authenticated message of the person behind the task."""

    text: str
    at: datetime


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """The request that an authorised requester states.

    INVARIANT: `requested_by` was authenticated by remit or is an issuer that the task type permits. Words of
    an agent are stored here only where the task type permits that agent as requester.
    """

    goal: str
    params: dict[str, Json] = {}
    requested_by: str
    stated_at: datetime
    messages: tuple[UserMessage, ...] = ()

    @property
    def digest(self) -> str:
        """The digest of the whole intent; in the token as part of `authority_hash`."""
        return digest(msgspec.to_builtins(self))


class Ancestor(msgspec.Struct, frozen=True):
    """A task that another one was handed down from: its id, its agent, and that agent's owner."""

    task: str
    agent: str
    owner: str


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work of one agent.

    `lowered` is the time of the last declassification of the task's label. `epochs` are the fence epochs of
    the task's scopes at its opening: a scope whose epoch has risen since then has ended. `lineage` holds
    parent, grandparent and so on. A task with `lease_s` set ends when its lease was not renewed for that many
    seconds, one with `idle_s` set when it was not used for that many. `plan` is its agent's plan
    (`core.tasks.plan`). `delegation` is the id of the record by which the person that the task acts for has
    agreed, where the person did not open the task. `delegates` holds the rules for handing the task down.
    `drawn_from` gives, for each of its grants by digest, the accounts of the ancestors' grants that a call
    under it also counts against. `counted_as` names, for a grant that was narrowed since, the grant that the
    task was opened with: its past use still counts. `narrowings` is the number of times that the task's
    grants were narrowed. `coded_by` names the creators of sign-in codes for the requesters. `ends_after` and
    `runbook` are those of its type. `ends_with_parent` is true where the parent ends with its work. `cuts`
    are the tools that its type grants and another bound took away.
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
    ends_after: tuple[str, ...] = ()
    ends_with_parent: bool = False
    runbook: Runbook | None = None
    cuts: tuple[AuthorityCut, ...] = ()
    lowered: datetime | None = None
    ended: datetime | None = None
    end_reason: str = ""
    bundle: str = ""
    epochs: dict[str, int] = {}

    @property
    def speaker(self) -> str:
        """The person who requested the task; empty where the requester was not a person."""
        return person_of(self.intent.requested_by)

    @property
    def for_person(self) -> bool:
        """Whether a person requested the task, or it is for a person."""
        return bool(self.speaker or self.on_behalf_of)

    @property
    def ends_with_work(self) -> bool:
        """Whether something ends the task once its work is over, before its deadline.

        A lease, an idle time, a completing call, a budget that ends the task, or such an end of its parent.
        """
        if self.lease_s or self.idle_s or self.ends_after or self.ends_with_parent:
            return True
        return self.ends_spent

    @property
    def ends_spent(self) -> bool:
        """Whether budgets or ceilings can be used up, so that no further call is permitted and it ends."""
        own = self.budgets
        bounded = any(one is not None for one in (own.calls, own.result_bytes, own.tokens, own.spend))
        counted = bool(self.grants) and all(one.calls is not None or one.amounts for one in self.grants)
        return self.ends_when_spent and (bounded or counted)

    @property
    def lasts_s(self) -> int:
        """The seconds from its opening to its deadline."""
        return int((self.deadline - self.opened).total_seconds())

    @property
    def people(self) -> tuple[str, ...]:
        """The person it is for and the person who requested it, each once."""
        return tuple(dict.fromkeys(one for one in (self.on_behalf_of, self.speaker) if one))

    @property
    def subject(self) -> str:
        """The data subject of the task: the person it is for, else its requester, else its agent.

        The subject's key seals what is asked in the task.
        """
        return self.on_behalf_of or self.speaker or self.agent

    @property
    def parent(self) -> str:
        """The id of the task that this one was handed down from; empty where it was not handed down."""
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
        """The digest of the task's authority and its reason: grants, deadline, intent without later
        messages.
        """
        return digest(
            {
                "intent": msgspec.to_builtins(msgspec.structs.replace(self.intent, messages=())),
                "grants": msgspec.to_builtins(self.grants),
                "deadline": self.deadline.isoformat(),
            }
        )

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that the task lies in, whatever it calls.

        INVARIANT: a child lies in every scope of its ancestors, so that the end of such a scope ends the
        child, too.
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

    def belongs_to(self, person: str) -> bool:
        """Return whether the task is this person's own: with their intent, or acting for them."""
        return person in (self.intent.requested_by, self.on_behalf_of)

    def active_at(self, now: datetime) -> bool:
        """Return whether the task permits anything at `now`."""
        return self.state is TaskState.ACTIVE and now < self.deadline

    def moved(self, state: TaskState, now: datetime, reason: str = "") -> Task:
        """Return the task in its next state; raise `Conflict` for an illegal transition."""
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
    """Return the parameters with defaults filled in; raise `Malformed` for a missing, unknown or ill-typed
    one.

    The caller checks constraints of parameters with `core.tools.constraint`, before any grant is
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
