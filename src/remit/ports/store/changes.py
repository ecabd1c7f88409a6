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
from remit.core.tasks.history import HistoryEntry
from remit.core.tasks.task import Budgets, Task, TaskState
from remit.ports.store.replicas import FleetChange

# Checks: a unit with a failing check is refused as a whole, and nothing of it is written.


class CheckFence(msgspec.Struct, frozen=True):
    """Refuse with `Fenced` if any of `scopes` has an epoch above the one in `epochs` (missing: 0)."""

    epochs: dict[str, int]
    scopes: tuple[str, ...]


class CheckUnlocked(msgspec.Struct, frozen=True):
    """Refuse with `Fenced` if any of `scopes` is locked; with `Suspended` if that is a task's.

    For opening tasks; and for calls, with the scopes of the task and those above it.
    """

    scopes: tuple[str, ...]


class TakeBudget(msgspec.Struct, frozen=True):
    """Count a call against a task and all its ancestors; `BudgetExhausted` if any bound would be exceeded.

    `bounds` maps each task id to its budgets. A negative count returns budget.
    """

    bounds: dict[str, Budgets]
    calls: int = 0
    effectful_calls: int = 0
    result_bytes: int = 0


class CountHistory(msgspec.Struct, frozen=True):
    """Add entries to the history of a family of tasks, which ends with its root task."""

    tenant: str
    family: str
    entries: tuple[HistoryEntry, ...]


#: What a decided call takes.
Take = TakeBudget | CountHistory


class UseApproval(msgspec.Struct, frozen=True):
    """Use an approval once; `Conflict` unless it is approved, for exactly this call, and not expired at
    `now`.

    With `scope` it is a bounded approval, which must permit further calls of this scope and have permitted
    `used` so far.
    """

    id: str
    call: str
    now: datetime
    scope: str = ""
    used: int = 0


class CheckValue(msgspec.Struct, frozen=True):
    """Refuse with `ChangedMeanwhile` unless this value is stored under a key (`PutValue`).

    `None`: no value is stored.
    """

    tenant: str
    key: str
    value: Json


# Changes: agents, people, tasks, ends, and what else is kept.


class PutAgent(msgspec.Struct, frozen=True):
    """Insert (`expect_new`) or replace an agent.

    `Conflict` if the name is taken, or if one of its bindings overlaps with another agent's (code
    `workload-taken`).

    With `was`, `ChangedMeanwhile` unless that is the stored value: changes by others since it was read are
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
    """Store how an agent last proved its identity, in place of the proof before."""

    proof: LastProof


class PutPerson(msgspec.Struct, frozen=True):
    """Insert (`expect_new`) or replace a person.

    `Conflict` if the name is taken, `ChangedMeanwhile` if `was` is given and is not the stored value.
    """

    person: Person
    expect_new: bool = False
    was: Person | None = None


class UsePerson(msgspec.Struct, frozen=True):
    """Refuse with `Conflict` unless the person exists and is active."""

    tenant: str
    name: str


class PutDelegation(msgspec.Struct, frozen=True):
    """Insert (`expect_new`) or replace a delegation record; `Conflict` if there is one with its id."""

    delegation: Delegation
    expect_new: bool = False


class UseDelegation(msgspec.Struct, frozen=True):
    """Refuse with `Conflict` unless the record exists and is live at `now`."""

    tenant: str
    id: str
    now: datetime


class PutFinding(msgspec.Struct, frozen=True):
    """Insert or replace a finding.

    With `over`, only the finding with that revision is replaced (-1: there is none yet); otherwise raise
    `ChangedMeanwhile`.
    """

    finding: Finding
    over: int | None = None


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
    """Insert an approval, or replace it if it is still in state `expected`; `Conflict` otherwise.

    With `revision`, `ChangedMeanwhile` unless the stored one has it: of two answers at once, one is refused.
    """

    approval: Approval
    expected: ApprovalState | None = None
    revision: int | None = None


class PutClosure(msgspec.Struct, frozen=True):
    """Store a closure."""

    tenant: str
    closure: Closure


class Pin(msgspec.Struct, frozen=True):
    """The reviewed surface of a tool, by digest, and what the upstream offers now."""

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
    """A session or a one-time code of a person, identified by the SHA-256 of its secret.

    `kind` is `session` (of programs), `browser` (a session whose secret is a cookie), or `code`. `method` is
    how the person authenticated, `authenticated` when (at `created` where it is `None`), `place` what the
    person used, described for that person. `jkt` is the thumbprint of the key (RFC 7638) that must be proven
    with the secret; empty where the secret alone is enough. `coded_by` are the people, other than the person,
    who made the code that it is or results from.
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
    """Store a credential."""

    credential: Credential


