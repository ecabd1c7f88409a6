# SPDX-License-Identifier: Apache-2.0
"""Turns events into leaves: sealing, chaining, hashing, and the rows that the batch writes.

An event gets its index where it is recorded, in the same transaction. Where several processes write, the
database admits one of them at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from remit.adapters.store.relational.inserts import (
    BLOCK,
    COUNTERS,
    DATA_BLOCKS,
    EVENTS,
    HISTORY,
    PUT_NODE,
    Insert,
    ManyValues,
    marks_of,
)
from remit.adapters.store.relational.memory import Counter, Memory
from remit.adapters.store.relational.merkle_nodes import frontier, stored_size, tenants
from remit.adapters.store.relational.sql import Sql
from remit.adapters.store.relational.state.record import StateRecord, is_prune, more_to_adopt
from remit.adapters.store.relational.subject_keys import SubjectKeys
from remit.core.canonical import encode_trusted
from remit.core.decisions.decision import Outcome
from remit.core.errors import Malformed, VerificationFailed
from remit.core.evidence.event import Event, EventKind, leaf_record
from remit.core.evidence.events.state_rows import MOST_ROWS, RowChange
from remit.core.evidence.events.system import StateRecorded
from remit.core.evidence.merkle import Frontier, leaf_hash, new_tile_nodes
from remit.core.json_value import Json
from remit.ports.runtime import Clock

_EVENT_COLUMNS = len(EVENTS.kinds)
_NO_TASK = Counter()
# Module-level names: a class lookup finds a member through the metaclass, which is ten times slower.
_DECISION_MADE, _TOOL_CALLED = EventKind.DECISION_MADE, EventKind.TOOL_CALLED
_PERMIT = Outcome.PERMIT


def permits(event: Event) -> bool:
    """Return whether an event is a decision that lets its call proceed, so that an outcome must follow."""
    return (
        event.kind is _DECISION_MADE
        and bool(event.call)
        and (event.facts.get("outcome") == _PERMIT or bool(event.facts.get("observed")))
    )


class _TenantLog:
    """One tenant's log: the committed tree, this writer's chain, and the calls without outcome."""

    def __init__(self, tree: Frontier, last: bytes = b"") -> None:
        self.tree = tree
        self.last = last  # the hash of its last leaf
        # The last known event, index and leaf hash. It is behind the tree if other writers' events between
        # are not read yet.
        self.seen = (tree.size - 1, last)
        self.size = tree.size  # including the pending batch
        self.sequence = 0
        self.previous = ""
        self.hashes: list[bytes] = []  # of the pending batch
        self.before: tuple[int, int, str] = (tree.size, 0, "")
        self.next_tree = tree
        # Index of the decision by call id, oldest first.
        self.unfinished: OrderedDict[str, int] = OrderedDict()
        self.undo: list[tuple[str, int | None]] = []
        # The marks of recent blocks, and those of the pending batch.
        self.marks: set[tuple[str, int]] = set()
        self.born: list[tuple[str, int]] = []

    def settle(self) -> None:
        if self.next_tree.size > self.tree.size:
            self.tree, self.last = self.next_tree, self.hashes[-1]
        if self.hashes:
            self.seen = (self.size - 1, self.hashes[-1])
        self.hashes.clear()
        self.undo.clear()
        if self.born:
            block = self.size // BLOCK
            self.marks = {mark for mark in self.marks if mark[1] >= block}
            self.born.clear()
        self.before = (self.size, self.sequence, self.previous)

    def move(self, by: int) -> None:
        """Correct the indexes of the pending batch, which was recorded further on."""
        self.size += by
        for call, index in self.undo:
            if index is None and call in self.unfinished:
                self.unfinished[call] += by

    def restore(self) -> None:
        self.size, self.sequence, self.previous = self.before
        self.next_tree = self.tree
        self.hashes.clear()
        self.marks.difference_update(self.born)
        self.born.clear()
        reopened = False
        while self.undo:
            call, index = self.undo.pop()
            if index is None:
                del self.unfinished[call]
            else:
                self.unfinished[call] = index
                reopened = True
        if reopened:
            self.unfinished = OrderedDict(sorted(self.unfinished.items(), key=lambda item: item[1]))


#: What an event says of rows: the changes, their code, and whether more rows are adopted after it.
Stated = tuple[Sequence[RowChange], str, bool | None]


def _stated(one: Stated) -> dict[str, Json]:
    return {"code": one[1], "rows": [list(row) for row in one[0]]}


class LogWriter:
    """The logs of all tenants, with the pending batch and as of the last commit."""

    def __init__(
        self,
        connection: Sql,
        memory: Memory,
        subjects: SubjectKeys,
        writer: str,
        clock: Clock,
        insert: Insert | None = None,
        hold: str = "",
    ) -> None:
        """Load every tenant's frontier and unfinished calls; `insert` replaces the common way to insert
        rows, and `hold` is that of `StateRecord`.
        """
        self._clock = clock
        self._sql = connection
        self._insert = insert or ManyValues()
        self._memory = memory
        self._subjects = subjects
        self._writer = writer
        self._logs: dict[str, _TenantLog] = {}
        self._touched: dict[str, _TenantLog] = {}
        self._rows: list[Any] = []  # flat, _EVENT_COLUMNS values for each row
        #: What the log says of the rows of state.
        self.record = StateRecord(connection, subjects, hold)
        self._said: list[tuple[str, int]] = []  # the pending events that say rows
        for tenant in tenants(connection):
            self._load(tenant)

    def _load(self, tenant: str) -> None:
        size = stored_size(self._sql, tenant)
        since, last = self._sql.execute(
            "select open_from, leaf_hash from events where tenant = ? and idx = ?", (tenant, size - 1)
        ).fetchone()
        log = _TenantLog(frontier(self._sql, tenant, size), last)
        self._outcomes(
            log,
            self._sql.execute(
                "select idx, kind, leaf from events where tenant = ? and idx >= ? and kind in (?, ?)"
                " order by idx",
                (tenant, since, EventKind.DECISION_MADE.value, EventKind.TOOL_CALLED.value),
            ),
        )
        self.record.load(tenant, log.tree)
        # Set only once everything was read: a lost connection must not make a log look free of open calls.
        self._logs[tenant] = log

    @staticmethod
    def _outcomes(log: _TenantLog, rows: Iterable[tuple[int, str, bytes]]) -> None:
        """Track which permitted calls have an outcome."""
        for index, kind, leaf in rows:
            if kind not in {_DECISION_MADE, _TOOL_CALLED}:
                continue
            event = from_leaf(leaf)
            if kind == _TOOL_CALLED:
                log.unfinished.pop(event.call, None)
            elif permits(event):
                log.unfinished[event.call] = index

    def catch_up(self, tenant: str) -> bool:
        """Read what was appended to a tenant's log since then; return whether it continues the known log.

        The new events are another writer's, or those of this writer's commit whose answer was lost.
        """
        log = self._logs.get(tenant)
        if log is None:
            if stored_size(self._sql, tenant):
                self._load(tenant)
            return True
        known, gap = log.tree.size, log.size > log.tree.size
        rows = self._sql.execute(
            "select idx, kind, leaf, leaf_hash from events where tenant = ? and idx >= ? order by idx",
            (tenant, max(0, known - 1)),
        ).fetchall()
        if known and (not rows or rows.pop(0)[3] != log.last):
            return False
        at, hashed = log.seen
        if gap and (at - known >= len(rows) or rows[at - known][3] != hashed):
            return False
        for index, _, leaf, _ in rows:
            made = self.record.learn(tenant, index, leaf)
            # A prune says rows. One that does not is of others, and must not be signed: it would name what
            # they delete (`StateRecord.check_gaps`).
            if made is not True and self.record.begun(tenant) and is_prune(leaf):
                return False
        log.tree, _ = new_tile_nodes(log.tree, [row[3] for row in rows])
        self._outcomes(log, (row[:3] for row in rows))
        if gap:
            log.unfinished = OrderedDict(sorted(log.unfinished.items(), key=lambda item: item[1]))
        mine = self._writer.encode()
        for _, _, leaf, hashed in rows:
            if mine in leaf and (chained := _chain_decoder.decode(leaf)).writer == self._writer:
                log.sequence, log.previous = chained.seq + 1, hashed.hex()
        log.size, log.next_tree = log.tree.size, log.tree
        log.last = rows[-1][3] if rows else log.last
        log.seen = (log.size - 1, log.last)
        log.before = (log.size, log.sequence, log.previous)
        return True

    def known(self, tenant: str) -> tuple[int, tuple[int, bytes], int]:
        """Return a log's known size, its last known event (index, leaf hash), and the batch's events."""
        log = self._logs.get(tenant) or _TenantLog(Frontier())
        return log.before[0], log.seen, len(log.hashes)

    def move(self, tenant: str, first: int) -> int:
        """Take the batch's events as recorded from index `first` on; return how much further on that is.

        Where it is further on, other writers' events are between, and the tree waits for `catch_up`.
        """
        log = self._logs[tenant]
        assumed = log.before[0]
        if first == log.tree.size:
            log.next_tree, _ = new_tile_nodes(log.tree, log.hashes)
        if by := first - assumed:
            log.move(by)
            self._memory.move_events(assumed, by)
        return by

    def let_go_keys(self, tenant: str) -> None:
        """Drop the keys of a tenant's subjects from memory."""
        self._subjects.let_go(tenant)

    def tenants(self) -> list[str]:
        """Return the tenants that have a log."""
        return list(self._logs)

    def tree(self, tenant: str) -> Frontier:
        """Return a tenant's committed tree."""
        log = self._logs.get(tenant)
        return log.tree if log else Frontier()

    def unfinished(self, tenant: str) -> list[int]:
        """Return the indexes of permitted decisions without outcome, including the pending batch."""
        log = self._logs.get(tenant)
        return list(log.unfinished.values()) if log else []

    def begin_anew(self, writer: str) -> None:
        """Write from now on as another writer, with a new chain. Call it between two batches."""
        self._writer = writer
        for log in self._logs.values():
            log.sequence, log.previous = 0, ""
            log.before = (log.size, 0, "")

    def can_seal(self, events: Iterable[Event]) -> bool:
        """Return whether the keys of all subjects that these events seal for are in memory."""
        return all(not event.sealed or self._subjects.holds(event.tenant, event.subject) for event in events)

    @property
    def subjects(self) -> SubjectKeys:
        """The keys of subjects."""
        return self._subjects

    def append(
        self, tenant: str, events: tuple[Event, ...], state: Sequence[RowChange] = (), *, says: bool = False
    ) -> tuple[int, ...]:
        """Turn a unit's events into leaves and return their indexes. If this raises, nothing was changed.

        `state` is what the unit did to rows: the leaves say it, and events of their own what has no room
        there. With `says`, the first event says it even if it is nothing.
        """
        log = self._logs.get(tenant)
        if log is None:
            log = self._logs[tenant] = _TenantLog(Frontier())
        told = len(events)
        stated: list[Stated] = []
        if state or says:
            events, stated = self._state(tenant, log.size, events, state)
        first, sequence, previous = log.size, log.sequence, log.previous
        # Other writers' calls that are not known here are behind the tree.
        open_from = min(next(iter(log.unfinished.values()), first), log.tree.size)
        rows: list[Any] = []
        hashes: list[bytes] = []
        ends: dict[str, Counter] = {}
        index = first
        for event in events:
            if event.tenant != tenant:
                raise ValueError(f"a unit of tenant `{tenant}` contains an event of `{event.tenant}`")
            task = event.task
            if "\0" in task or "\0" in event.subject:
                raise Malformed("the name of a task or a subject contains a zero character")
            counter = _NO_TASK
            if task:
                counter = ends.get(task) or self._memory.counter((tenant, task))
            concealed = self._subjects.conceal(event) if event.sealed else None
            leaf = encode_trusted(
                leaf_record(
                    event,
                    commitments=concealed[0] if concealed else {},
                    writer=self._writer,
                    sequence=sequence,
                    writer_previous=previous,
                    task_previous=counter.last_hash,
                    state=_stated(stated[index - first]) if index - first < len(stated) else None,
                )
            )
            hashed = leaf_hash(leaf)
            previous = hashed.hex()
            key_id, blob = (
                self._subjects.seal(event, concealed[1], concealed[2], hashed) if concealed else (None, None)
            )
            if task:
                ends[task] = Counter(
                    counter.calls, counter.effectful_calls, counter.result_bytes, index, previous
                )
            place = (tenant, index, event.kind._value_, task, counter.last_event, open_from)
            # For `bytes` the binding looks for an adapter, which takes longer than this copy.
            sealed = bytearray(blob) if blob is not None else None
            rows += (*place, bytearray(leaf), bytearray(hashed), key_id, sealed)
            hashes.append(hashed)
            index += 1
            sequence += 1
        self._accept(log, events, ends, stated)
        log.size, log.sequence, log.previous = index, sequence, previous
        log.hashes += hashes
        self._rows += rows
        self._touched[tenant] = log
        return tuple(range(first, first + told))

    def _state(
        self, tenant: str, first: int, events: tuple[Event, ...], state: Sequence[RowChange]
    ) -> tuple[tuple[Event, ...], list[Stated]]:
        """Return the events, with more of them if they have no room for `state`, and what the first ones
        say.
        """
        count = max(1, -(-len(state) // MOST_ROWS))
        if more := max(0, count - len(events)):
            at = events[-1].at if events else self._clock.now()
            events += (Event.of(StateRecorded(), at=at, tenant=tenant),) * more
        stated: list[Stated] = []
        for place, event in enumerate(events[:count]):
            part = state[place * MOST_ROWS :][:MOST_ROWS]
            follow = more_to_adopt(event.kind, event.facts.get("adopted"), event.facts.get("more"))
            code = self.record.code(tenant, stated[-1][1] if stated else None, first + place, part, follow)
            stated.append((part, code, follow))
        return events, stated

    def _accept(
        self, log: _TenantLog, events: tuple[Event, ...], ends: dict[str, Counter], stated: list[Stated]
    ) -> None:
        tenant, index = events[0].tenant, log.size
        for number, saying in enumerate(stated, index):
            self._said.append((tenant, number))
            self.record.say(tenant, *saying)
        for task, counter in ends.items():
            self._memory.put_counter((tenant, task), counter)
        for event in events:
            if event.kind is _TOOL_CALLED:
                opened = log.unfinished.pop(event.call, None)
                if opened is not None:
                    log.undo.append((event.call, opened))
            elif permits(event) and event.call not in log.unfinished:
                log.unfinished[event.call] = index
                log.undo.append((event.call, None))
            for mark in marks_of(event, index):
                if mark not in log.marks:
                    log.marks.add(mark)
                    log.born.append(mark)
            index += 1

    def write(self) -> int:
        """Write the batch's rows in as few statements as possible; return the number of events."""
        execute = self._sql.execute
        for row in self._subjects.created():
            execute("insert into subject_keys values (?, ?, ?, ?, ?)", row)
        if self._rows:
            self._insert(self._sql, EVENTS, self._rows)
        if counters := self.counters():
            self._insert(self._sql, COUNTERS, counters)
        if history := self.history():
            self._insert(self._sql, HISTORY, history)
        if marks := self.marks():
            self._insert(self._sql, DATA_BLOCKS, marks)
        for said in self._said:
            execute("insert into state_events values (?, ?, null)", said)
        for node in self.grow():
            execute(PUT_NODE, node)
        return len(self._rows) // _EVENT_COLUMNS

    @property
    def says_rows(self) -> bool:
        """Whether an event of the batch says rows of state: its code binds its index and the one before."""
        return bool(self._said)

    @property
    def rows(self) -> list[Any]:
        """The batch's rows of `EVENTS`, as one flat list."""
        return self._rows

    def counters(self) -> list[Any]:
        """Return the batch's rows of `COUNTERS`, as one flat list."""
        flat: list[Any] = []
        counters = self._memory.counters
        for key in self._memory.changed:
            one = counters[key]
            flat += (*key, one.calls, one.effectful_calls, one.result_bytes, one.last_event)
        return flat

    def history(self) -> list[Any]:
        """Return the batch's rows of `HISTORY`, as one flat list."""
        flat: list[Any] = []
        for key, kept in self._memory.history.items():
            flat += (*key, *kept)
        return flat

    def marks(self) -> list[Any]:
        """Return the batch's rows of `DATA_BLOCKS`, as one flat list."""
        return [one for tenant, log in self._touched.items() for mark in log.born for one in (tenant, *mark)]

    def grow(self) -> list[tuple[str, int, int, bytes]]:
        """Grow the trees by the batch's leaves; return the rows of the nodes that this completes."""
        rows = []
        for tenant, log in self._touched.items():
            log.next_tree, born = new_tile_nodes(log.tree, log.hashes)
            rows += [(tenant, node.level, node.index, node.hash) for node in born]
        return rows

    def settle(self) -> None:
        """Take the batch's state as committed."""
        for log in self._touched.values():
            log.settle()
        self.record.settle(self._touched)
        self._clear()
        self._subjects.settle()

    def restore(self) -> None:
        """Return to the state before the batch, which cannot be committed."""
        for log in self._touched.values():
            log.restore()
        self.record.restore()
        self._clear()
        self._subjects.restore()

    def _clear(self) -> None:
        self._touched.clear()
        self._rows = []
        self._said = []


class _Leaf(msgspec.Struct, frozen=True):
    """The fields that are read back from a leaf."""

    kind: EventKind
    at: datetime
    tenant: str
    facts: dict[str, Any]
    task: str = ""
    agent: str = ""
    call: str = ""


class _Chained(msgspec.Struct, frozen=True):
    """A leaf's position in the chain of its writer."""

    writer: str
    seq: int


_decoder = msgspec.json.Decoder(_Leaf)
_chain_decoder = msgspec.json.Decoder(_Chained)


def writer_of(leaf: bytes) -> str:
    """Return the writer of an event."""
    return _chain_decoder.decode(leaf).writer


def from_leaf(leaf: bytes) -> Event:
    """Return the event that a leaf records; raise `VerificationFailed` if it is not a leaf."""
    try:
        found = _decoder.decode(leaf)
    except msgspec.MsgspecError as fault:
        raise VerificationFailed(
            "an event in the log differs from the recorded one", code="leaf-changed", debug=str(fault)
        ) from None
    return Event(
        kind=found.kind,
        at=found.at,
        tenant=found.tenant,
        task=found.task,
        agent=found.agent,
        call=found.call,
        facts=found.facts,
    )
