# SPDX-License-Identifier: Apache-2.0
"""The graph of a report as boxes and lines, in columns from left to right.

What comes in, by label; the tools that read it; the task types with their agents; the tools that act; who
learns of it, and what cannot be taken back. Stores that task types share stand below these, and so do the
credentials that stand.
"""

from __future__ import annotations

from itertools import pairwise

import msgspec

from remit.cli.paths.report import ReachReport
from remit.cli.safe_text import plain
from remit.core.label import Label, Trust
from remit.core.policy.reach import CredentialUse, Inflow, Lifetime, Openness, ReachPath, StepKind, Waypoint

COLUMNS = ("What comes in", "Tools that read", "Task types", "Tools that act", "What they reach")
DATA, READERS, TASKS, ACTORS, REACHED, STORES = range(6)
MAX_BOXES = 300
"""Boxes of one picture; where there are more, the task types with the most open paths are drawn."""


class Box(msgspec.Struct, kw_only=True):
    """One box: its place in the columns, what stands in it, and where it lies, in pixels."""

    key: str
    column: int
    title: str
    note: str = ""
    hint: str = ""
    mark: str = ""
    openness: Openness | None = None
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0

    @property
    def middle(self) -> float:
        """The height of its middle."""
        return self.y + self.height / 2


class Line(msgspec.Struct, kw_only=True):
    """One line between two boxes; `shared` where what one writes another reads, or gets handed down."""

    start: str
    end: str
    openness: Openness
    shared: bool = False
    hint: str = ""


MAX_TOOLS = 24
"""Tools in one column; where there are more, one box stands for all tools of an upstream."""


def graph_of(report: ReachReport) -> Graph:
    """Return the graph of a report, by tools, or by upstreams where tools would be too many to see
    anything.
    """
    graph = Graph(report)
    for column in (READERS, ACTORS):
        if sum(box.column == column for box in graph.boxes.values()) > MAX_TOOLS:
            return Graph(report, by_upstream=True)
    return graph


