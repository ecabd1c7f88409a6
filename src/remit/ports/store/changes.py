# SPDX-License-Identifier: Apache-2.0
"""The checks and the changes that a unit may hold (`ports.store.units`)."""

from __future__ import annotations

from datetime import datetime

import msgspec

from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.endings.closure import Closure
from remit.core.findings.finding import Finding
from remit.core.flow.stored_labels import StoredLabel
from remit.core.identity.passkey import Link, Passkey
from remit.core.identity.principals import Agent, LastProof, Person
from remit.core.json_value import Json
from remit.core.label import Classes, Label
from remit.core.oauth.one_time_code import OneTimeCode
from remit.core.oauth.refresh_token import RefreshToken, TokenFamily
from remit.core.tasks.delegation_record import Delegation
from remit.core.tasks.task import Budgets, Task, TaskState
from remit.ports.store.replicas import FleetChange

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


# Changes: agents, people, tasks, ends, and what else is kept.


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


# Changes: one-time codes, passkeys, and accounts at issuers.


class PutOneTimeCode(msgspec.Struct, frozen=True):
    """Keep a ticket; those that ran out before it was made may be dropped."""

    ticket: OneTimeCode


class UseOneTimeCode(msgspec.Struct, frozen=True):
    """Use a ticket up; `Conflict` unless it is there, unused, and not run out at `now`.

    `outcome` is kept with it, so that whoever sees a second use knows what to take back.
    """

    tenant: str
    digest: str
    now: datetime
    outcome: str = ""


class PutPasskey(msgspec.Struct, frozen=True):
    """Keep a new passkey; `Conflict` if there is one with its id."""

    passkey: Passkey


class UsePasskey(msgspec.Struct, frozen=True):
    """Remember that a passkey was used; `Conflict` if it is not there.

    `Conflict` as well if `counter` has not risen, unless both the kept one and this one are 0 (WebAuthn
    level 3 section 7.2): the passkey was copied, or an answer replayed.
    """

    tenant: str
    id: str
    counter: int
    now: datetime


class DropPasskey(msgspec.Struct, frozen=True):
    """Delete a passkey of a person; `Conflict` if they have none with this id."""

    tenant: str
    id: str
    person: str


class PutLink(msgspec.Struct, frozen=True):
    """Keep whom a subject is here; `Conflict` if the subject is another person already, or the person another
    subject of the same issuer.
    """

    link: Link


class DropLink(msgspec.Struct, frozen=True):
    """Forget whom a subject is here; `Conflict` if it is not this person."""

    tenant: str
    issuer: str
    subject: str
    person: str


# Changes: issued tokens.


class PutFamily(msgspec.Struct, frozen=True):
    """Keep a new family of tokens; `Conflict` if there is one with its id."""

    family: TokenFamily


class PutRefreshToken(msgspec.Struct, frozen=True):
    """Keep a new refresh token; those that ran out before it was made may be dropped, and families too."""

    token: RefreshToken


class UseRefreshToken(msgspec.Struct, frozen=True):
    """Use a refresh token up; `Conflict` unless it is there, unused, and not run out at `now`. A used one is
    remembered until it would have run out.
    """

    tenant: str
    digest: str
    now: datetime


class Withdraw(msgspec.Struct, frozen=True):
    """Take back what bears this id, an access token or a whole family. It is remembered until `expires`, when
    nothing of it can be valid any more; what ran out before `now` may be dropped. Taking back twice is no
    error.
    """

    tenant: str
    id: str
    expires: datetime
    now: datetime


# Changes: labels at rest, and labels that rise in tasks which others were handed.


class PutStoredLabel(msgspec.Struct, frozen=True):
    """Insert or replace what is known of one resource (the caller has joined).

    With `was`, `ChangedMeanwhile` unless that is what is kept: what was written since somebody looked is not
    declassified. With `classes` it is joined into what is kept: others may have written there too.
    """

    stored_label: StoredLabel
    was: StoredLabel | None = None
    classes: Classes | None = None


class DropStoredLabel(msgspec.Struct, frozen=True):
    """Forget a holding; nothing where there is none."""

    tenant: str
    upstream: str
    resource: str


class JoinLabels(msgspec.Struct, frozen=True):
    """Join a label into the accumulated labels of tasks, whoever holds them; unknown tasks are left out."""

    tenant: str
    tasks: tuple[str, ...]
    label: Label
    classes: Classes


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
    | PutOneTimeCode
    | UseOneTimeCode
    | PutPasskey
    | UsePasskey
    | DropPasskey
    | PutLink
    | DropLink
    | PutFamily
    | PutRefreshToken
    | UseRefreshToken
    | Withdraw
    | PutStoredLabel
    | DropStoredLabel
    | JoinLabels
)
