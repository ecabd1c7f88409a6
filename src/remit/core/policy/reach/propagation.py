# SPDX-License-Identifier: Apache-2.0
"""The spread of data: the data that arrives at each task type, by the most open and then the shortest route.

Data is distinguished by its label, not by its source, so that the work does not grow with sources times
tasks: one source of each label represents the others. Labels join along a route, because data that a task
writes is read back with the task's label.
"""

from __future__ import annotations

import heapq
from itertools import count

from remit.core.label import Label
from remit.core.policy.reach.graph import ReachGraph, SharedStore, ToolGate, start_of
from remit.core.policy.reach.model import OPEN, Guard, Inflow, Openness, Runner, StepKind, Waypoint
from remit.core.policy.reach.queries import ReachQuery

MAX_LABELS = 4
"""Labels of the same data class and trust that are followed from other places into one place."""

Place = int | SharedStore
Steps = tuple[Waypoint, ...]


class Propagation:
    """The data that arrives at each place.

    `direct` is the data that each runner reads itself. `inflows` holds one representative for each label that
    arrives at a runner, the most open first. Both are indexed by the runner's place in the terrain.
    """

    def __init__(self, reach_graph: ReachGraph, asked: ReachQuery) -> None:
        self._reach_graph = reach_graph
        self._asked = asked
        self._numbers = asked.numbers
        self._count = count()
        self._heap: list[tuple[int, int, int, Place, int, Inflow, Guard, Steps]] = []
        self._best: dict[tuple[Place, int], tuple[int, int]] = {}
        self._done: dict[Place, set[int]] = {}
        self._readers: dict[SharedStore, list[tuple[int, Guard, int, Steps]]] = {}
        self._writers: list[list[tuple[ToolGate, list[tuple[SharedStore, Steps]]]]] = []
        self._beside: dict[int, int] = {}
        self.direct: list[list[Inflow]] = []
        self.inflows: list[list[Inflow]] = [[] for _ in reach_graph.runners]
        for place, runner in enumerate(reach_graph.runners):
            self._enter(place, runner)
        while self._heap:
            self._settle()

    def _enter(self, place: int, runner: Runner) -> None:
        """Collect the data that a task type reads itself, and record the stores where it reads others'
        data.
        """
        if runner.handed:
            self._beside[place], self._beside[place - 1] = place - 1, place
        task = _task(runner)
        mine = [
            Inflow(one, one.label, Openness.OPEN, (), (Waypoint(StepKind.SOURCE, one.name), task))
            for one in start_of(runner.task_type)
        ]
        writers: list[tuple[ToolGate, list[tuple[SharedStore, Steps]]]] = []
        for gate in self._reach_graph.gates[runner.task_type.name]:
            if gate.writes:
                write = Waypoint(StepKind.WRITE, gate.tool.id)
                ways: list[tuple[SharedStore, Steps]] = [
                    (shelf, (write, Waypoint(StepKind.STORE, shelf.name))) for shelf in gate.writes
                ]
                writers.append((gate, ways))
            guard = self._asked.read(place, gate)
            if guard.openness is Openness.REFUSED:
                continue
            for source in gate.sources:
                route = (Waypoint(StepKind.SOURCE, source.name), task)
                mine.append(Inflow(source, source.label, guard.openness, guard.rules, route))
            read = (
                place,
                guard,
                self._numbers.of(gate.tool.label),
                (Waypoint(StepKind.READ, gate.tool.id), task),
            )
            for shelf in gate.reads:
                self._readers.setdefault(shelf, []).append(read)
        self._writers.append(writers)
        self.direct.append(mine)
        for inflow in mine:
            self._push(place, self._numbers.of(inflow.label), inflow, OPEN, ())

    def _push(self, place: Place, label: int, inflow: Inflow, guard: Guard, steps: Steps) -> None:
        """Queue data for a place, unless an equally good route has brought data of the same label there."""
        openness = max(inflow.openness, guard.openness)
        far = (openness, len(inflow.route) + len(steps))
        known = self._best.get((place, label))
        if known is not None and known <= far:
            return
        self._best[place, label] = far
        heapq.heappush(self._heap, (*far, next(self._count), place, label, inflow, guard, steps))

    def _settle(self) -> None:
        """Take the nearest data from the queue, and send it on from the place where it arrives."""
        _, _, _, place, label, inflow, guard, steps = heapq.heappop(self._heap)
        if not self._takes(place, label, direct=not steps):
            return
        if steps:
            inflow = _on(inflow, guard, steps, self._numbers.labels[label])
        if isinstance(place, SharedStore):
            passed = {step.name for step in inflow.route if step.kind is StepKind.TASK}
            for reader, read, own, way in self._readers.get(place, ()):
                # A task type's own output brings it nothing new.
                if way[-1].name not in passed:
                    self._push(reader, self._numbers.join(label, own), inflow, read, way)
            return
        self.inflows[place].append(inflow)
        beside = self._beside.get(place)
        if beside is not None:
            # A child receives data at the hand-down, and its answer returns data.
            self._push(beside, label, inflow, OPEN, (_task(self._reach_graph.runners[beside]),))
        for gate, ways in self._writers[place]:
            write = self._asked.write(place, gate, label)
            if write.openness is not Openness.REFUSED:
                for shelf, way in ways:
                    self._push(shelf, label, inflow, write, way)

    def _takes(self, place: Place, label: int, *, direct: bool) -> bool:
        done = self._done.setdefault(place, set())
        if label in done:
            return False
        if not direct:
            new = self._numbers.labels[label]
            alike = (self._numbers.labels[one] for one in done)
            if (
                sum(one.data_class == new.data_class and one.trust is new.trust for one in alike)
                >= MAX_LABELS
            ):
                return False
        done.add(label)
        return True


def _task(runner: Runner) -> Waypoint:
    return Waypoint(StepKind.TASK, runner.name, runner.agents)


def _on(inflow: Inflow, guard: Guard, steps: Steps, label: Label) -> Inflow:
    openness = max(inflow.openness, guard.openness)
    each = ((inflow.openness, inflow.rules), (guard.openness, guard.rules))
    rules = tuple(dict.fromkeys(rule for one, rules in each if one is openness for rule in rules))
    return Inflow(inflow.source, label, openness, rules, (*inflow.route, *steps))
