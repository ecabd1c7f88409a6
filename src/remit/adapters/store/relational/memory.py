# SPDX-License-Identifier: Apache-2.0
"""The writer's memory: epochs, locks and counters, with undo.

Memory changes ahead of the commit that confirms it, and every change records how to undo it: back to a mark
if one unit is refused, back to the start if the whole batch cannot be committed.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from remit.adapters.store.relational.sql import Sql
from remit.core.tasks.history import merged

#: A name within a tenant: a scope, a task, a subject.
Key = tuple[str, str]

#: Rows kept in memory before the oldest are dropped; dropped rows are read again on demand.
MAX_COUNTERS = 50_000


#: Added to an epoch that cannot be trusted: more than any scope is ever ended.
LEAP = 2**32


class Counter(msgspec.Struct, frozen=True):
    """One task's row: its usage and its last event (index, and leaf hash in hex)."""

    calls: int = 0
    effectful_calls: int = 0
    result_bytes: int = 0
    last_event: int | None = None
    last_hash: str = ""


_COUNTERS = (
    "select c.task, c.calls, c.effectful_calls, c.result_bytes, c.last_event,"
    " coalesce(e.leaf_hash, p.leaf_hash)"
    " from counters c left join events e on e.tenant = c.tenant and e.idx = c.last_event"
    " left join pruned_leaves p on p.tenant = c.tenant and p.idx = c.last_event"
    " where c.tenant = ?"
)


def _counter(row: Sequence[Any]) -> Counter:
    calls, effectful, size, last, hashed = row
    return Counter(calls, effectful, size, last, hashed.hex() if hashed else "")


