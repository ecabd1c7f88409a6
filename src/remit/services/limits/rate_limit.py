# SPDX-License-Identifier: Apache-2.0
"""Rate limit by name: how often each of many names may do something within a time."""

from __future__ import annotations

from collections import OrderedDict, deque

#: Names counted separately at once; beyond this number the name that was idle for longest is dropped.
MAX_NAMES = 4096


class RateLimit:
    """How often each of many names may do something within a time; for one event loop."""

    def __init__(self, times: int, within_s: float) -> None:
        """Take the bound: `times` in any `within_s` seconds."""
        self._times = times
        self._within_s = within_s
        self._done: OrderedDict[str, deque[float]] = OrderedDict()

    def keeps(self, name: str, now_boot_s: float) -> bool:
        """Return whether `name` may act once more now; if so, count it."""
        done = self._done.pop(name, None) or deque()
        self._done[name] = done
        while done and now_boot_s - done[0] >= self._within_s:
            done.popleft()
        if len(self._done) > MAX_NAMES:
            self._done.popitem(last=False)
        if len(done) >= self._times:
            return False
        done.append(now_boot_s)
        return True
