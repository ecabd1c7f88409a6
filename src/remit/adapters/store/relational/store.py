# SPDX-License-Identifier: Apache-2.0
"""The methods of the port, each delegated to the component that does the work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Container, Sequence
from datetime import datetime, timedelta
from typing import Any

from remit.adapters.store.relational import (
    issued_tokens,
    merkle_nodes,
    reads,
    registry,
    search,
    stored_labels,
)
from remit.adapters.store.relational.changes import ForgetSubject, PruneEvents, RewrapKeys
from remit.adapters.store.relational.checks import checks
from remit.adapters.store.relational.checks.checks import CheckedRows
from remit.adapters.store.relational.log_writer import LogWriter
from remit.adapters.store.relational.memory import Memory
from remit.adapters.store.relational.pool import ReadPool
from remit.adapters.store.relational.state.changes import AdoptRows
from remit.adapters.store.relational.state.rows import SHAPES
from remit.adapters.store.relational.subject_keys import SealOpener
from remit.adapters.store.relational.writer import GroupWriter
from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.endings.closure import Closure, Fence
from remit.core.errors import NotFound
from remit.core.evidence.event import Event
from remit.core.evidence.events.state_rows import MOST_ROWS, BrokenRow
from remit.core.evidence.events.system import StateRecorded
from remit.core.findings.finding import Finding, FindingState
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.flow.stored_labels import StoredLabel
from remit.core.identity.passkey import Link, Passkey
from remit.core.identity.principals import Agent, LastProof, Person
from remit.core.json_value import Json
from remit.core.oauth.one_time_code import OneTimeCode
from remit.core.oauth.refresh_token import RefreshToken, TokenFamily
from remit.core.tasks.delegation_record import Delegation
from remit.core.tasks.history import HistoryEntry
from remit.core.tasks.task import Task, TaskState
from remit.ports.store.changes import Credential, Pin
from remit.ports.store.log import Entry, EventSearch, FoundEvents, StatePage, TalliedCalls
from remit.ports.store.tasks import Usage
from remit.ports.store.units import Receipt, Unit


class RelationalStore:
    """State and evidence in tables (`ports.store.store.Store`), for every kind of database.

    Open a subclass with `open`, use it on one event loop, and `close` it.
    """

    def __init__(
        self,
        *,
        memory: Memory,
        ledger: LogWriter,
        writer: GroupWriter,
        pool: ReadPool[Any],
        incarnation: str,
        opener: SealOpener,
    ) -> None:
        """Combine the dependencies; `open` creates them."""
        self._memory = memory
        self._ledger = ledger
        self._writer = writer
        self._pool = pool
        self._incarnation = incarnation
        self._opener = opener
        self._state = CheckedRows(pool, ledger.record, lambda tenant: self.commit(Unit(tenant=tenant)))

    @property
    def writer(self) -> str:
        """The incarnation under whose name this process writes."""
        return self._incarnation

    @property
    def failing(self) -> str:
        """The error code for which the last events were not committed; empty if they were."""
        return self._writer.failing

    async def commit(self, unit: Unit, *, at_once: bool = False) -> Receipt:
        """Commit a unit completely or not at all."""
        # The batch continues for the others when one caller stops waiting.
        return await self._writer.submit(unit, hurry=True, at_once=at_once)

    def submit(self, unit: Unit) -> asyncio.Future[Receipt]:
        """Start to commit a unit without waiting for it."""
        return self._writer.submit(unit, hurry=False)

    def epochs(self, tenant: str) -> dict[str, int]:
        """Return the live mapping of scope to committed epoch."""
        return self._memory.live.setdefault(tenant, {})

    def locked(self, tenant: str) -> Container[str]:
        """Return the live set of locked scopes."""
        return self._memory.shut.setdefault(tenant, set())

    def withdrawn(self, tenant: str) -> Container[str]:
        """Return the live set of revoked ids."""
        return self._memory.withdrawn.setdefault(tenant, set())

    async def family(self, tenant: str, id: str) -> TokenFamily | None:
        """Return a family of tokens."""
        query = "select body from token_families where tenant = ? and id = ?"
        return await self._pool.run(reads.body, TokenFamily, query, tenant, id)

    async def refresh_token(self, tenant: str, digest: str) -> RefreshToken | None:
        """Return a refresh token by the digest of its text, whether used or not."""
        return await self._pool.run(issued_tokens.refresh_token, tenant, digest)

    async def fences(self, tenant: str) -> list[Fence]:
        """Return every scope that was ever ended or locked."""
        return await self._pool.run(reads.fences, tenant)

    async def agent(self, tenant: str, name: str) -> Agent | None:
        """Return an agent."""
        return await self._state.one(tenant, checks.bodies, "agents", Agent, "name = ?", name)

    async def agents(self, tenant: str) -> list[Agent]:
        """Return all agents by name."""
        return await self._state.sound(tenant, checks.bodies, "agents", Agent, "1 = 1 order by name")

    async def agents_bound(self, tenant: str, workload: str) -> list[Agent]:
        """Return the agents with a binding to a workload, sorted by name."""
        return await self._state.every(tenant, checks.agents_bound, workload)

    async def last_proof(self, tenant: str, agent: str) -> LastProof | None:
        """Return how an agent last proved its identity."""
        query = "select body from last_proofs where tenant = ? and agent = ?"
        return await self._pool.run(reads.body, LastProof, query, tenant, agent)

    async def last_proofs(self, tenant: str) -> list[LastProof]:
        """Return how each agent last proved its identity, by agent."""
        query = "select body from last_proofs where tenant = ? order by agent"
        return await self._pool.run(reads.bodies, LastProof, query, tenant)

    async def person(self, tenant: str, name: str) -> Person | None:
        """Return a person."""
        return await self._state.one(tenant, checks.bodies, "people", Person, "name = ?", name)

    async def people(self, tenant: str) -> list[Person]:
        """Return all people by name."""
        query = "select body from people where tenant = ? order by name"
        return await self._pool.run(reads.bodies, Person, query, tenant)

    async def delegation(self, tenant: str, id: str) -> Delegation | None:
        """Return a delegation record."""
        return await self._state.one(tenant, checks.said, self._opener, Delegation, id)

    async def delegations(
        self, tenant: str, *, person: str = "", agent: str = "", limit: int = 1000
    ) -> list[Delegation]:
        """Return delegation records, newest first."""
        wanted = {"person": person, "agent": agent}
        return await self._pool.run(reads.all_said, self._opener, Delegation, "made", tenant, limit, **wanted)

    async def finding(self, tenant: str, id: str) -> Finding | None:
        """Return a finding."""
        query = "select body from findings where tenant = ? and id = ?"
        return await self._pool.run(reads.body, Finding, query, tenant, id)

    async def findings(
        self,
        tenant: str,
        *,
        about: str = "",
        state: FindingState | None = None,
        kinds: Collection[FindingKind] = (),
        severity: Severity | None = None,
        owner: str = "",
        limit: int = 1000,
    ) -> list[Finding]:
        """Return findings, most recently seen first."""
        wanted = {
            "about": about,
            "state": state.value if state else "",
            "severity": severity.value if severity else "",
            "owner": owner,
        }
        return await self._pool.run(registry.findings, tenant, [one.value for one in kinds], limit, **wanted)

    async def task(self, tenant: str, id: str) -> Task | None:
        """Return a task with its accumulated label."""
        return await self._state.one(tenant, checks.task, self._opener, id)

    async def tasks(
        self,
        tenant: str,
        *,
        agent: str = "",
        on_behalf_of: str = "",
        state: TaskState | None = None,
        limit: int = 100,
        texts: bool = True,
    ) -> list[Task]:
        """Return tasks, newest first."""
        wanted = (agent, on_behalf_of, state or "", limit, texts)
        return await self._pool.run(reads.tasks, self._opener, tenant, *wanted)

    async def expiring(self, tenant: str, now: datetime) -> list[Task]:
        """Return the active tasks that are past their deadline."""
        return await self._pool.run(reads.expiring, self._opener, tenant, int(now.timestamp()))

    async def watched(self, tenant: str, owner: str = "") -> list[str]:
        """Return the active tasks that end on disuse. A single process serves them all, so `owner` has no
        effect.
        """
        query = "select id from tasks where tenant = ? and state = 'active' and watched = 1"
        return await self._pool.run(reads.names, query, tenant)

    async def task_to_end(self, tenant: str, id: str) -> Task | None:
        """Return a task, whether or not it is as the log says."""
        return await self._pool.run(reads.task, self._opener, tenant, id)

    async def with_descendants(self, tenant: str, task: str) -> list[Task]:
        """Return a task, followed by all its descendants."""
        return await self._pool.run(reads.with_descendants, self._opener, tenant, task)

    async def usage(self, tenant: str, task: str) -> Usage:
        """Return what a task and its descendants have used."""
        return await self._pool.run(reads.usage, tenant, task)

    async def history(self, tenant: str, family: str, *, limit: int) -> list[HistoryEntry]:
        """Return the latest entries of a family's history."""
        return await self._pool.run(reads.history, tenant, family, limit)

    async def approval(self, tenant: str, id: str) -> Approval | None:
        """Return an approval."""
        return await self._state.one(tenant, checks.said, self._opener, Approval, id)

    async def approvals(
        self,
        tenant: str,
        *,
        task: str = "",
        call: str = "",
        state: ApprovalState | None = None,
        limit: int = 100,
        skip: int = 0,
        length: int | None = None,
    ) -> list[Approval]:
        """Return approvals, newest first, after the first `skip`; of long ones only what is short."""
        wanted = {"task": task, "call": call, "state": state.value if state else ""}
        return await self._pool.run(
            reads.all_said, self._opener, Approval, "requested", tenant, limit, skip, length, **wanted
        )

    async def open_questions(self, tenant: str, agent: str, since: datetime) -> int:
        """Return how many questions of an agent's tasks, asked after `since`, were not answered."""
        return await self._pool.run(reads.open_questions, tenant, agent, since)

    async def open_approvals(self, tenant: str, tasks: Sequence[str]) -> list[Approval]:
        """Return the approvals of some tasks that were not answered, or whose answer was not used."""
        return await self._pool.run(reads.open_approvals, self._opener, tenant, tuple(tasks))

    async def closures(self, tenant: str, *, scope: str = "", limit: int = 100) -> list[Closure]:
        """Return closures, newest first."""
        return await self._pool.run(reads.closures, tenant, scope, limit)

    async def pins(self, tenant: str) -> list[Pin]:
        """Return the pins of all tools."""
        wanted = "1 = 1 order by tool"
        return await self._state.whole(tenant, "pins", checks.bodies, "pins", Pin, wanted)

    async def credential(self, tenant: str, digest: str) -> Credential | None:
        """Return a credential by the digest of its secret, expired or not."""
        wanted = "digest = ?"
        return await self._state.one(tenant, checks.bodies, "credentials", Credential, wanted, digest)

    async def signed_in(self, tenant: str, digest: str) -> tuple[Credential, Person] | None:
        """Return a credential by the digest of its secret, expired or not, and its person."""
        return checks.both(await self._state.every(tenant, checks.signed_in, digest))

    async def credentials(self, tenant: str, *, person: str, kind: str = "") -> list[Credential]:
        """Return the credentials of a person, newest first."""
        query = "select body from credentials where tenant = ? and person = ?"
        found = await self._pool.run(reads.bodies, Credential, query, tenant, person)
        return sorted((c for c in found if kind in ("", c.kind)), key=lambda c: c.created, reverse=True)

    async def ticket(self, tenant: str, digest: str) -> OneTimeCode | None:
        """Return a ticket by the digest of its value."""
        query = "select body from tickets where tenant = ? and digest = ?"
        return await self._pool.run(reads.body, OneTimeCode, query, tenant, digest)

    async def passkey(self, tenant: str, id: str) -> Passkey | None:
        """Return a passkey by its id."""
        return await self._state.one(tenant, checks.bodies, "passkeys", Passkey, "id = ?", id)

    async def passkeys(self, tenant: str, person: str) -> list[Passkey]:
        """Return the passkeys of a person."""
        query = "select body from passkeys where tenant = ? and person = ?"
        return await self._pool.run(reads.bodies, Passkey, query, tenant, person)

    async def link(self, tenant: str, issuer: str, subject: str) -> Link | None:
        """Return the link of an issuer's subject to a person here."""
        wanted = "issuer = ? and subject = ?"
        return await self._state.one(tenant, checks.bodies, "links", Link, wanted, issuer, subject)

    async def links(self, tenant: str, person: str) -> list[Link]:
        """Return the accounts that a person has at issuers."""
        query = "select body from links where tenant = ? and person = ? order by issuer"
        return await self._pool.run(reads.bodies, Link, query, tenant, person)

    async def stored_labels(self, tenant: str, upstream: str, resources: Sequence[str]) -> list[StoredLabel]:
        """Return the stored labels of certain resources."""
        return await self._pool.run(stored_labels.some, tenant, upstream, tuple(resources))

    async def stored_labels_under(
        self, tenant: str, *, upstream: str = "", prefix: str = "", limit: int = 1000
    ) -> list[StoredLabel]:
        """Return the stored labels of resources whose names begin with `prefix`."""
        return await self._pool.run(stored_labels.under, tenant, upstream, prefix, limit)

    async def stored_label_counts(self, tenant: str) -> dict[str, int]:
        """Return, for each upstream, the number of resources with a stored label."""
        return await self._pool.run(stored_labels.counts, tenant)

    async def value(self, tenant: str, key: str) -> Json:
        """Return a small JSON value, or `None`."""
        query = "select body from kept_values where tenant = ? and key = ?"
        return await self._pool.run(reads.body, Any, query, tenant, key)

    async def values(self, tenant: str, prefix: str) -> list[Json]:
        """Return the values whose keys begin with `prefix`, sorted by key."""
        query = "select body from kept_values where tenant = ? and key >= ? and key < ? order by key"
        return await self._pool.run(reads.bodies, Any, query, tenant, prefix, f"{prefix}\U0010ffff")

    async def size(self, tenant: str) -> int:
        """Return the number of events in the log."""
        return self._ledger.tree(tenant).size

    async def root(self, tenant: str) -> tuple[int, bytes]:
        """Return size and Merkle root as currently committed."""
        tree = self._ledger.tree(tenant)
        return tree.size, tree.root()

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
        """Return the first events from index `start` on, or the last ones below `before`; both in order.

        `opened` decrypts what can be decrypted.
        """
        opener = self._opener if opened else None
        wanted = (tuple(kinds), task, opener)
        return await self._pool.run(reads.entries, tenant, start, before, limit, *wanted)

    async def search(
        self,
        tenant: str,
        wanted: EventSearch,
        *,
        start: int = 0,
        before: int | None = None,
        limit: int = 100,
        most: int = 5_000,
    ) -> FoundEvents:
        """Return a part of the sought events, with their values."""
        return await self._pool.run(search.search, tenant, wanted, start, before, limit, most, self._opener)

    async def tally(
        self,
        tenant: str,
        wanted: EventSearch,
        *,
        zone: timedelta,
        start: int = 0,
        before: int | None = None,
        most: int = 5_000,
    ) -> TalliedCalls:
        """Count the sought calls by tool and day."""
        return await self._pool.run(search.tally, tenant, wanted, zone, start, before, most)

    async def last_events(self, tenant: str, tasks: Sequence[str]) -> dict[str, int]:
        """Return the index of the last event of each of these tasks."""
        return await self._pool.run(reads.last_events, tenant, tuple(tasks)) if tasks else {}

    async def inclusion(self, tenant: str, index: int, size: int) -> list[bytes]:
        """Return the inclusion proof of a leaf in the tree of `size` leaves."""
        return await self._pool.run(reads.inclusion, tenant, index, size)

    async def consistency(self, tenant: str, old: int, new: int) -> list[bytes]:
        """Return the consistency proof between two tree sizes."""
        return await self._pool.run(reads.consistency, tenant, old, new)

    async def hashes(self, tenant: str, level: int, start: int, count: int) -> list[bytes]:
        """Return stored hashes of the Merkle tree."""
        return await self._pool.run(merkle_nodes.hashes, tenant, level, start, count)

    async def unfinished(
        self, tenant: str, of: Callable[[str], bool] | None = None, *, known: bool = False
    ) -> list[Event]:
        """Return the permitting decisions that are not followed by a `tool.called`."""
        if not known:
            # Commits everything submitted before, so that no pending outcome is overlooked.
            await self.commit(Unit(tenant=tenant))
        indexes: list[int] = []
        await self._writer.between(lambda: indexes.extend(self._ledger.unfinished(tenant)))
        return await self._pool.run(reads.events, tenant, indexes, of)

    async def forget(self, tenant: str, subject: str, *events: Event) -> bool:
        """Destroy a subject's key and the traces that it may have left; return whether there was one."""
        change: Any = ForgetSubject(tenant, subject)
        try:
            await self.commit(Unit(changes=(change,), events=events, tenant=tenant))
        except NotFound:
            return False
        await self._scrub()
        return True

    async def prune(self, tenant: str, spans: Sequence[tuple[int, int]], *events: Event) -> None:
        """Delete the text and the values of events, and the traces that they may have left."""
        change: Any = PruneEvents(tenant, tuple(spans))
        await self.commit(Unit(changes=(change,), events=events, tenant=tenant))
        await self._scrub()

    async def rewrap(self, tenant: str, after: int = -1, limit: int = 100) -> int | None:
        """Rewrap the tenant's next subject keys under the current sealing key."""
        change: Any = RewrapKeys(tenant, after, limit)
        await self.commit(Unit(changes=(change,), tenant=tenant))
        reached: int | None = change.reached
        if reached is None:
            await self._scrub()
        return reached

    async def adopt_rows(self, tenant: str, at: datetime, *, vouched: bool = False) -> bool:
        """Record all rows as they are, a page at a time; return whether all rows are recorded now."""
        for table in (*SHAPES, ""):
            after: tuple[str, ...] = ()
            while vouched or not self._ledger.record.covers(tenant):
                change = AdoptRows(table, after, MOST_ROWS, vouched)
                said = StateRecorded(adopted=table or "all", more=bool(table))
                unit: Any = Unit((change,), (Event.of(said, at=at, tenant=tenant),), tenant)  # type: ignore[arg-type]
                await self.commit(unit)
                after = change.reached
                if not after:
                    break
        return True

    def covers_rows(self, tenant: str) -> bool:
        """Return whether all rows are recorded."""
        return self._ledger.record.covers(tenant)

    def recorded_rows(self, tenant: str, table: str) -> dict[bytes, bytes]:
        """Return name and digest of each row of a table that permits something."""
        return self._ledger.record.names(tenant, table)

    async def state_page(self, tenant: str, table: str, after: tuple[str, ...], limit: int) -> StatePage:
        """Compare the next rows of a table with the log."""
        return await self._state.page(tenant, table, after, limit)

    async def gone_rows(self, tenant: str, table: str, names: dict[bytes, bytes]) -> list[BrokenRow]:
        """Return which of these rows, not met in a pass over the table, remit has not deleted."""
        return await self._state.gone(tenant, table, names)

    def broken_rows(self, tenant: str) -> list[BrokenRow]:
        """Return the rows met since the last time that were not as the log says."""
        return self._state.take_broken(tenant)

    async def _scrub(self) -> None:
        """Remove the traces of deleted rows, as far as the database permits."""

    async def close(self) -> None:
        """Commit pending units and close."""
        await self._writer.close()
        self._pool.close()
