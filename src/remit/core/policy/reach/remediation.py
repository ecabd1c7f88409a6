# SPDX-License-Identifier: Apache-2.0
"""The smallest change that breaks a toxic combination: a minimum cut, with the cost of each change.

A combination needs two inflows (untrusted content, private data) and an outlet. A cut between either inflow
and the outlets breaks it; the cheaper cut comes first, and the other is given as an alternative. Costs are
ranks of the loss: pinning a destination loses nothing that was wanted, asking a person costs attention,
dropping a grant loses a capability of the task.
"""

from __future__ import annotations

import enum
import json
import math
import re
from collections.abc import Hashable, Iterable
from functools import cached_property

import msgspec
import networkx
from networkx.algorithms.flow import edmonds_karp

from remit.core.label import Trust
from remit.core.policy.reach.graph import SharedStore, start_of
from remit.core.policy.reach.model import DataSource, Inflow, Openness
from remit.core.policy.reach.report import ReachSurvey, ToxicTask

MAX_PLACES = 32
"""Task types and stores that are examined around one combination; any place beyond counts as reached."""

MAX_ID = 128
_NO_ID = re.compile(r"[^A-Za-z0-9._:#/-]")

Spot = Hashable
_Edge = tuple[Spot, Spot]


class RepairKind(enum.StrEnum):
    """The kind of a change."""

    PIN = "pin"
    APPROVE = "approve"
    HAND_DOWN = "hand-down"
    DROP = "drop"
    TRUST = "trust"


COST = {
    RepairKind.PIN: 1,
    RepairKind.APPROVE: 2,
    RepairKind.HAND_DOWN: 3,
    RepairKind.DROP: 4,
    RepairKind.TRUST: 5,
}


_CLOSING = (RepairKind.APPROVE, RepairKind.DROP)


class Repair(msgspec.Struct, frozen=True, order=True):
    """One change of a bundle. `task_type` and `tool` give the place, `detail` the argument or field."""

    kind: RepairKind
    task_type: str
    tool: str = ""
    detail: tuple[str, ...] = ()

    @property
    def cost(self) -> int:
        """The cost, as a rank; a pinned destination is one change for each argument."""
        return COST[self.kind]

    @property
    def text(self) -> str:
        """The change in words."""
        return self.said((self.tool,))

    def said(self, tools: Iterable[str]) -> str:
        """Return the change in words, for several tools at once."""
        named = ", ".join(f"`{tool}`" for tool in tools)
        details = ", ".join(f"`{one}`" for one in self.detail)
        where = f"task type `{self.task_type}`"
        match self.kind:
            case RepairKind.PIN:
                known = "`exact`, `one_of`, `email_domain`, `url_host`"
                return f"keep {details} of {named} in {where} to known values ({known})"
            case RepairKind.APPROVE:
                return f"require approval before {named} in {where}"
            case RepairKind.HAND_DOWN:
                return f"do not let {where} be delegated"
            case RepairKind.DROP:
                return f"remove the grant of {named} from {where}"
            case RepairKind.TRUST:
                what = f"field {details} of {named}" if self.detail else named
                return f"if no outsider can write {what}, declare it: `trust: trusted` in `tools/`"

    @property
    def rule(self) -> str:
        """The policy that `approve` adds; empty for the others."""
        if self.kind is not RepairKind.APPROVE:
            return ""
        name = _NO_ID.sub("-", f"paths/{self.task_type}/{self.tool}")[:MAX_ID]
        tool, task_type = (json.dumps(one, ensure_ascii=False) for one in (self.tool, self.task_type))
        return (
            f'@id("{name}")\n@reason("`{{tool}}` could send out private data because untrusted content '
            'asked for it")\n@remediation("have this exact call '
            f'approved")\n@otherwise("approval")\nforbid (principal, action == Action::{tool}, '
            f"resource)\nwhen {{ context.task.type == {task_type} }};\n"
        )


class Remedy(msgspec.Struct, frozen=True):
    """Changes that together break a combination.

    `cuts` is the inflow that they stop: `untrusted` or `private`. `exact` is false where the surroundings
    were too large to examine completely: the changes suffice, but fewer might.
    """

    repairs: tuple[Repair, ...]
    cost: int
    cuts: str
    exact: bool = True


def together(repairs: Iterable[Repair]) -> list[tuple[str, list[Repair]]]:
    """Return changes in words, merging those that differ only in their tool."""
    alike: dict[tuple[RepairKind, str, tuple[str, ...]], list[Repair]] = {}
    for one in repairs:
        alike.setdefault((one.kind, one.task_type, one.detail), []).append(one)
    return [(group[0].said(one.tool for one in group), group) for group in alike.values()]


