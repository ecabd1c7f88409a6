# SPDX-License-Identifier: Apache-2.0
"""The survey of a bundle: every path, the combinations at each task type, and the agents that reach each
other.

Paths are counted by source, task type and outlet, with one route for each, the most open and then the
shortest. The number of all routes grows exponentially and would add no information.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from types import MappingProxyType

from remit.core.label import Label
from remit.core.policy.bundle import Bundle
from remit.core.policy.reach.credential import CredentialSources, CredentialUse, joined, uses
from remit.core.policy.reach.graph import ReachGraph, SharedStore, ToolGate, reach_graph
from remit.core.policy.reach.model import (
    GRANT,
    DataSource,
    Guard,
    Handover,
    Inflow,
    Judge,
    Openness,
    Outlet,
    PathKind,
    ReachPath,
    Runner,
    is_private,
)
from remit.core.policy.reach.propagation import Propagation
from remit.core.policy.reach.queries import ReachQuery


class ToxicTask:
    """A task type in which private data and untrusted content meet, and which has an outlet.

    `paths` has one path for each outlet, the most open first. `untrusted` and `private` are all inflows.
    """

    def __init__(
        self,
        place: int,
        runner: Runner,
        untrusted: list[Inflow],
        private: list[Inflow],
        paths: list[ReachPath],
    ) -> None:
        """Take the runner and its place in the terrain."""
        self.place = place
        self.runner = runner
        self.untrusted = tuple(untrusted)
        self.private = tuple(private)
        self.paths = tuple(sorted(paths, key=lambda one: (one.guard.openness, one.outlet.tool.id)))

    @property
    def openness(self) -> Openness:
        """The openness of the most open path."""
        return self.paths[0].guard.openness

    @property
    def crosses(self) -> bool:
        """Whether the combination arises only across a hand-down or a store."""
        return not any(one.direct for one in self.untrusted) or not any(one.direct for one in self.private)

    @property
    def undescribed(self) -> tuple[str, ...]:
        """The tools that count as the worst case only because no file describes them."""
        sources = (one.source.tool for one in (*self.untrusted, *self.private) if not one.source.described)
        outlets = (path.outlet.tool.id for path in self.paths if not path.outlet.tool.described)
        return tuple(sorted({*sources, *outlets}))


class ReachSurvey:
    """Everything that the bundle permits, computed before any call."""

    def __init__(
        self,
        bundle: Bundle,
        judge: Judge,
        *,
        observed: frozenset[str] = frozenset(),
        credentials: CredentialSources = MappingProxyType({}),
    ) -> None:
        """Survey a bundle; `judge` applies the policies to a call without known arguments.

        `observed` names the upstreams where grants refuse nothing either; `credentials` maps upstreams to
        their credentials.
        """
        self._credentials = credentials
        self.reach_graph: ReachGraph = reach_graph(bundle, observed, joined(credentials))
        self.asked = ReachQuery(self.reach_graph, judge)
        self.spread = Propagation(self.reach_graph, self.asked)
        self._writing: dict[tuple[int, int], Openness] = {}

    def writing(self, place: int, gate: ToolGate) -> Openness:
        """Return the best openness of changing something with a granted tool, after any inflow of the task
        type.
        """
        # Gates live as long as the terrain, so their addresses serve as keys.
        known = self._writing.get((place, id(gate)))
        if known is None:
            labels = {self.asked.numbers.of(one.label) for one in self.spread.inflows[place]}
            opens = (self.asked.write(place, gate, label).openness for label in labels)
            known = self._writing[place, id(gate)] = min(opens, default=Openness.REFUSED)
        return known

    @cached_property
    def toxic(self) -> tuple[ToxicTask, ...]:
        """The task types with the toxic combination, the most open first."""
        found = []
        for place, runner in enumerate(self.reach_graph.runners):
            outlets = [outlet for outlet in self._outlets(runner) if outlet.outward]
            pairs = self._pairs(place) if outlets else []
            if not pairs:
                continue
            paths = [self._most_open(place, outlet, pairs) for outlet in outlets]
            arriving = [*self._read(place), *self._from_others(place)]
            untrusted = [one for one in arriving if one.untrusted]
            private = [one for one in arriving if self.private(one.label)]
            found.append(ToxicTask(place, runner, untrusted, private, paths))
        return tuple(sorted(found, key=lambda one: (one.openness, one.runner.name)))

    @cached_property
    def paths(self) -> tuple[ReachPath, ...]:
        """Every path: the toxic ones, untrusted content to effects, private data to audiences that may not
        learn it.
        """
        toxic = (path for one in self.toxic for path in one.paths)
        return (*toxic, *self._single())

    @cached_property
    def credentials(self) -> tuple[CredentialUse, ...]:
        """The credentials of upstreams, and the task types whose calls carry them."""
        tainted = (any(one.untrusted for one in arriving) for arriving in self.spread.inflows)
        return uses(self._credentials, self.reach_graph, tainted)

    def _single(self) -> Iterator[ReachPath]:
        numbers = self.asked.numbers
        for place, runner in enumerate(self.reach_graph.runners):
            outlets = self._outlets(runner)
            arriving = self._alike(place) if outlets else []
            for outlet in outlets:
                effect = outlet.outward or outlet.irreversible
                for inflow, names in arriving:
                    label = numbers.of(inflow.label)
                    if effect and numbers.untrusted[label]:
                        # With a pinned destination no outsider is reached, but an irreversible effect happens
                        # all the same.
                        pinned = outlet.outward and not outlet.irreversible
                        guard = self._guard(place, outlet, label, (inflow,), pinned=pinned)
                        yield ReachPath(PathKind.EFFECT, inflow, runner, outlet, guard, None, names)
                    if numbers.private[label] and self._kept_from(outlet, inflow.label):
                        guard = self._guard(place, outlet, label, (inflow,), pinned=outlet.outward)
                        yield ReachPath(PathKind.DISCLOSURE, inflow, runner, outlet, guard, None, names)

    @cached_property
    def writers(self) -> dict[SharedStore, list[tuple[int, ToolGate]]]:
        """The runners that may write each store, by their place in the terrain, with the tool."""
        out: dict[SharedStore, list[tuple[int, ToolGate]]] = {}
        for place, runner in enumerate(self.reach_graph.runners):
            for gate in self.reach_graph.gates[runner.task_type.name]:
                for shelf in gate.writes:
                    out.setdefault(shelf, []).append((place, gate))
        return out

    def whole(self, source: DataSource) -> bool:
        """Return whether a source is untrusted because the whole tool is, rather than because of one
        field.
        """
        return self.reach_graph.untrusted_tools.get(source.tool, True)

    @cached_property
    def handovers(self) -> tuple[Handover, ...]:
        """The points where the work of one agent reaches another's."""
        readers: dict[SharedStore, set[tuple[str, str]]] = {}
        out = []
        for runner in self.reach_graph.runners:
            if runner.handed:
                name = runner.task_type.name
                before = tuple((name, one) for one in runner.task_type.run_by)
                after = tuple((runner.name, one) for one in runner.agents)
                out.append(Handover(f"`delegates` of {name}", before, after, handed_down=True))
            for gate in self.reach_graph.gates[runner.task_type.name]:
                mine = {(runner.name, agent) for agent in runner.agents}
                for shelf in gate.reads:
                    readers.setdefault(shelf, set()).update(mine)
        for shelf in self.reach_graph.shelves:
            into = {
                (self.reach_graph.runners[place].name, agent)
                for place, _ in self.writers.get(shelf, ())
                for agent in self.reach_graph.runners[place].agents
            }
            from_ = readers.get(shelf, set())
            if into and from_ and (len(into | from_) > 1):
                out.append(Handover(shelf.name, tuple(sorted(into)), tuple(sorted(from_))))
        return tuple(out)

    def _read(self, place: int) -> list[Inflow]:
        """Return the data that a task type reads itself, without receipts that add nothing new.

        A receipt is new beside data that is less openly read: it is the more open way to its label.
        """
        numbers = self.asked.numbers
        direct = self.spread.direct[place]
        read = {(numbers.of(one.label), one.openness) for one in direct if not one.source.receipt}
        return [
            one
            for one in direct
            if not one.source.receipt
            or not any(
                openness <= one.openness and numbers.join(numbers.of(one.label), other) == other
                for other, openness in read
            )
        ]

    def _alike(self, place: int) -> list[tuple[Inflow, tuple[str, ...]]]:
        """Return the inflows, merged: sources of one label, read under one rule, are alike."""
        groups: dict[tuple[Label, Openness, tuple[str, ...]], list[Inflow]] = {}
        for one in self._read(place):
            groups.setdefault((one.label, one.openness, one.rules), []).append(one)
        alike = [(each[0], tuple(one.source.name for one in each)) for each in groups.values()]
        alike += [(one, (f"{one.source.name} (passed on)",)) for one in self._from_others(place)]
        return alike

    def _from_others(self, place: int) -> list[Inflow]:
        return [one for one in self.spread.inflows[place] if not one.direct]

    def _outlets(self, runner: Runner) -> list[Outlet]:
        return [outlet for gate in self.reach_graph.gates[runner.task_type.name] for outlet in gate.outlets]

    def _pairs(self, place: int) -> list[tuple[Inflow, Inflow, int]]:
        """Return pairs of untrusted content and private data with their joint label.

        The less guarded pairs come first, then the more private.
        """
        numbers, rank = self.asked.numbers, self.reach_graph.classes.rank
        by_label = [(one, numbers.of(one.label)) for one in self.spread.inflows[place]]
        pairs = [
            (one, other, numbers.join(mine, its))
            for one, mine in by_label
            if numbers.untrusted[mine]
            for other, its in by_label
            if numbers.private[its]
        ]
        return sorted(
            pairs,
            key=lambda pair: (
                max(pair[0].openness, pair[1].openness),
                -rank(pair[1].label.data_class),
                len(pair[0].route) + len(pair[1].route),
            ),
        )

    def _most_open(self, place: int, outlet: Outlet, pairs: list[tuple[Inflow, Inflow, int]]) -> ReachPath:
        best: ReachPath | None = None
        for untrusted, private, label in pairs:
            if best is not None and best.guard.openness <= max(untrusted.openness, private.openness):
                break
            guard = self._guard(place, outlet, label, (untrusted, private), pinned=True)
            if best is None or guard.openness < best.guard.openness:
                runner = self.reach_graph.runners[place]
                best = ReachPath(PathKind.TOXIC, untrusted, runner, outlet, guard, private, ("",))
        assert best is not None
        return best

    def _guard(
        self, place: int, outlet: Outlet, label: int, inflows: tuple[Inflow, ...], *, pinned: bool
    ) -> Guard:
        """Return the openness of a whole path. With `pinned`, a pinned destination is not a way to the
        outside.
        """
        last = self.asked.outlet(place, outlet, label)
        if pinned and outlet.pinned:
            more = last.rules if last.openness is Openness.REFUSED else ()
            return Guard(Openness.REFUSED, (GRANT, *more))
        openness = max(last.openness, *(one.openness for one in inflows))
        if openness is Openness.OPEN:
            return last
        each = [(one.openness, one.rules) for one in inflows] + [(last.openness, last.rules)]
        rules = [rule for one, rules in each if one is openness for rule in rules]
        return Guard(openness, tuple(dict.fromkeys(rules)))

    def private(self, label: Label) -> bool:
        """Return whether data with this label is restricted to some people."""
        return is_private(label, self.reach_graph.classes)

    def _kept_from(self, outlet: Outlet, label: Label) -> bool:
        """Return whether an outlet's audience may not learn data with this label."""
        cleared = self.reach_graph.classes.cleared(outlet.tool.audience, label)
        return not cleared or ("secret" in label.categories and outlet.tool.audience.name != "self")
