# SPDX-License-Identifier: Apache-2.0
"""The store: state and evidence, committed together.

A `Unit` is what must become true at once: checks, changes, and the events that tell of them. The store
commits a unit whole or not at all. Many units may share one transaction of the database (group commit); each
of them stands or falls alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.endings.closure import Closure, Fence
from remit.core.evidence.event import Event
from remit.core.findings.finding import Finding, FindingState
from remit.core.flow.stored_labels import StoredLabel
from remit.core.identity.passkey import Link, Passkey
from remit.core.identity.principals import Agent, LastProof, Person
from remit.core.json_value import Json
from remit.core.oauth.one_time_code import OneTimeCode
from remit.core.oauth.refresh_token import RefreshToken, TokenFamily
from remit.core.tasks.delegation_record import Delegation
from remit.core.tasks.task import Task, TaskState
from remit.ports.store.changes import (
    Change,
    CheckFence,
    CheckUnlocked,
    Credential,
    EndCredentials,
    Pin,
    PutAgent,
    PutApproval,
    PutClosure,
    PutCredential,
    PutDelegation,
    PutFinding,
    PutLastProof,
    PutPerson,
    PutPin,
    PutTask,
    PutValue,
    RaiseFence,
    RaiseLabel,
    TakeBudget,
    TakeCredential,
    Unit,
    UseAgent,
    UseApproval,
    UseAssertion,
    UseDelegation,
    UsePerson,
)

__all__ = [
    "Change",
    "CheckFence",
    "CheckUnlocked",
    "Credential",
    "EndCredentials",
    "Entry",
    "Pin",
    "PutAgent",
    "PutApproval",
    "PutClosure",
    "PutCredential",
    "PutDelegation",
    "PutFinding",
    "PutLastProof",
    "PutPerson",
    "PutPin",
    "PutTask",
    "PutValue",
    "RaiseFence",
    "RaiseLabel",
    "Receipt",
    "Store",
    "TakeBudget",
    "TakeCredential",
    "Unit",
    "Usage",
    "UseAgent",
    "UseApproval",
    "UseAssertion",
    "UseDelegation",
    "UsePerson",
]


class Receipt(msgspec.Struct, frozen=True):
    """What a committed unit became: the log index of each event, and each raised scope's new epoch."""

    indexes: tuple[int, ...] = ()
    epochs: dict[str, int] = {}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it stands in the log: the leaf's exact bytes, and the sealed values where they were asked
    for.

    `sealed` is the encrypted blob; `None` where the event has none. `openings` holds salt and value by
    name, where the reader may see them and the subject's key still exists.
    """

    index: int
    tenant: str
    kind: str
    task: str
    leaf: bytes
    leaf_hash: bytes
    sealed: bytes | None = None
    subject: str = ""
    openings: dict[str, list[Json]] | None = None

    @property
    def opened(self) -> dict[str, Json] | None:
        """The values alone; `None` where they were not asked for or can no longer be read."""
        return {name: value for name, (_, value) in self.openings.items()} if self.openings else None


class Usage(msgspec.Struct, frozen=True):
    """What a task has used up so far."""

    calls: int = 0
    effectful_calls: int = 0
    result_bytes: int = 0


class Store(Protocol):
    """State and evidence of all tenants.

    Durability: when `commit` returns, the unit is as durable as the store was configured to be (`durable`: it
    survives the loss of power; `buffered`: it survives the death of the process). Concurrency: any number of
    tasks of one event loop may call at once; units are applied one after another in the order of the calls.
    Errors: the faults named by each check and change; `StoreUnavailable` when nothing can be committed, after
    which nothing of the unit is there. Reads see everything committed before they were called.
    `at_once`: nobody else is known to commit in this turn of the loop. All it may spare is the wait for them.
    """

    @property
    def writer(self) -> str:
        """The incarnation that writes: a random id, new at each start."""

    @property
    def failing(self) -> str:
        """The code for which the last unit with events was not committed; empty where it was."""

    async def commit(self, unit: Unit, *, at_once: bool = False) -> Receipt:
        """Commit a unit whole or not at all, also if its caller is cancelled meanwhile."""

    def submit(self, unit: Unit) -> Awaitable[Receipt]:
        """Begin to commit a unit without waiting for it; order among calls is kept.

        A store may hold it back for some milliseconds, so that it shares the next awaited commit.
        If the unit is refused and nobody looks at the future, the event loop reports it.
        """

    def epochs(self, tenant: str) -> dict[str, int]:
        """Return the live mapping of scope to epoch as last committed; from memory, without waiting, not to
        be changed.
        """

    def withdrawn(self, tenant: str) -> Container[str]:
        """Return, as `epochs` are given, the ids of what was taken back (`Withdraw`)."""

    async def family(self, tenant: str, id: str) -> TokenFamily | None:
        """Return a family of tokens."""

    async def refresh_token(self, tenant: str, digest: str) -> RefreshToken | None:
        """Return a refresh token by the SHA-256 of its text, used or run out or not."""

    async def fences(self, tenant: str) -> list[Fence]:
        """Return every scope that was ever ended or locked."""

    async def agent(self, tenant: str, name: str) -> Agent | None:
        """Return an agent."""

    async def agents(self, tenant: str) -> list[Agent]:
        """Return all agents by name."""

    async def agents_bound(self, tenant: str, workload: str) -> list[Agent]:
        """Return the agents with a binding to a workload (`workload_of`), by name, whatever else is asked."""

    async def last_proof(self, tenant: str, agent: str) -> LastProof | None:
        """Return how an agent last proved itself."""

    async def person(self, tenant: str, name: str) -> Person | None:
        """Return a person."""

    async def people(self, tenant: str) -> list[Person]:
        """Return all people by name."""

    async def delegation(self, tenant: str, delegation_id: str) -> Delegation | None:
        """Return a delegation record, whether or not it still lives."""

    async def delegations(
        self, tenant: str, *, person: str = "", agent: str = "", limit: int = 1000
    ) -> list[Delegation]:
        """Return delegation records, newest first, those that no longer live among them."""

    async def finding(self, tenant: str, finding_id: str) -> Finding | None:
        """Return a finding."""

    async def findings(
        self, tenant: str, *, about: str = "", state: FindingState | None = None, limit: int = 1000
    ) -> list[Finding]:
        """Return findings, the one seen last first."""

    async def task(self, tenant: str, task_id: str) -> Task | None:
        """Return a task with its accumulated label."""

    async def tasks(
        self,
        tenant: str,
        *,
        agent: str = "",
        on_behalf_of: str = "",
        state: TaskState | None = None,
        limit: int = 100,
    ) -> list[Task]:
        """Return tasks, newest first; of one agent, for one person, in one state, where these are named."""

    async def expiring(self, tenant: str, now: datetime) -> list[Task]:
        """Return the active tasks whose deadline has passed at `now`, or passes within this second."""

    async def watched(self, tenant: str, owner: str = "") -> list[str]:
        """Name active tasks with a lease or idle time: those of an owner, or that no replica there owns."""

    async def with_descendants(self, tenant: str, task: str) -> list[Task]:
        """Return a task, and after it every task that has it among its ancestors, if it is there."""

    async def usage(self, tenant: str, task: str) -> Usage:
        """Return what a task and its descendants have used."""

    async def approval(self, tenant: str, approval_id: str) -> Approval | None:
        """Return an approval."""

    async def approvals(
        self,
        tenant: str,
        *,
        task: str = "",
        call: str = "",
        state: ApprovalState | None = None,
        limit: int = 100,
    ) -> list[Approval]:
        """Return approvals, newest first."""

    async def open_approvals(self, tenant: str, tasks: Sequence[str]) -> list[Approval]:
        """Return the approvals of some tasks that nobody has answered, or whose answer nobody has used."""

    async def closures(self, tenant: str, *, scope: str = "", limit: int = 100) -> list[Closure]:
        """Return closures, newest first."""

    async def pins(self, tenant: str) -> list[Pin]:
        """Return the pins of all tools."""

    async def credential(self, tenant: str, digest: str) -> Credential | None:
        """Return a credential by the digest of its secret, expired or not."""

    async def signed_in(self, tenant: str, digest: str) -> tuple[Credential, Person] | None:
        """Return a credential by the digest of its secret, expired or not, and whose it is."""

    async def credentials(self, tenant: str, *, person: str, kind: str = "") -> list[Credential]:
        """Return the credentials of a person, newest first; one that ran out may be gone."""

    async def ticket(self, tenant: str, digest: str) -> OneTimeCode | None:
        """Return a ticket by the digest of its value, used or not; one that ran out may be gone."""

    async def passkey(self, tenant: str, passkey_id: str) -> Passkey | None:
        """Return a passkey by its id."""

    async def passkeys(self, tenant: str, person: str) -> list[Passkey]:
        """Return the passkeys of a person."""

    async def link(self, tenant: str, issuer: str, subject: str) -> Link | None:
        """Return whom a subject of an issuer is here."""

    async def links(self, tenant: str, person: str) -> list[Link]:
        """Return the accounts that a person has at issuers."""

    async def stored_labels(self, tenant: str, upstream: str, resources: Sequence[str]) -> list[StoredLabel]:
        """Return what is known of certain resources of an upstream; those of which nothing is are left
        out.
        """

    async def stored_labels_under(
        self, tenant: str, *, upstream: str = "", prefix: str = "", limit: int = 1000
    ) -> list[StoredLabel]:
        """Return what is known of resources whose names begin with `prefix`, by upstream and name."""

    async def stored_label_counts(self, tenant: str) -> dict[str, int]:
        """Return of how many resources of each upstream something is known."""

    async def value(self, tenant: str, key: str) -> Json:
        """Return a small JSON value, or `None`."""

    async def values(self, tenant: str, prefix: str) -> list[Json]:
        """Return the small JSON values whose keys begin with `prefix`, by key."""

    async def size(self, tenant: str) -> int:
        """Return the number of events in the log."""

    async def root(self, tenant: str) -> tuple[int, bytes]:
        """Return size and Merkle root of the log as committed now, as one consistent pair."""

    async def entries(
        self,
        tenant: str,
        *,
        start: int = 0,
        before: int | None = None,
        limit: int = 100,
        kinds: Sequence[str] = (),
        task: str = "",
        opened: bool = False,
    ) -> list[Entry]:
        """Return the first events from index `start` on, or the last ones below `before`, in order either
        way; `opened` decrypts what can be decrypted.
        """

    async def last_events(self, tenant: str, tasks: Sequence[str]) -> dict[str, int]:
        """Return the index of the last event of each of these tasks, from which `entries` of a task begin."""

    async def inclusion(self, tenant: str, index: int, size: int) -> list[bytes]:
        """Return the inclusion proof of a leaf in the tree of `size` (RFC 6962 section 2.1.1)."""

    async def consistency(self, tenant: str, old: int, new: int) -> list[bytes]:
        """Return the consistency proof between two sizes (RFC 6962 section 2.1.2)."""

    async def unfinished(
        self, tenant: str, of: Callable[[str], bool] | None = None, *, known: bool = False
    ) -> list[Event]:
        """Return the permitting `decision.made` events that have no `tool.called` after them (facts only);
        with `of` those alone whose writer it takes; with `known` as of the last commit of this process.
        """

    async def forget(self, tenant: str, subject: str, *events: Event) -> bool:
        """Destroy a subject's key, so that its sealed values can never be read again; proofs still hold.

        `events` are committed with it. `False` where there is no key: then nothing is committed.
        """

    async def rewrap(self, after: tuple[str, int] = ("", 0), limit: int = 100) -> tuple[str, int] | None:
        """Wrap the keys of subjects again under the current sealing key (`ports.keys.SealingKeys`).

        Each call looks at `limit` of them, of all tenants, after the one that the call before it gave, and
        gives the last one; `None` when there are no more: then every key is wrapped under the key that was
        current when the first call was made, or a newer one. What a crash interrupts begins again.
        """

    async def close(self) -> None:
        """Commit what is in hand and close."""
