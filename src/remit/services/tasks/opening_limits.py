# SPDX-License-Identifier: Apache-2.0
"""Limits on tasks that an agent opens without a person: on its own authority, and by delegation."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from remit.core.errors import Busy
from remit.core.tasks.task import Task, TaskState
from remit.ports.runtime import Clock
from remit.ports.store.tasks import TaskStore
from remit.services.limits.rate_limit import RateLimit


class OpeningBounds(msgspec.Struct, frozen=True, kw_only=True):
    """How many tasks an agent may open on its own authority: per minute, and at once.

    The same numbers, counted separately, bound the tasks that it may delegate per minute, and have delegated
    to one other agent at once.
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
        """Count a task that an agent opens on its own authority; raises `Busy` where that is too many."""
        await self._count(self._opened, agent, "opens tasks", agent, lambda _: True)

    async def hands_down(self, agent: str, heir: str) -> None:
        """Count a task that an agent delegates to another; raises `Busy` where that is too many."""

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