def remedies(survey: ReachSurvey, toxic: ToxicTask) -> tuple[Remedy, ...]:
    """Return the smallest changes that break the most open paths of a combination, the cheapest first.

    If paths are open, none is open afterwards. If the most open paths ask a person, all are refused or gone
    afterwards. Refused paths need no change. Empty where no change is known.
    """
    if toxic.openness is Openness.REFUSED:
        return ()
    found: dict[tuple[Repair, ...], Remedy] = {}
    cuts = (_Cut(survey, toxic, toxic.untrusted, "untrusted"), _Cut(survey, toxic, toxic.private, "private"))
    for cut in cuts:
        remedy = cut.remedy()
        if remedy is not None:
            remedy = _spared(remedy, cuts)
            found.setdefault(remedy.repairs, remedy)
    return tuple(sorted(found.values(), key=lambda one: (one.cost, len(one.repairs), one.repairs)))


def _spared(remedy: Remedy, cuts: tuple[_Cut, _Cut]) -> Remedy:
    """Remove changes that the other changes make unnecessary.

    An approval required for a tool also guards the data that the tool reads, and a dropped grant reads
    nothing. So where a tool is source and outlet at once, closing it there may be enough.
    """
    closed = {one.tool for one in remedy.repairs if one.kind in _CLOSING}
    if len(remedy.repairs) < 2 or not any(cut.hangs_on(closed) for cut in cuts):
        return remedy
    kept = list(remedy.repairs)
    for one in sorted(remedy.repairs, key=lambda each: -each.cost):
        others = [each for each in kept if each != one]
        if any(not cut.connected(others) for cut in cuts):
            kept = others
    return msgspec.structs.replace(remedy, repairs=tuple(kept), cost=sum(one.cost for one in kept))


