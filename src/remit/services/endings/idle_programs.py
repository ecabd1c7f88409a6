# SPDX-License-Identifier: Apache-2.0
"""Programs of tasks that nobody uses: each is ended as the end of its task would end it, and so is the
credential in its environment. The next call of the task starts another one, with a fresh one.

A call in hand keeps its program, and so does one that goes on after its answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from remit.services.credentials.leases import Leases
from remit.services.endings.events import EndEvents
from remit.services.tasks.live_tasks import LiveTasks

KIND: Final = "idle-process"


class IdlePrograms:
    """Looks for them. For one event loop."""

    def __init__(
        self, leases: Leases, live: LiveTasks, events: EndEvents, after_s: Mapping[str, float]
    ) -> None:
        """Take after how long without a call a program is ended, by upstream."""
        self._leases = leases
        self._live = live
        self._after_s = dict(after_s)
        self._ended: Counter[str] = Counter()
        events.kept.append((KIND, self.ended))

    async def look(self) -> None:
        """End those that are due; for a background loop."""
        for upstream, after_s in self._after_s.items():
            for held in self._leases.rest(upstream, after_s, self._busy):
                if held.record.kind == "process":
                    self._ended[held.record.task] += 1

    def ended(self, task: str) -> int:
        """Return how many were ended so of a task, which ends."""
        return self._ended.pop(task, 0)

    def _busy(self, task: str) -> bool:
        live = self._live.get(task)
        return live is not None and live.open_calls > 0
