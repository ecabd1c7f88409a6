# SPDX-License-Identifier: Apache-2.0
"""Idle programs of tasks: each is ended as at the end of its task, with the credential in its environment.

The next call of the task starts another program with a new credential. A call in progress keeps its program
alive, and so does a call that continues after its answer.
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
    """Finds what is due to end. For one event loop."""

    def __init__(
        self, leases: Leases, live: LiveTasks, events: EndEvents, after_s: Mapping[str, float]
    ) -> None:
        """Take, by upstream, the idle time in seconds after which a program is ended."""
        self._leases = leases
        self._live = live
        self._after_s = dict(after_s)
        self._ended: Counter[str] = Counter()
        events.kept.append((KIND, self.ended))

    async def look(self) -> None:
        """End the programs that are due. For a background loop."""
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