class TakeCredential(msgspec.Struct, frozen=True):
    """Delete a credential; `Conflict` if it does not exist: a code is used once."""

    tenant: str
    digest: str


class UseCredential(msgspec.Struct, frozen=True):
    """Refuse with `Conflict` unless a credential exists."""

    tenant: str
    digest: str


class EndCredentials(msgspec.Struct, frozen=True):
    """Delete all sessions and codes of a person."""

    tenant: str
    person: str


class PutValue(msgspec.Struct, frozen=True):
    """Store a small JSON value by key, such as the last applied bundle. `None` deletes the value."""

    tenant: str
    key: str
    value: Json


class UseAssertion(msgspec.Struct, frozen=True):
    """Remember the id of a client assertion until it expires.

    `Conflict` if it was seen before (RFC 7523 `jti`).
    """

    tenant: str
    digest: str
    expires: datetime


# Changes: one-time codes, passkeys, and accounts at issuers.


class PutOneTimeCode(msgspec.Struct, frozen=True):
    """Store a one-time code; codes that expired before its creation may be dropped."""

    ticket: OneTimeCode


class UseOneTimeCode(msgspec.Struct, frozen=True):
    """Use up a one-time code; `Conflict` unless it exists, is unused, and has not expired at `now`.

    `outcome` is stored with it, so that a reader who sees a second use knows what to revoke.
    """

    tenant: str
    digest: str
    now: datetime
    outcome: str = ""


class PutPasskey(msgspec.Struct, frozen=True):
    """Store a new passkey; `Conflict` if there is one with its id."""

    passkey: Passkey


class UsePasskey(msgspec.Struct, frozen=True):
    """Record that a passkey was used; `Conflict` if it does not exist.

    `Conflict` as well if `counter` has not risen, unless both the stored one and this one are 0 (WebAuthn
    level 3 section 7.2): the passkey was copied, or an answer replayed.
    """

    tenant: str
    id: str
    counter: int
    now: datetime


class DropPasskey(msgspec.Struct, frozen=True):
    """Delete a passkey of a person; `Conflict` if the person has none with this id."""

    tenant: str
    id: str
    person: str


class PutLink(msgspec.Struct, frozen=True):
    """Store the person that a subject of an issuer is here.

    `Conflict` if the subject is another person already, or the person another subject of the same issuer.
    """

    link: Link


class DropLink(msgspec.Struct, frozen=True):
    """Delete the link of a subject to a person; `Conflict` if the subject is not linked to this person."""

    tenant: str
    issuer: str
    subject: str
    person: str


# Changes: issued tokens.


class PutFamily(msgspec.Struct, frozen=True):
    """Store a new family of tokens; `Conflict` if there is one with its id."""

    family: TokenFamily


class PutRefreshToken(msgspec.Struct, frozen=True):
    """Store a new refresh token; tokens and families that expired before its creation may be dropped."""

    token: RefreshToken


class UseRefreshToken(msgspec.Struct, frozen=True):
    """Use up a refresh token; `Conflict` unless it exists, is unused, and has not expired at `now`.

    A used token is remembered until it would have expired.
    """

    tenant: str
    digest: str
    now: datetime


class Withdraw(msgspec.Struct, frozen=True):
    """Revoke an access token or a whole family by its id.

    The id is remembered until `expires`, when nothing of it can be valid any longer; entries that expired
    before `now` may be dropped. Revoking twice is no error.
    """

    tenant: str
    id: str
    expires: datetime
    now: datetime


# Changes: labels at rest, and labels that rise in tasks which others were handed.


class PutStoredLabel(msgspec.Struct, frozen=True):
    """Insert or replace the stored label of one resource (the caller has joined).

    With `was`, `ChangedMeanwhile` unless that is the stored value: data written since a person looked is not
    declassified. With `classes` the label is joined into the stored one: others may have written there too.
    """

    stored_label: StoredLabel
    was: StoredLabel | None = None
    classes: Classes | None = None


class DropStoredLabel(msgspec.Struct, frozen=True):
    """Delete a stored label; does nothing where none exists."""

    tenant: str
    upstream: str
    resource: str


class JoinLabels(msgspec.Struct, frozen=True):
    """Join a label into the accumulated labels of tasks, whichever replica owns them; skip unknown tasks."""

    tenant: str
    tasks: tuple[str, ...]
    label: Label
    classes: Classes


Change = (
    CheckFence
    | CheckUnlocked
    | CheckValue
    | TakeBudget
    | CountHistory
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