class _Cut:
    """One cut: the network around a task type, from its inflows to its outlets."""

    def __init__(self, survey: ReachSurvey, toxic: ToxicTask, leg: Iterable[Inflow], cuts: str) -> None:
        self.survey = survey
        self.toxic = toxic
        self.leg = leg
        self.cuts = cuts
        self.level = toxic.openness
        self.graph = networkx.DiGraph()
        self.repairs: dict[tuple[Spot, Spot], Repair] = {}
        self._exact: bool | None = None

    def remedy(self) -> Remedy | None:
        """Return the minimum cut as changes; None where no change can break some path."""
        remediation = self._ways_out()
        # For each tool that the task type reads itself, the inflow's capacity is the cost of dropping its
        # grant. If the sum is at least the capacity of the outlets, no cut is smaller than closing the
        # outlets.
        way_in = COST[RepairKind.DROP] * len({one.source.tool for one in self.leg if self._read_here(one)})
        if sum(one.cost for one in remediation) <= way_in:
            return self._made(set(remediation), exact=True)
        exact = self._laid()
        value, (near, _) = networkx.minimum_cut(
            self.graph, "in", "out", capacity="cost", flow_func=edmonds_karp
        )
        if not math.isfinite(value):
            return None
        cut = {
            self.repairs[one, other]
            for one in near
            for other in self.graph.successors(one)
            if other not in near
        }
        return self._made(cut, exact=exact)

    def _made(self, cut: set[Repair], *, exact: bool) -> Remedy:
        repairs = tuple(sorted(cut))
        return Remedy(repairs, sum(one.cost for one in repairs), self.cuts, exact)

    def hangs_on(self, tools: set[str]) -> bool:
        """Return whether the inflow might end without some tools."""
        return all(one.source.tool in tools for one in self.leg if self._read_here(one))

    def connected(self, repairs: Iterable[Repair]) -> bool:
        """Return whether a path from inflow to outlet remains after some changes."""
        self._laid()
        by_repair, by_tool = self._edges
        gone: set[_Edge] = set()
        for one in repairs:
            gone.update(by_repair.get(one, ()))
            if one.kind in _CLOSING and one.tool:
                gone.update(by_tool.get((one.task_type, one.tool), ()))
        seen: set[Spot] = {"in"}
        waiting: list[Spot] = ["in"]
        while waiting:
            spot = waiting.pop()
            for other in self.graph.successors(spot):
                if other not in seen and (spot, other) not in gone:
                    if other == "out":
                        return True
                    seen.add(other)
                    waiting.append(other)
        return False

    @cached_property
    def _edges(self) -> tuple[dict[Repair, list[_Edge]], dict[tuple[str, str], list[_Edge]]]:
        """The edges that each change removes, and the edges of each tool of a task type."""
        by_repair: dict[Repair, list[_Edge]] = {}
        by_tool: dict[tuple[str, str], list[_Edge]] = {}
        for edge, repair in self.repairs.items():
            by_repair.setdefault(repair, []).append(edge)
            by_tool.setdefault((repair.task_type, repair.tool), []).append(edge)
        return by_repair, by_tool

    def _read_here(self, inflow: Inflow) -> bool:
        return inflow.direct and inflow.openness <= self.level and "/" in inflow.source.tool

    def _laid(self) -> bool:
        """Build the network once; return whether all of it was examined."""
        if self._exact is None:
            self._exact = self._lay()
        return self._exact

    def _lay(self) -> bool:
        start = self.toxic.place
        self.graph.add_nodes_from(("in", "out"))
        for repair in self._ways_out():
            spot = ("leaves", repair.tool)
            self._edge(start, spot, 0, repair)
            self._edge(spot, "out", math.inf)
        waiting: list[int | SharedStore] = [start]
        seen: set[int | SharedStore] = {start}
        for place in waiting:
            if len(seen) > MAX_PLACES:
                self._edge("in", place, math.inf)
                continue
            before = self._into_task(place) if isinstance(place, int) else self._into_store(place)
            for one in before:
                if one not in seen:
                    seen.add(one)
                    waiting.append(one)
        return len(seen) <= MAX_PLACES

    def _ways_out(self) -> list[Repair]:
        """Return, for each tool that is an outlet, the cheapest change that closes it."""
        name = self.toxic.runner.task_type.name
        chosen: dict[str, Repair] = {}
        for path in self.toxic.paths:
            if path.guard.openness > self.level:
                continue
            tool = path.outlet.tool.id
            kinds = [Repair(RepairKind.DROP, name, tool)]
            if path.outlet.arguments:
                kinds.append(Repair(RepairKind.PIN, name, tool, path.outlet.arguments))
            if self.level is Openness.OPEN:
                kinds.append(Repair(RepairKind.APPROVE, name, tool))
            chosen[tool] = min(kinds, key=lambda one: one.cost)
        return list(chosen.values())

    def _into_task(self, place: int) -> Iterable[int | SharedStore]:
        runner = self.survey.reach_graph.runners[place]
        name = runner.task_type.name
        if any(self._counts(one) for one in start_of(runner.task_type)):
            self._edge("in", place, math.inf)
        for gate in self.survey.reach_graph.gates[name]:
            guard = self.survey.asked.read(place, gate)
            mine = [one for one in gate.sources if self._counts(one)]
            if guard.openness > self.level or not (mine or gate.reads):
                continue
            reads, read = ("reads", name, gate.tool.id), ("read", name, gate.tool.id)
            self._edge(reads, read, 0, Repair(RepairKind.DROP, name, gate.tool.id))
            self._edge(read, place, math.inf)
            for source in mine:
                self._source(source, reads)
            for shelf in gate.reads:
                self._edge(shelf, reads, math.inf)
                yield shelf
        for other in (place - 1, place + 1):
            if 0 <= other < len(self.survey.reach_graph.runners):
                beside = self.survey.reach_graph.runners[other]
                if beside.task_type is runner.task_type:
                    self._edge(other, place, 0, Repair(RepairKind.HAND_DOWN, name))
                    yield other

    def _source(self, source: DataSource, reads: Spot) -> None:
        whole = self.survey.whole(source)
        spot = ("source", source.tool, "" if whole else source.field)
        if self.cuts == "untrusted" and source.described:
            detail = () if whole else (source.field,)
            self._edge("in", spot, 0, Repair(RepairKind.TRUST, "", source.tool, detail))
        else:
            self._edge("in", spot, math.inf)
        self._edge(spot, reads, math.inf)

    def _into_store(self, shelf: SharedStore) -> Iterable[int]:
        for place, gate in self.survey.writers.get(shelf, ()):
            runner = self.survey.reach_graph.runners[place]
            if self.survey.writing(place, gate) > self.level:
                continue
            name = runner.task_type.name
            kind = RepairKind.APPROVE if self.level is Openness.OPEN else RepairKind.DROP
            writes, wrote = ("writes", name, gate.tool.id), ("wrote", name, gate.tool.id)
            self._edge(place, writes, math.inf)
            self._edge(writes, wrote, 0, Repair(kind, name, gate.tool.id))
            self._edge(wrote, shelf, math.inf)
            yield place

    def _counts(self, source: DataSource) -> bool:
        if self.cuts == "untrusted":
            return source.label.trust is Trust.UNTRUSTED
        return self.survey.private(source.label)

    def _edge(self, one: Spot, other: Spot, cost: float, repair: Repair | None = None) -> None:
        if repair is not None:
            self.repairs[one, other] = repair
            cost = repair.cost
        if math.isinf(cost):
            self.graph.add_edge(one, other)  # no capacity: cannot be cut
        else:
            self.graph.add_edge(one, other, cost=cost)
