# SPDX-License-Identifier: Apache-2.0
"""How many tasks come of an agent without a person's hand: what it opens by its own word, and hands down."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from remit.core.errors import Busy
from remit.core.tasks.task import Task, TaskState
from remit.ports.runtime import Clock
from remit.ports.store.tasks import TaskStore
from remit.services.limits.rate_limit import RateLimit


class OpeningBounds(msgspec.Struct, frozen=True, kw_only=True):
    """How many tasks an agent may open by its own word: in a minute, and at once.

    As many, counted apart, it may hand down in a minute, and have handed down to one other agent at once.
    """

    per_minute: int = 60
    open_at_once: int = 100


class OpeningLimits:
    """Counts openings; for one event loop."""

    def __init__(self, *, store: TaskStore, clock: Clock, tenant: str, bounds: OpeningBounds) -> None:
        """Begin with nothing counted."""
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._bounds = bounds
        self._opened = RateLimit(bounds.per_minute, 60.0)
        self._handed = RateLimit(bounds.per_minute, 60.0)

    async def opens(self, agent: str) -> None:
        """Count one more that an agent opens by itself; raises `Busy` where that is too many."""
        await self._count(self._opened, agent, "opens tasks", agent, lambda _: True)

    async def hands_down(self, agent: str, heir: str) -> None:
        """Count one more that an agent hands down to another; raises `Busy` where that is too many."""

        def handed(task: Task) -> bool:
            return bool(task.lineage) and task.lineage[0].agent == agent

        await self._count(self._handed, agent, "delegates tasks", heir, handed)

    async def _count(
        self, pace: RateLimit, agent: str, does: str, holder: str, counts: Callable[[Task], bool]
    ) -> None:
        if not pace.keeps(agent, self._clock.boot_s()):
            raise Busy(
                f"agent `{agent}` {does} too fast",
                code="too-many-openings",
                remediation=f"do so at most {self._bounds.per_minute} times in a minute",
            )
        most = self._bounds.open_at_once
        open_now = await self._store.tasks(self._tenant, agent=holder, state=TaskState.ACTIVE, limit=most + 1)
        if sum(map(counts, open_now)) >= most:
            raise Busy(
                f"agent `{holder}` has {most} such tasks open",
                code="too-many-tasks",
                remediation="complete some of them first",
            )
