# SPDX-License-Identifier: Apache-2.0
"""What may be asked of the store at once: checks, changes, and the unit that they make up with their
events.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.endings.closure import Closure
from remit.core.evidence.event import Event
from remit.core.findings.finding import Finding
from remit.core.identity.principals import Agent, LastProof, Person
from remit.core.json_value import Json
from remit.core.label import Label
from remit.core.tasks.delegation_record import Delegation
from remit.core.tasks.task import Budgets, Task, TaskState
from remit.ports.store.issued_tokens import IssuedChange
from remit.ports.store.people import PeopleChange
from remit.ports.store.replicas import FleetChange
from remit.ports.store.stored_labels import HoldingChange

# Checks: a unit whose check fails is refused whole, and nothing of it is written.


class CheckFence(msgspec.Struct, frozen=True):
    """Refuse with `Fenced` if any of `scopes` has an epoch above the one in `epochs` (missing: 0)."""

    epochs: dict[str, int]
    scopes: tuple[str, ...]


class CheckUnlocked(msgspec.Struct, frozen=True):
    """Refuse with `Fenced` if any of `scopes` is locked. For opening tasks."""

    scopes: tuple[str, ...]


class TakeBudget(msgspec.Struct, frozen=True):
    """Count a call against a task and all its ancestors; `BudgetExhausted` if any bound would be passed.

    `bounds` maps each task id to its budgets. A negative count gives back.
    """

    bounds: dict[str, Budgets]
    calls: int = 0
    effectful_calls: int = 0
    result_bytes: int = 0


class UseApproval(msgspec.Struct, frozen=True):
    """Use an approval up; `Conflict` unless it is approved, for exactly this call, and not expired at
    `now`.
    """

    id: str
    call: str
    now: datetime


class CheckValue(msgspec.Struct, frozen=True):
    """Refuse with `ChangedMeanwhile` unless this is what is kept under a key (`PutValue`); `None`: nothing
    is.
    """

    tenant: str
    key: str
    value: Json


# Changes.


class PutAgent(msgspec.Struct, frozen=True):
    """Insert (`expect_new`) or replace an agent; `Conflict` if the name is taken, or if one of its bindings
    overlaps with another agent's (code `workload-taken`).

    With `was`, `ChangedMeanwhile` unless that is what is kept: what others have changed since it was read is
    not undone.
    """

    agent: Agent
    expect_new: bool = False
    was: Agent | None = None


class UseAgent(msgspec.Struct, frozen=True):
    """Refuse with `Conflict` unless the agent may act now; one that was only registered becomes active."""

    tenant: str
    name: str


class PutLastProof(msgspec.Struct, frozen=True):
    """Keep how an agent last proved itself, instead of the time before."""

    proof: LastProof


class PutPerson(msgspec.Struct, frozen=True):
    """Insert (`expect_new`) or replace a person; `Conflict` if the name is taken, `ChangedMeanwhile` if with
    `was` something else is kept than that.
    """

    person: Person
    expect_new: bool = False
    was: Person | None = None


class UsePerson(msgspec.Struct, frozen=True):
    """Refuse with `Conflict` unless there is such a person and they are active."""

    tenant: str
    name: str


class PutDelegation(msgspec.Struct, frozen=True):
    """Insert (`expect_new`) or replace a delegation record; `Conflict` if there is one with its id."""

    delegation: Delegation
    expect_new: bool = False


class UseDelegation(msgspec.Struct, frozen=True):
    """Refuse with `Conflict` unless the record is there and lives at `now`."""

    tenant: str
    id: str
    now: datetime


class PutFinding(msgspec.Struct, frozen=True):
    """Insert or replace a finding."""

    finding: Finding


class PutTask(msgspec.Struct, frozen=True):
    """Insert a task, or replace it if it is still in state `expected`; `Conflict` otherwise."""

    task: Task
    expected: TaskState | None = None


class RaiseLabel(msgspec.Struct, frozen=True):
    """Set the task's accumulated label (the caller has joined; a label only rises)."""

    task: str
    label: Label


