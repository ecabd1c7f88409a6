# SPDX-License-Identifier: Apache-2.0
"""What happened before in a task and its family, as policies read it.

A family is owned by one process, and its calls are decided one after another while policies count: from the
look at the counters until the call is itself held in them, no other call of the family is decided. So two
calls never see the same count. What a call adds is committed with the decision, and read back from the store
where the family is bound again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final
from weakref import WeakValueDictionary

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.evidence.event import CallOutcome
from remit.core.tasks.history import (
    MAX_COUNTERS,
    MAX_ENTRIES,
    CountedCall,
    CountedOutcome,
    FamilyHistory,
    HistoryCounter,
    entries_of,
)
from remit.ports.store.changes import CountHistory
from remit.ports.store.tasks import TaskStore
from remit.services.policy.bundle import AppliedBundle, Policies
from remit.services.replicas.task_ownership import Ownership
from remit.services.tasks.live_task import LiveFamily, LiveTask

#: Most stored entries of a family; beyond them no counter has a value.
MAX_STORED: Final = 2 * MAX_COUNTERS * MAX_ENTRIES
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PERMITTED: Final = frozenset({CountedOutcome.PERMITTED})
_REFUSED: Final = frozenset({CountedOutcome.REFUSED})
#: Outcomes after which the call goes on.
_OPEN: Final = frozenset({CallOutcome.INPUT_REQUIRED, CallOutcome.DEFERRED})


class Histories:
    """The histories of the families of this process. For one event loop."""

    def __init__(self, *, store: TaskStore, policies: Policies, ownership: Ownership, tenant: str) -> None:
        """Begin with none read."""
        self._store = store
        self._policies = policies
        self._ownership = ownership
        self._tenant = tenant
        self._families: WeakValueDictionary[str, LiveFamily] = WeakValueDictionary()

    @staticmethod
    def needed(applied: AppliedBundle) -> bool:
        """Return whether a bundle counts anything, or its policies read what is counted anyway."""
        return bool(applied.bundle.history or applied.policy.history)

    @asynccontextmanager
    async def turn(self, live: LiveTask) -> AsyncIterator[FamilyHistory]:
        """Wait until no other call of the family is being decided; yield the family's history."""
        family = self._families.get(live.root)
        if family is None:
            family = self._families[live.root] = LiveFamily()
        live.family = family
        async with family.turn:
            under = self._ownership.held(live.root)
            if family.history is None or family.under != under:
                family.history = await self._read(live.root)
                family.under = under
            yield family.history

    async def _read(self, root: str) -> FamilyHistory:
        found = await self._store.history(self._tenant, root, limit=MAX_STORED)
        return FamilyHistory(root, found, complete=len(found) < MAX_STORED)

    def described(
        self, request: AccessRequest, live: LiveTask, history: FamilyHistory, applied: AppliedBundle
    ) -> AccessRequest:
        """Return the request with what happened before it."""
        counters = applied.bundle.history
        calls, effectful = live.calls_so_far()
        facts: dict[str, int | str | None] = {"calls": calls, "effectful_calls": effectful}
        if counters:
            call = _counted(request, live)
            own = entries_of([one for one in counters if one.this_call], call, _PERMITTED)
            own = history.bounded(own, counters, call.at_ms)
            facts |= history.facts(counters, call, own)
        return msgspec.structs.replace(request, history=facts)

    def holding(
        self,
        request: AccessRequest,
        live: LiveTask,
        outcomes: Collection[CountedOutcome],
        applied: AppliedBundle,
    ) -> tuple[CountHistory, ...]:
        """Count a call that has just been decided, until `LiveTask.settle`."""
        taken = self._taken(request, live, outcomes, applied.bundle.history)
        if live.history is not None:
            for one in taken:
                live.history.hold(one.entries)
        return taken

    def refused(self, request: AccessRequest, live: LiveTask) -> tuple[CountHistory, ...]:
        """Count a call that was permitted, and refused as its decision was committed; return the changes."""
        return self._kept(request, live, _REFUSED)

    def ended(
        self, request: AccessRequest, live: LiveTask, outcome: CallOutcome, *, claimed: bool = False
    ) -> tuple[CountHistory, ...]:
        """Count the outcome of a call; return the changes to commit with it.

        A failure that only the agent's own program claims counts as a success, too.
        """
        if outcome in _OPEN:
            return ()
        words = {CountedOutcome.SUCCEEDED if outcome is CallOutcome.OK else CountedOutcome.FAILED}
        return self._kept(request, live, words | {CountedOutcome.SUCCEEDED} if claimed else words)

    def _kept(
        self, request: AccessRequest, live: LiveTask, outcomes: Collection[CountedOutcome]
    ) -> tuple[CountHistory, ...]:
        if live.task.state.ended:
            return ()
        taken = self._taken(request, live, outcomes, self._policies.applied.bundle.history)
        if live.history is not None:
            for one in taken:
                live.history.keep(one.entries)
        return taken

    def _taken(
        self,
        request: AccessRequest,
        live: LiveTask,
        outcomes: Collection[CountedOutcome],
        counters: tuple[HistoryCounter, ...],
    ) -> tuple[CountHistory, ...]:
        if not counters:
            return ()
        call = _counted(request, live)
        entries = entries_of(counters, call, outcomes)
        if entries and live.history is not None:
            entries = live.history.bounded(entries, counters, call.at_ms)
        return (CountHistory(self._tenant, live.root, entries),) if entries else ()


def _counted(request: AccessRequest, live: LiveTask) -> CountedCall:
    return CountedCall(live.root, live.task.id, request.tool, request.arguments, _ms(request.now))


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)
