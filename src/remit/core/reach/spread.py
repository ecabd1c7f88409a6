# SPDX-License-Identifier: Apache-2.0
"""How data spreads: what arrives at each task type, by the most open and then the shortest route.

Data is told apart by its label, not by its source, so that the work does not grow with sources times tasks:
a source of each label is remembered as the representative. Labels join along a route, since what a task
writes is read back with the task's label.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count

from remit.core.label import Label
from remit.core.reach.model import (
    Guard,
    Inflow,
    Judge,
    Openness,
    Outlet,
    Runner,
    StaticCall,
    StepKind,
    Waypoint,
)
from remit.core.reach.terrain import Shelf, Terrain, ToolGate, start_of
from remit.core.tool import Tool

MAX_LABELS = 4
"""Labels of one data class and trust that are followed into one place."""

Place = int | Shelf


class Asked:
    """Asks the judge, for every agent of a runner, and remembers: the most open answer counts."""

    def __init__(self, terrain: Terrain, judge: Judge) -> None:
        self._terrain = terrain
        self._judge = judge
        self._known: dict[tuple[int, int, Label, bool], Guard] = {}

    def call(self, runner: Runner, tool: Tool, label: Label, *, pinned: bool = False) -> Guard:
        """Give how open a call is to the agent of a runner to which it is most open."""
        key = (id(runner), id(tool), label, pinned)
        guard = self._known.get(key)
        if guard is None:
            joined = runner.task_type.label.join(label, self._terrain.classes)
            guard = min(
                (
                    self._judge(StaticCall(runner.task_type, agent, runner.handed, tool, joined, pinned))
                    for agent in runner.agents
                ),
                key=lambda one: one.openness,
                default=Guard(Openness.REFUSED, ("nobody may run it",)),
            )
            self._known[key] = guard
        return guard

    def gate(self, runner: Runner, gate: ToolGate, label: Label, *, writing: bool = False) -> Guard:
        """Give how open some call of a granted tool is; with `writing`, one that changes something."""
        variants = [tool for tool in gate.variants if not writing or tool.effect.value != "none"]
        pinned = not any(outlet.arguments for outlet in gate.outlets)
        return min(
            (self.call(runner, tool, label, pinned=pinned) for tool in variants),
            key=lambda one: one.openness,
        )

    def outlet(self, runner: Runner, outlet: Outlet, label: Label) -> Guard:
        """Give how open a call is that does what an outlet does."""
        return self.call(runner, outlet.tool, label, pinned=bool(outlet.pinned))


class Spread:
    """What arrives where. `inflows` are by the runner's place in the terrain, the most open first."""

    def __init__(self, terrain: Terrain, asked: Asked) -> None:
        self._terrain = terrain
        self._asked = asked
        self._count = count()
        self._heap: list[tuple[Openness, int, int, Place, Inflow]] = []
        self._readers: dict[Shelf, list[tuple[int, ToolGate]]] = {}
        self._beside: dict[int, int] = {}
        self.direct: list[list[Inflow]] = []
        self.inflows: list[list[Inflow]] = [[] for _ in terrain.runners]
        self._seen: dict[Place, dict[Label, Openness]] = {}
        for place, runner in enumerate(terrain.runners):
            self._enter(place, runner)
        self._run()

    def _enter(self, place: int, runner: Runner) -> None:
        """Take in what a task type reads itself, and remember where it reads what others wrote."""
        if runner.handed:
            self._beside[place], self._beside[place - 1] = place - 1, place
        base = runner.task_type.label
        mine = [
            Inflow(one, one.label, Openness.OPEN, (), (Waypoint(StepKind.SOURCE, one.name), _task(runner)))
            for one in start_of(runner.task_type)
        ]
        for gate in self._terrain.gates[runner.task_type.name]:
            guard = self._asked.gate(runner, gate, base)
            if guard.openness is Openness.REFUSED:
                continue
            for source in gate.sources:
                route = (Waypoint(StepKind.SOURCE, source.name), _task(runner))
                mine.append(Inflow(source, source.label, guard.openness, guard.rules, route))
            for shelf in gate.reads:
                self._readers.setdefault(shelf, []).append((place, gate))
        self.direct.append(mine)
        for inflow in mine:
            self._push(place, inflow)

    def _push(self, place: Place, inflow: Inflow) -> None:
        entry = (inflow.openness, len(inflow.route), next(self._count), place, inflow)
        heapq.heappush(self._heap, entry)

    def _run(self) -> None:
        while self._heap:
            _, _, _, place, inflow = heapq.heappop(self._heap)
            if not self._takes(place, inflow):
                continue
            if isinstance(place, Shelf):
                for following, arrived in self._out_of(place, inflow):
                    self._push(following, arrived)
            else:
                self.inflows[place].append(inflow)
                for onward, arrived in self._out_from(place, inflow):
                    self._push(onward, arrived)

    def _takes(self, place: Place, inflow: Inflow) -> bool:
        seen = self._seen.setdefault(place, {})
        if inflow.label in seen:
            return False
        alike = sum(
            one.data_class == inflow.label.data_class and one.trust is inflow.label.trust for one in seen
        )
        if alike >= MAX_LABELS and not inflow.direct:
            return False
        seen[inflow.label] = inflow.openness
        return True

    def _out_from(self, place: int, inflow: Inflow) -> Iterator[tuple[Place, Inflow]]:
        """Give where a task type carries data: into what it writes, and to whom it is handed down."""
        runner = self._terrain.runners[place]
        if (beside := self._beside.get(place)) is not None:
            # What a child is given goes down, and what it answers comes back.
            yield beside, _on(inflow, inflow.label, Guard(), _task(self._terrain.runners[beside]))
        for gate in self._terrain.gates[runner.task_type.name]:
            if not gate.writes:
                continue
            guard = self._asked.gate(runner, gate, inflow.label, writing=True)
            if guard.openness is Openness.REFUSED:
                continue
            for shelf in gate.writes:
                steps = (Waypoint(StepKind.WRITE, gate.tool.id), Waypoint(StepKind.STORE, shelf.name))
                yield shelf, _on(inflow, inflow.label, guard, *steps)

    def _out_of(self, shelf: Shelf, inflow: Inflow) -> Iterator[tuple[Place, Inflow]]:
        """Give who reads a store, and with what label."""
        for place, gate in self._readers.get(shelf, ()):
            runner = self._terrain.runners[place]
            if any(step.name == runner.name for step in inflow.route if step.kind is StepKind.TASK):
                continue
            guard = self._asked.gate(runner, gate, runner.task_type.label)
            label = inflow.label.join(gate.tool.label, self._terrain.classes)
            yield (
                place,
                _on(inflow, label, guard, Waypoint(StepKind.READ, gate.tool.id), _task(runner)),
            )


def _task(runner: Runner) -> Waypoint:
    return Waypoint(StepKind.TASK, runner.name, runner.agents)


def _on(inflow: Inflow, label: Label, guard: Guard, *steps: Waypoint) -> Inflow:
    openness = max(inflow.openness, guard.openness)
    rules = [rule for one in (inflow, guard) if one.openness is openness for rule in one.rules]
    return Inflow(inflow.source, label, openness, tuple(dict.fromkeys(rules)), (*inflow.route, *steps))