class Memory:
    """Epochs, locks and counters, with the pending batch and as of the last commit.

    INVARIANT: `live` contains only committed epochs, and no epoch in it ever falls, whichever thread adds
    one. `epochs`, which checks read, also contains epochs raised by earlier units of the same batch.
    """

    def __init__(self, connection: Sql) -> None:
        """Read the fences; counters are read on demand."""
        self.connection = connection
        self._lock = threading.Lock()  # guards changes that arrive outside the batches
        self.live: dict[str, dict[str, int]] = {}
        self.epochs: dict[str, dict[str, int]] = {}
        self.locks: set[Key] = set()
        #: Locked scopes by tenant, as of the last commit.
        self.shut: dict[str, set[str]] = {}
        self._relocked: list[Key] = []
        self.counters: dict[Key, Counter] = {}
        #: The rows that the pending batch changes, as of the last commit.
        self.changed: dict[Key, Counter] = {}
        #: What the pending batch adds to histories: amount and time, by the key of the row.
        self.history: dict[tuple[str, ...], tuple[int, int]] = {}
        self._undo: list[tuple[Any, Any, Any]] = []
        self._raised: list[tuple[str, str, int]] = []
        #: Revoked ids, as of the last commit.
        self.withdrawn: dict[str, set[str]] = {}
        self._withdrawing: list[tuple[str, str, list[str]]] = []
        for tenant, name in connection.execute("select tenant, id from withdrawn"):
            self.withdrawn.setdefault(tenant, set()).add(name)
        for tenant, scope, epoch, locked in connection.execute(
            "select tenant, scope, epoch, locked from fences"
        ):
            self.live.setdefault(tenant, {})[scope] = epoch
            if locked:
                self.locks.add((tenant, scope))
                self.shut.setdefault(tenant, set()).add(scope)
        self.epochs = {tenant: dict(scopes) for tenant, scopes in self.live.items()}

    def mark(self) -> tuple[int, int, int]:
        """Return the current point, for `back_to`."""
        return len(self._undo), len(self._raised), len(self._withdrawing)

    def back_to(self, mark: tuple[int, int, int]) -> None:
        """Undo everything since `mark`."""
        undo, raised, withdrawing = mark
        del self._withdrawing[withdrawing:]
        while len(self._undo) > undo:
            place, key, old = self._undo.pop()
            if isinstance(place, set):
                place.add(key) if old else place.discard(key)
            elif old is None:
                place.pop(key, None)
            else:
                place[key] = old
        del self._raised[raised:]

    def settle(self) -> None:
        """Take the batch as committed. Raised epochs become visible before any caller resumes."""
        with self._lock:
            for tenant, scope, epoch in self._raised:
                self._show(tenant, scope, epoch)
            for key in self._relocked:
                self._show_lock(*key, key in self.locks)
            for tenant, name, dropped in self._withdrawing:
                known = self.withdrawn.setdefault(tenant, set())
                known.difference_update(dropped)
                known.add(name)
        self._withdrawing.clear()
        self._relocked.clear()
        self._undo.clear()
        self._raised.clear()
        self.changed.clear()
        self.history.clear()
        if len(self.counters) > MAX_COUNTERS:
            for key in list(self.counters)[: MAX_COUNTERS // 2]:
                del self.counters[key]

    def restore(self) -> None:
        """Return to the state before the batch, which could not be committed."""
        self.back_to((0, 0, 0))
        self._relocked.clear()
        self.changed.clear()
        self.history.clear()

    def learn(self, tenant: str, fences: Iterable[tuple[str, int, bool]], withdrawn: Iterable[str]) -> None:
        """Learn what another writer has committed of a tenant, before a batch; drop the tenant's counters.

        Counters are read again on demand.
        """
        fences, scopes = list(fences), self.epochs.setdefault(tenant, {})
        for scope, epoch, locked in fences:
            scopes[scope] = max(epoch, scopes.get(scope, 0))
            if locked:
                self.locks.add((tenant, scope))
            else:
                self.locks.discard((tenant, scope))
        self.show(tenant, fences, withdrawn)
        for key in [key for key in self.counters if key[0] == tenant]:
            del self.counters[key]

    def distrust(self, tenant: str, scope: str) -> None:
        """Lock a scope whose fence others have changed, and end what was open in it."""
        epoch = self.live.get(tenant, {}).get(scope, 0) + LEAP
        self.learn(tenant, [(scope, epoch, True)], ())

    def show(self, tenant: str, fences: Iterable[tuple[str, int, bool]], withdrawn: Iterable[str]) -> None:
        """Make another writer's commits visible at once, from any thread; the checks of a batch need
        `learn`.
        """
        with self._lock:
            for scope, epoch, locked in fences:
                self._show(tenant, scope, epoch)
                self._show_lock(tenant, scope, locked)
            self.withdrawn.setdefault(tenant, set()).update(withdrawn)

    def _show(self, tenant: str, scope: str, epoch: int) -> None:
        live = self.live.setdefault(tenant, {})
        live[scope] = max(epoch, live.get(scope, 0))

    def _show_lock(self, tenant: str, scope: str, locked: bool) -> None:
        shut = self.shut.setdefault(tenant, set())
        shut.add(scope) if locked else shut.discard(scope)

    def count_history(self, key: tuple[str, ...], amount: int, at_ms: int) -> None:
        """Add to a row of a history."""
        old = self.history.get(key)
        self._undo.append((self.history, key, old))
        self.history[key] = merged(old, amount, at_ms)

    def change(self, place: dict[Key, Any], key: Key, new: Any) -> None:
        """Change a value in another object's dictionary, so that it is undone together with the batch."""
        self._undo.append((place, key, place.get(key)))
        place[key] = new

    def fetch(self, tenant: str, tasks: Collection[str]) -> None:
        """Read the rows of tasks that are not in memory, all with one statement."""
        missing = [task for task in tasks if (tenant, task) not in self.counters]
        if not missing:
            return
        some = ", ".join("?" * len(missing))
        query = f"{_COUNTERS} and c.task in ({some})"
        found = {task: _counter(row) for task, *row in self.connection.execute(query, (tenant, *missing))}
        # Only once they were read: a lost connection must not make a task look new.
        for task in missing:
            self.counters[tenant, task] = found.get(task) or Counter()

    def knows(self, key: Key) -> bool:
        """Return whether a task's row is in memory."""
        return key in self.counters

    def counter(self, key: Key) -> Counter:
        """Return a task's row, from memory or from the table."""
        found = self.counters.get(key)
        if found is None:
            row = self.connection.execute(f"{_COUNTERS} and c.task = ?", key).fetchone()
            found = _counter(row[1:]) if row else Counter()
            self.counters[key] = found  # read, not changed: nothing to undo
        return found

    def put_counter(self, key: Key, new: Counter) -> None:
        """Change a task's row."""
        old = self.counters.get(key)
        self._undo.append((self.counters, key, old))
        self.counters[key] = new
        self.changed.setdefault(key, old or Counter())

    def move_events(self, first: int, by: int) -> None:
        """Correct the last events of the batch's rows: those from index `first` on are `by` further on."""
        for key in self.changed:
            one = self.counters[key]
            if one.last_event is not None and one.last_event >= first:
                self.counters[key] = msgspec.structs.replace(one, last_event=one.last_event + by)

    def raise_epoch(self, tenant: str, scope: str) -> int:
        """Raise a scope's epoch by one and return it."""
        scopes = self.epochs.setdefault(tenant, {})
        old = scopes.get(scope)
        scopes[scope] = epoch = (old or 0) + 1
        self._undo.append((scopes, scope, old))
        self._raised.append((tenant, scope, epoch))
        return epoch

    def withdraw(self, tenant: str, name: str, dropped: list[str]) -> None:
        """Revoke this id; forget the revocations that have expired."""
        self._withdrawing.append((tenant, name, dropped))

    def set_lock(self, key: Key, locked: bool) -> None:
        """Lock or unlock a scope."""
        self._undo.append((self.locks, key, key in self.locks))
        self._relocked.append(key)
        if locked:
            self.locks.add(key)
        else:
            self.locks.discard(key)
