# SPDX-License-Identifier: Apache-2.0
"""Memory limits of what live tasks remember: one for each task's index, and one for a process.

Above the limit of the process, the tasks that remember most, except the one that just grew, forget what they
have met. They continue as after a restart: values that are not from their intent are unknown. So a task that
reads without end loses its own memory once other tasks need room.
"""

from __future__ import annotations

from remit.core.flow.provenance import KEY_BYTES
from remit.core.flow.task_index import begun
from remit.ports.runtime import Entropy
from remit.services.tasks.live_tasks import LiveTask, LiveTasks

#: Approximate bytes that all live tasks of a process together may remember of results.
MAX_BYTES = 256 * 1024 * 1024


class MemoryLimit:
    """Keeps the indexes of a process within a limit. For one event loop."""

    def __init__(self, live: LiveTasks, entropy: Entropy, *, size_bytes: int = MAX_BYTES) -> None:
        """Begin with nothing remembered; `size_bytes` is the limit."""
        self._live = live
        self._entropy = entropy
        self._most = size_bytes
        # An upper bound: ended tasks leave the count at the next recount.
        self._about = 0

    def grew(self, live: LiveTask) -> None:
        """Count the growth of a task's memory and make room above the limit; `live` itself keeps its
        memory.
        """
        size = live.index.size_bytes
        self._about += size - live.counted_bytes
        live.counted_bytes = size
        if self._about <= self._most:
            return
        tasks = self._live.all()
        self._about = sum(one.index.size_bytes for one in tasks)
        for one in sorted(tasks, key=lambda one: -one.index.size_bytes):
            # Free more than is needed, so that recounts stay rare.
            if self._about <= self._most * 3 // 4:
                return
            if one is not live and one.index.size_bytes:
                gone = one.index
                self._about -= gone.size_bytes
                one.index = begun(
                    one.task, self._entropy.bytes(KEY_BYTES), calls=max(one.calls, 1), above=None
                )
                one.counted_bytes = 0
                # Delegated tasks would otherwise keep it.
                for other in tasks:
                    other.index.sever(gone)