class Graph:
    """Boxes and lines of a report."""

    def __init__(self, report: ReachReport, *, by_upstream: bool = False) -> None:
        """Draw what is wanted of a report; `by_upstream` joins the tools of an upstream in one box."""
        self._by_upstream = by_upstream
        self._tools: dict[str, set[str]] = {}
        self.boxes: dict[str, Box] = {}
        self.lines: dict[tuple[str, str], Line] = {}
        #: Task types that would have made the picture too large to read.
        self.left_out = 0
        by_task: dict[str, list[ReachPath]] = {}
        for path in report.paths:
            by_task.setdefault(path.runner.name, []).append(path)
        worst = {name: min(path.guard.openness for path in paths) for name, paths in by_task.items()}
        for name in sorted(by_task, key=lambda name: (worst[name], name)):
            if len(self.boxes) >= MAX_BOXES:
                self.left_out += 1
                continue
            for path in by_task[name]:
                self._path(path)
        for key, tools in self._tools.items():
            self._joined(self.boxes[key], sorted(tools))
        for use in report.credentials:
            self._opened(use)
        for one in report.handovers:
            if one.handed_down:
                start, end = f"task:{one.writers[0][0]}", f"task:{one.readers[0][0]}"
                if start in self.boxes and end in self.boxes:
                    self._line(start, end, Openness.REFUSED, shared=True, hint="handed down")

    def _path(self, path: ReachPath) -> None:
        openness = path.guard.openness
        runner = self._task(Waypoint(StepKind.TASK, path.runner.name, path.runner.agents), openness)
        for inflow in (path.inflow, *([path.private] if path.private else [])):
            self._route(inflow, openness)
        if path.inflow.direct and path.private is None:
            for source in path.sources:
                self._read(source, path.inflow.label, runner, openness)
        tool = path.outlet.tool
        act = self._tool(tool.id, ACTORS)
        says = f"{openness.word}: {', '.join(path.guard.rules)}" if path.guard.rules else openness.word
        self._line(runner, act, openness, hint=says)
        change = {"none": "", "reversible": "changes something", "irreversible": "cannot be taken back"}
        key = f"reached:{tool.audience.name}:{tool.effect.value}"
        name = {"external": "people outside", "internal": "people inside", "self": "nobody else"}
        title = name.get(tool.audience.name, tool.audience.name)
        mark = "outside" if path.outlet.outward else ""
        self._box(key, REACHED, title, note=change[tool.effect.value], mark=mark)
        self._line(act, key, openness, hint=says)

    def _route(self, inflow: Inflow, openness: Openness) -> None:
        """Draw the way that data takes; what is written lies in a store until somebody reads it."""
        label = inflow.source.label
        for one, other in pairwise(inflow.route):
            if one.kind is StepKind.SOURCE:
                self._read(one.name, label, self._task(other, None), openness)
            else:
                start, end = self._step(one), self._step(other)
                ways = {one.kind, other.kind}
                self._line(start, end, openness, shared=StepKind.STORE in ways or ways == {StepKind.TASK})

    def _read(self, source: str, label: Label, task: str, openness: Openness) -> None:
        untrusted = label.trust is Trust.UNTRUSTED
        trust = "written by others" if untrusted else "trusted"
        words = (*sorted(label.categories), *(f"from {zone}" for zone in sorted(label.zones)), trust)
        key = f"data:{label.data_class}:{':'.join(words)}"
        mark = "untrusted" if untrusted else ""
        hint = ", ".join((label.data_class, *words))
        self._box(key, DATA, label.data_class, note=", ".join(words), hint=hint, mark=mark)
        reader = self._tool(source.partition(" ")[0], READERS)
        self._line(key, reader, openness, hint=source)
        self._line(reader, task, openness)

    def _opened(self, use: CredentialUse) -> None:
        """Draw a credential that stands, with the tools of the picture whose calls carry it."""
        if use.credential.lifetime is not Lifetime.STANDING:
            return
        name = use.credential.name
        for tool in dict.fromkeys(tool for one in use.holders for tool in one.tools):
            for column in (ACTORS, READERS):
                start = f"{column}:{tool.partition('/')[0] if self._by_upstream else tool}"
                if start in self.boxes:
                    end = self._box(f"credential:{name}", STORES, name, note="credential that stands")
                    self._line(start, end, Openness.REFUSED, shared=True, hint=f"opened by {name}")
                    break

    def _step(self, step: Waypoint) -> str:
        if step.kind is StepKind.TASK:
            return self._task(step, None)
        if step.kind is StepKind.STORE:
            return self._box(f"store:{step.name}", STORES, step.name, note="shared")
        return self._tool(step.name, READERS if step.kind is StepKind.READ else ACTORS)

    def _task(self, step: Waypoint, openness: Openness | None) -> str:
        key = self._box(f"task:{step.name}", TASKS, step.name, note=", ".join(step.agents))
        box = self.boxes[key]
        if openness is not None and (box.openness is None or openness < box.openness):
            box.openness = openness
        return key

    def _tool(self, tool: str, column: int) -> str:
        upstream, _, name = tool.partition("/")
        if self._by_upstream and name:
            key = self._box(f"{column}:{upstream}", column, upstream)
            self._tools.setdefault(key, set()).add(tool)
            return key
        return self._box(
            f"{column}:{tool}", column, name or upstream, note=upstream if name else "", hint=tool
        )

    def _box(
        self, key: str, column: int, title: str, *, note: str = "", hint: str = "", mark: str = ""
    ) -> str:
        if key not in self.boxes:
            told = plain(hint or f"{title} {note}".strip())
            self.boxes[key] = Box(
                key=key, column=column, title=plain(title), note=plain(note), hint=told, mark=mark
            )
        return key

    @staticmethod
    def _joined(box: Box, tools: list[str]) -> None:
        if len(tools) == 1:
            name = plain(tools[0].partition("/")[2])
            box.title, box.note, box.hint = name, box.title, plain(tools[0])
        else:
            box.note = f"{len(tools)} tools"
            box.hint = plain(", ".join(tools[:MAX_TOOLS]) + (", ..." if len(tools) > MAX_TOOLS else ""))

    def _line(
        self, start: str, end: str, openness: Openness, *, shared: bool = False, hint: str = ""
    ) -> None:
        known = self.lines.get((start, end))
        if known is None or openness < known.openness:
            self.lines[start, end] = Line(
                start=start, end=end, openness=openness, shared=shared, hint=plain(hint)
            )
