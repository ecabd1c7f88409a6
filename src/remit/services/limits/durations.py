# SPDX-License-Identifier: Apache-2.0
"""Recent durations by kind, for metrics."""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

#: Durations remembered of each kind.
MOST: Final = 1_000
QUANTILES: Final = (0.5, 0.99)


class RecentTimes:
    """The last thousand durations of each kind, in milliseconds, and the number of them since the start."""

    def __init__(self) -> None:
        """Start with no arguments."""
        self._times: dict[str, deque[float]] = {}
        self.counts: Counter[str] = Counter()

    def add(self, kind: str, ms: float) -> None:
        """Add one duration."""
        self.counts[kind] += 1
        self._times.setdefault(kind, deque(maxlen=MOST)).append(ms)

    def quantiles(self) -> dict[tuple[str, float], float]:
        """Return, for each kind, the median and the 99th percentile of the remembered durations."""
        found = {}
        for kind, times in self._times.items():
            ordered = sorted(times)
            for quantile in QUANTILES:
                found[kind, quantile] = ordered[min(int(quantile * len(ordered)), len(ordered) - 1)]
        return found

    def by_kind(self) -> dict[str, tuple[float, ...]]:
        """Return, for each kind, the median and the 99th percentile, to the microsecond."""
        found: dict[str, tuple[float, ...]] = {}
        for (kind, _), ms in sorted(self.quantiles().items()):
            found[kind] = (*found.get(kind, ()), round(ms, 3))
        return found
