# SPDX-License-Identifier: Apache-2.0
"""How long calls and their steps take: of one call, and of all since the start, for metrics and traces."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from remit.core.decisions.mediation import Step
from remit.core.tools.tool import Tool
from remit.ports.telemetry.tracer import TracedStep

#: Upper bounds of the histograms, in seconds; the last bucket has none.
BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
#: Tools, and codes of faults, that are counted by name; further ones are counted together.
MOST_TOOLS: Final = 1_000
OTHER: Final = "other"
#: A tool that neither a file describes nor an upstream offers: anyone may make up a name.
UNKNOWN: Final = "unknown"
#: The groups of steps that are measured together.
GROUPS: Final = {
    Step.IDENTIFY: "decide",
    Step.BIND: "decide",
    Step.DESCRIBE: "decide",
    Step.DECIDE: "decide",
    Step.RECORD: "record",
    Step.LEASE: "lease",
    Step.FORWARD: "forward",
    Step.OBSERVE: "observe",
    Step.CLOSE: "close",
}
_STEPS: Final = tuple((step.value, step.name.lower(), GROUPS[step]) for step in Step)
_FORWARD: Final = Step.FORWARD.value


class StepTimes:
    """When the steps of one call began and ended, in seconds of `Clock.boot_s`.

    Steps 7 and 8 alternate while an answer arrives: each has its first beginning, its last end, and the time
    that was spent in it.
    """

    __slots__ = ("_at", "_since_s", "began_s", "ended_s", "first_s", "last_s", "spent_s")

    def __init__(self, now_s: float) -> None:
        """Begin before step 1."""
        self.began_s = self.ended_s = self._since_s = now_s
        self._at = 0
        self.first_s = [-1.0] * 10
        self.last_s = [0.0] * 10
        self.spent_s = [0.0] * 10

    def turn(self, step: int, now_s: float) -> None:
        """End the step under way, and begin another one; 0 begins none."""
        at = self._at
        self.spent_s[at] += now_s - self._since_s
        self.last_s[at] = self.ended_s = now_s
        if self.first_s[step] < 0.0:
            self.first_s[step] = now_s
        self._at, self._since_s = step, now_s

    def traced(self, began: datetime) -> list[TracedStep]:
        """Return the steps that were taken; the call began at `began`."""

        def at(now_s: float) -> datetime:
            return began + timedelta(seconds=now_s - self.began_s)

        return [
            TracedStep(name, at(self.first_s[step]), at(self.last_s[step]))
            for step, name, _ in _STEPS
            if self.first_s[step] >= 0.0
        ]


class Histogram:
    """How many durations lie in each bucket, and their sum in seconds."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        """Begin without durations."""
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, spent_s: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS_S, spent_s)] += 1
        self.sum_s += spent_s


class CallMetrics:
    """Calls since the start. The number of labels is bounded, whatever is called."""

    def __init__(self) -> None:
        """Begin without calls."""
        self.outcomes: Counter[tuple[str, str, str]] = Counter()
        """Calls by upstream, tool and outcome."""
        self.faults: Counter[str] = Counter()
        """Calls that a fault ended, by its code."""
        self.by_upstream: dict[str, Histogram] = {}
        """Durations of whole calls."""
        self.upstreams: dict[str, Histogram] = {}
        """Durations of step 7: what the upstream itself took."""
        self.by_group: dict[str, Histogram] = {}
        """Durations of groups of steps."""
        self._tools: set[tuple[str, str]] = set()

    def add(self, called: Tool | None, outcome: str, times: StepTimes, fault: str = "") -> None:
        """Count a call of a tool; of none where it was not decided. `fault` is the code of what ended it."""
        upstream = called.upstream if called is not None else UNKNOWN
        tool = called.name if called is not None and (called.described or called.surface) else UNKNOWN
        if (upstream, tool) not in self._tools:
            if len(self._tools) < MOST_TOOLS:
                self._tools.add((upstream, tool))
            else:
                upstream = tool = OTHER
        self.outcomes[upstream, tool, outcome] += 1
        if fault:
            self.faults[fault if fault in self.faults or len(self.faults) < MOST_TOOLS else OTHER] += 1
        _histogram(self.by_upstream, upstream).add(times.ended_s - times.began_s)
        spent: dict[str, float] = {}
        for step, _, group in _STEPS:
            if times.first_s[step] >= 0.0:
                spent[group] = spent.get(group, 0.0) + times.spent_s[step]
        for group, spent_s in spent.items():
            _histogram(self.by_group, group).add(spent_s)
        if times.first_s[_FORWARD] >= 0.0:
            _histogram(self.upstreams, upstream).add(times.spent_s[_FORWARD])


def _histogram(held: dict[str, Histogram], name: str) -> Histogram:
    found = held.get(name)
    if found is None:
        found = held[name] = Histogram()
    return found