class RaiseFence(msgspec.Struct, frozen=True):
    """Raise the epoch of a scope by one, and set or clear its lock where `locked` is not `None`."""

    tenant: str
    scope: str
    locked: bool | None = None
    raise_epoch: bool = True


class PutApproval(msgspec.Struct, frozen=True):
    """Insert an approval, or replace it if it is still in state `expected`; `Conflict` otherwise."""

    approval: Approval
    expected: ApprovalState | None = None


class PutClosure(msgspec.Struct, frozen=True):
    """Keep a closure."""

    tenant: str
    closure: Closure


class Pin(msgspec.Struct, frozen=True):
    """What was reviewed of a tool, by digest, and what the upstream offers now."""

    tenant: str
    tool: str
    accepted_digest: str
    accepted_surface: dict[str, Json]
    offered_digest: str
    offered_surface: dict[str, Json]


class PutPin(msgspec.Struct, frozen=True):
    """Insert or replace a pin."""

    pin: Pin


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """Something with which a person shows who they are, by the SHA-256 of its secret: a session or a one-time
    code.

    `kind` is `session` (of programs), `browser` (a session whose secret is a cookie), or `code`. `method` is
    how the person proved who they are, `authenticated` when (at `created` where it is `None`), `place` what
    they used, in words for themselves. `jkt` is the thumbprint of the key (RFC 7638) that must be proven with
    it; empty where the secret alone is enough. `coded_by` is who, other than the person, made the code that
    it is or came of.
    """

    tenant: str
    digest: str
    kind: str
    person: str
    created: datetime
    expires: datetime
    method: str = "code"
    authenticated: datetime | None = None
    place: str = ""
    jkt: str = ""
    coded_by: tuple[str, ...] = ()


class PutCredential(msgspec.Struct, frozen=True):
    """Keep a credential."""

    credential: Credential


class TakeCredential(msgspec.Struct, frozen=True):
    """Delete a credential; `Conflict` if it is not there: a code is used once."""

    tenant: str
    digest: str


class UseCredential(msgspec.Struct, frozen=True):
    """Refuse with `Conflict` unless a credential is there."""

    tenant: str
    digest: str


class EndCredentials(msgspec.Struct, frozen=True):
    """Delete everything with which a person shows who they are: sessions and codes."""

    tenant: str
    person: str


class PutValue(msgspec.Struct, frozen=True):
    """Keep a small JSON value by key: the last applied bundle and the like. `None` is kept as nothing."""

    tenant: str
    key: str
    value: Json


class UseAssertion(msgspec.Struct, frozen=True):
    """Remember the id of a client assertion until it expires; `Conflict` if it was seen before (RFC 7523
    `jti`).
    """

    tenant: str
    digest: str
    expires: datetime


Change = (
    CheckFence
    | CheckUnlocked
    | CheckValue
    | TakeBudget
    | UseApproval
    | PutAgent
    | UseAgent
    | PutLastProof
    | PutPerson
    | UsePerson
    | PutDelegation
    | UseDelegation
    | PutFinding
    | PutTask
    | RaiseLabel
    | RaiseFence
    | PutApproval
    | PutClosure
    | PutPin
    | PutCredential
    | TakeCredential
    | UseCredential
    | EndCredentials
    | PutValue
    | UseAssertion
    | FleetChange
    | HoldingChange
    | PeopleChange
    | IssuedChange
)


class Unit(msgspec.Struct, frozen=True):
    """What becomes true at once, of one tenant. Changes apply in order; a check sees the changes before it.

    `tenant` needs saying only where neither an event nor a change says it. A task replaced by `PutTask` keeps
    its accumulated label, which `RaiseLabel` alone changes.
    """

    changes: tuple[Change, ...] = ()
    events: tuple[Event, ...] = ()
    tenant: str = ""

    @property
    def of_tenant(self) -> str:
        """Whose state the unit changes; raises `ValueError` if nothing in it says so."""
        if self.tenant:
            return self.tenant
        if self.events:
            return self.events[0].tenant
        for change in self.changes:
            for held in (change, *(getattr(change, name) for name in change.__struct_fields__)):
                if tenant := getattr(held, "tenant", ""):
                    return str(tenant)
        raise ValueError("a unit without events and with checks alone must name its tenant")
