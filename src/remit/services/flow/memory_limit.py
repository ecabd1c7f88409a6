# SPDX-License-Identifier: Apache-2.0
"""Room for what the live tasks of a process remember: each index has a bound, and all together have one.

Where there is no more room, the tasks that remember most forget what they have met. They go on as after a
restart: what is not of their intent is unknown. Whoever reads without end so loses what they read themselves.
"""

from __future__ import annotations

from remit.core.flow.provenance import KEY_BYTES
from remit.core.flow.task_index import begun
from remit.ports.runtime import Entropy
from remit.services.tasks.live_tasks import LiveTask, LiveTasks

#: Bytes that what all live tasks of a process remember of results takes together, about.
MAX_BYTES = 256 * 1024 * 1024


class MemoryLimit:
    """Sees to it that the indexes of a process stay within a bound. For one event loop."""

    def __init__(self, live: LiveTasks, entropy: Entropy, *, size_bytes: int = MAX_BYTES) -> None:
        """Begin with nothing remembered; `size_bytes` is how much it may take."""
        self._live = live
        self._entropy = entropy
        self._most = size_bytes
        # No less than there are: tasks that have ended are only left out when they are counted again.
        self._about = 0

    def grew(self, live: LiveTask) -> None:
        """Count what a task remembers more by now, and make room where there is none; `live` itself keeps
        what it has.
        """
        size = live.index.size_bytes
        self._about += size - live.counted_bytes
        live.counted_bytes = size
        if self._about <= self._most:
            return
        tasks = self._live.all()
        self._about = sum(one.index.size_bytes for one in tasks)
        for one in sorted(tasks, key=lambda one: -one.index.size_bytes):
            # Some more than is needed, so that counting stays rare.
            if self._about <= self._most * 3 // 4:
                return
            if one is not live and one.index.size_bytes:
                gone = one.index
                self._about -= gone.size_bytes
                one.index = begun(
                    one.task, self._entropy.bytes(KEY_BYTES), calls=max(one.calls, 1), above=None
                )
                one.counted_bytes = 0
                # Tasks that were handed down from there would keep it.
                for other in tasks:
                    other.index.sever(gone)
