# SPDX-License-Identifier: Apache-2.0
"""A cache of the judge's answers, and numbered labels, so that no question and no join is repeated."""

from __future__ import annotations

from collections.abc import Hashable

from remit.core.label import Label, Trust
from remit.core.policy.reach.graph import ReachGraph, ToolGate
from remit.core.policy.reach.model import Guard, Judge, Openness, Outlet, Runner, StaticCall, is_private
from remit.core.tools.tool import Effect, Tool

_NOBODY = Guard(Openness.REFUSED, ("no agent may run it",))


class LabelNumbers:
    """The labels that occur, each with a number; joins are cached."""

    def __init__(self, reach_graph: ReachGraph) -> None:
        self._classes = reach_graph.classes
        self._numbers: dict[Label, int] = {}
        self._joins: dict[tuple[int, int], int] = {}
        self.labels: list[Label] = []
        self.untrusted: list[bool] = []
        self.private: list[bool] = []

    def of(self, label: Label) -> int:
        """Return a label's number; the tools that it is assumed of make no difference to policies."""
        label = label.known
        number = self._numbers.get(label)
        if number is None:
            number = self._numbers[label] = len(self.labels)
            self.labels.append(label)
            self.untrusted.append(label.trust is Trust.UNTRUSTED)
            self.private.append(is_private(label, self._classes))
        return number

    def join(self, one: int, other: int) -> int:
        """Return the number of the least label that covers both."""
        if one == other:
            return one
        found = self._joins.get((one, other))
        if found is None:
            found = self.of(self.labels[one].join(self.labels[other], self._classes))
            self._joins[one, other] = found
        return found


class ReachQuery:
    """Asks the judge for every agent of a runner; the most open answer counts.

    Runners are given by their place in the terrain, labels by their number.
    """

    def __init__(self, reach_graph: ReachGraph, judge: Judge) -> None:
        self.numbers = LabelNumbers(reach_graph)
        self._reach_graph = reach_graph
        self._judge = judge
        self._kinds: dict[Hashable, int] = {}
        self._kind_of: dict[int, int] = {}
        self._known: dict[tuple[Hashable, int, int, bool], Guard] = {}
        #: Agents that the judge does not distinguish are asked about once.
        self._parties: list[tuple[tuple[Hashable, str], ...]] = []
        self.base: list[int] = []
        for runner in reach_graph.runners:
            each = {judge.party(runner.task_type, agent, runner.handed): agent for agent in runner.agents}
            self._parties.append(tuple(each.items()))
            self.base.append(self.numbers.of(runner.task_type.label))

    def kind(self, tool: Tool) -> int:
        """Return a number that is equal for tools which the judge does not distinguish."""
        # Tools live as long as the terrain, so their addresses serve as keys.
        kind = self._kind_of.get(id(tool))
        if kind is None:
            kind = self._kinds.setdefault(self._judge.kind(tool), len(self._kinds))
            self._kind_of[id(tool)] = kind
        return kind

    def call(self, place: int, tool: Tool, label: int, *, pinned: bool) -> Guard:
        """Return the openness of a call for the least restricted agent, after reading data with that
        label.
        """
        label = self.numbers.join(self.base[place], label)
        kind = self.kind(tool)
        best: Guard | None = None
        for party, agent in self._parties[place]:
            key = (party, kind, label, pinned)
            guard = self._known.get(key)
            if guard is None:
                guard = self._known[key] = self._ask(
                    self._reach_graph.runners[place], agent, tool, label, pinned
                )
            if best is None or guard.openness < best.openness:
                best = guard
        return best or _NOBODY

    def _ask(self, runner: Runner, agent: str, tool: Tool, label: int, pinned: bool) -> Guard:
        return self._judge(
            StaticCall(runner.task_type, agent, runner.handed, tool, self.numbers.labels[label], pinned)
        )

    def read(self, place: int, gate: ToolGate) -> Guard:
        """Return the openness of reading with a granted tool."""
        return self._best(place, gate, self.base[place], writing=False)

    def write(self, place: int, gate: ToolGate, label: int) -> Guard:
        """Return the openness of changing something with a granted tool, after reading data with that
        label.
        """
        return self._best(place, gate, label, writing=True)

    def outlet(self, place: int, outlet: Outlet, label: int) -> Guard:
        """Return the openness of a call that uses an outlet, after reading data with that label."""
        return self.call(place, outlet.tool, label, pinned=bool(outlet.pinned))

    def _best(self, place: int, gate: ToolGate, label: int, *, writing: bool) -> Guard:
        best: Guard | None = None
        for tool in gate.variants:
            if writing and tool.effect is Effect.NONE:
                continue
            guard = self.call(place, tool, label, pinned=gate.pinned)
            if best is None or guard.openness < best.openness:
                best = guard
        assert best is not None
        return best
