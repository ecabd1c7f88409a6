# SPDX-License-Identifier: Apache-2.0
"""Model usage: what agents report of their model calls counts against the budgets of tokens and money.

A report is the word of the agent: one that reports less than it used is not found out here. Each span counts
once, however often it is sent, and only for the task whose token came with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from msgspec import UNSET

from remit.core.canonical import digest
from remit.core.errors import Conflict
from remit.core.evidence.event import Event
from remit.core.evidence.events.tasks import ModelUsed
from remit.core.tasks.model_prices import ModelPrices
from remit.core.tasks.model_usage import ModelCall
from remit.ports.runtime import Clock
from remit.ports.store.changes import UseAssertion
from remit.ports.store.units import Unit, UnitStore
from remit.services.tasks.live_tasks import LiveTasks

#: How long after its task's deadline a span is remembered.
REMEMBERED: Final = timedelta(days=1)


class ModelUsage:
    """Counts reported model calls. For one event loop."""

    def __init__(
        self,
        *,
        store: UnitStore,
        clock: Clock,
        live: LiveTasks,
        prices: Callable[[], ModelPrices],
        tenant: str,
    ) -> None:
        """Take the dependencies; `prices` returns the table that is in force."""
        self._prices = prices
        self._store = store
        self._clock = clock
        self._live = live
        self._tenant = tenant

    async def report(self, task_id: str, calls: Sequence[ModelCall]) -> int:
        """Count model calls of a task against it and all tasks above; return how many were new.

        Each is durable when this returns. A task whose budget is used up takes no further call, and ends.
        """
        live = await self._live.load(task_id)
        for name in live.unbound_above():
            await self._live.load(name)
        return sum([await self._count(task_id, call) for call in calls])

    async def _count(self, task_id: str, call: ModelCall) -> bool:
        live, now = await self._live.load(task_id), self._clock.now()
        prices = self._prices()
        self._live.check(live, now)
        once = UseAssertion(
            self._tenant,
            f"usage {digest({'task': task_id, 'span': call.span})}",
            live.task.deadline + REMEMBERED,
        )
        used = ModelUsed(
            model=call.model,
            input_tokens=call.input_tokens,
            output_tokens=call.output_tokens,
            span=call.span,
            cached_tokens=call.cached_tokens or UNSET,
            cache_write_tokens=call.cache_write_tokens or UNSET,
        )
        cost = prices.cost(call)
        if cost is not None:
            used.cost, used.priced_as = cost
            used.currency = prices.currency
        event = Event.of(
            used,
            at=now,
            tenant=self._tenant,
            task=task_id,
            agent=live.task.agent,
            subject=live.task.subject,
        )
        takes = live.model_takes(call.tokens, cost[0] if cost else None)
        try:
            await self._store.commit(Unit((once, *takes), (event,)))
        except Conflict:
            return False  # it was reported before
        live.count_model_call(takes)
        return True
