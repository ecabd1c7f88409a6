# SPDX-License-Identifier: Apache-2.0
"""Room for what the live tasks of a process remember: each index has a bound, and all together have one.

Where there is no more room, the tasks that remember most forget what they have met. They go on as after a
restart: what is not of their intent is unknown. Whoever reads without end so loses what they read themselves.
"""

from __future__ import annotations

from remit.core.provenance import KEY_BYTES
from remit.ports.runtime import Entropy
from remit.services.live import Live, LiveTask
from remit.services.met import begun

#: Values that all live tasks of a process remember together: about 250 MB.
MAX_VALUES = 2_000_000


class Room:
    """Sees to it that the indexes of a process stay within a bound. For one event loop."""

    def __init__(self, live: Live, entropy: Entropy, *, values: int = MAX_VALUES) -> None:
        """Begin with nothing remembered; `values` is how many there may be."""
        self._live = live
        self._entropy = entropy
        self._most = values
        # No less than there are: tasks that have ended are only left out when they are counted anew.
        self._about = 0

    def grew(self, live: LiveTask, by: int) -> None:
        """Count what a task has newly met, and make room where there is none; `live` itself keeps what it
        has.
        """
        self._about += by
        if self._about <= self._most:
            return
        tasks = self._live.all()
        self._about = sum(len(one.index) for one in tasks)
        for one in sorted(tasks, key=lambda one: -len(one.index)):
            # Some more than is needed, so that counting stays rare.
            if self._about <= self._most * 3 // 4:
                return
            if one is not live and len(one.index):
                self._about -= len(one.index)
                one.index = begun(
                    one.task, self._entropy.bytes(KEY_BYTES), calls=max(one.calls, 1), above=None
                )
