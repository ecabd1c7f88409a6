# SPDX-License-Identifier: Apache-2.0
"""The search for escalation paths: the shortest sequence of steps from an identity to rights that it lacks.

A provider says which steps each node permits. A node is an identity, a set of rights, or a choice ("any
service account of `ops`"), which the search replaces by its most powerful member.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from remit.core.discovery.discovered import MOST_PLACES, Discovered, FilePlace
from remit.core.discovery.privileges.values import quoted
from remit.core.findings.kinds import FindingKind, Severity

#: Most nodes and steps that one search looks at; a larger export is searched in part, in a fixed order.
MOST_NODES: Final = 20_000
MOST_STEPS: Final = 200_000
MOST_OF_NODE: Final = 500
#: Most members of a choice that are compared with the identity that chooses.
MOST_MEMBERS: Final = 200
#: In a sentence, the place of the name of what the next step chooses.
CHOSEN: Final = "{chosen}"
_LEVELS: Final = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM)


class PathStep(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One step from a node to another.

    `says` begins with a verb ("run a pod as CHOSEN"); `by` names the binding that permits it. `unknown` is
    what the export does not tell and the step depends on; empty for a certain step. A step that is not `own`
    rests on what a group or a built-in binding gives, and begins no path. `choice` is the step from a choice
    to its member, which takes no sentence.
    """

    technique: str
    target: str
    says: str = ""
    by: str = ""
    remediation: str = ""
    unknown: str = ""
    places: tuple[FilePlace, ...] = ()
    own: bool = True
    choice: bool = False


class StepPath(msgspec.Struct, frozen=True, kw_only=True):
    """A path from an identity by one technique to the most severe thing that it leads to."""

    start: str
    steps: tuple[PathStep, ...]
    severity: Severity

    @property
    def technique(self) -> str:
        """The technique of its first step."""
        return self.steps[0].technique

    @property
    def unknown(self) -> tuple[str, ...]:
        """What the export does not tell and the path depends on."""
        return tuple(dict.fromkeys(step.unknown for step in self.steps if step.unknown))

    @property
    def target(self) -> str:
        """The node at its end."""
        return self.steps[-1].target


_Cost = tuple[int, int]


class StepSearch:
    """Finds the paths of a set of identities. `weights` are the nodes that are worth reaching.

    `gains` says whether a target that has no weight has rights that the start lacks, `holds` whether a start
    has all of a target that has a weight. A search that met its bounds is not `complete`.
    """

    def __init__(
        self,
        starts: Iterable[str],
        steps_of: Callable[[str], Sequence[PathStep]],
        weights: Mapping[str, Severity],
        gains: Callable[[str, str], bool],
        holds: Callable[[str, str], bool] = lambda start, target: False,
    ) -> None:
        self._starts = sorted(set(starts))
        self._weights, self._gains, self._holds = weights, gains, holds
        self._steps, self.complete = _explored(self._starts, steps_of, weights)
        self._ways = {level: self._toward(level) for level in _LEVELS}

    def paths(self) -> list[StepPath]:
        """Return for each start and each technique of its first step the best path, in a fixed order."""
        found: list[StepPath] = []
        for start in self._starts:
            best: dict[str, tuple[tuple[int, int, int, tuple[PathStep, ...]], StepPath]] = {}
            for step in self._steps.get(start, ()):
                path = self._path(start, step) if step.own else None
                if path is None:
                    continue
                rank = (path.severity.rank, len(path.unknown), len(path.steps), path.steps)
                if step.technique not in best or rank < best[step.technique][0]:
                    best[step.technique] = (rank, path)
            found += _worth_saying([best[technique][1] for technique in sorted(best)])
        return found

    def reaches(self, start: str, level: Severity) -> bool:
        """Return whether a node of this level can be reached from a start by certain steps."""
        cost = self._ways[level].get(start)
        return cost is not None and cost[0][0] == 0

    def _path(self, start: str, step: PathStep) -> StepPath | None:
        for level in _LEVELS:
            steps = self._followed(start, step, level)
            if steps is not None and not self._holds(start, steps[-1].target):
                return StepPath(start=start, steps=steps, severity=_eased(level, steps))
        for steps in self._members(step):
            if self._gains(start, steps[-1].target):
                return StepPath(start=start, steps=steps, severity=_eased(Severity.MEDIUM, steps))
        return None

    def _members(self, step: PathStep) -> list[tuple[PathStep, ...]]:
        if step.target in self._weights:
            return []
        every = [s for s in self._steps.get(step.target, ()) if s.choice]
        self.complete = self.complete and len(every) <= MOST_MEMBERS
        chosen = every[:MOST_MEMBERS]
        return [(step, member) for member in chosen] or [(step,)]

    def _followed(self, start: str, step: PathStep, level: Severity) -> tuple[PathStep, ...] | None:
        ways = self._ways[level]
        steps, node = [step], step.target
        while True:
            if node == start or node not in ways:
                return None
            further = ways[node][1]
            if further is None:
                return tuple(steps)
            steps.append(further)
            node = further.target

    def _toward(self, level: Severity) -> dict[str, tuple[_Cost, PathStep | None]]:
        """Return for each node its cost to a node of the level and the next step (Dijkstra, backwards)."""
        into: dict[str, list[tuple[str, PathStep]]] = {}
        for node in sorted(self._steps):
            for step in self._steps[node]:
                into.setdefault(step.target, []).append((node, step))
        ways: dict[str, tuple[_Cost, PathStep | None]] = {}
        heap: list[tuple[_Cost, str]] = []
        for node, weight in sorted(self._weights.items()):
            if weight is level:
                ways[node] = ((0, 0), None)
                heapq.heappush(heap, ((0, 0), node))
        done: set[str] = set()
        while heap:
            cost, node = heapq.heappop(heap)
            if node in done:
                continue
            done.add(node)
            for origin, step in into.get(node, ()):
                further = (cost[0] + bool(step.unknown), cost[1] + 1)
                if origin not in done and (origin not in ways or further < ways[origin][0]):
                    ways[origin] = (further, step)
                    heapq.heappush(heap, (further, origin))
        return ways


def _worth_saying(paths: list[StepPath]) -> list[StepPath]:
    """Return the paths of a start without uncertain ones to what a certain one reaches."""
    certain = {path.target for path in paths if not path.unknown}
    return [path for path in paths if not path.unknown or path.target not in certain]


def _kept(steps: list[PathStep], weights: Mapping[str, Severity]) -> list[PathStep]:
    """Return the steps of a node to what is worth reaching, and at most `MOST_OF_NODE` others."""
    if len(steps) <= MOST_OF_NODE or any(step.choice for step in steps):
        return steps
    others = [step for step in steps if step.target not in weights]
    return sorted([step for step in steps if step.target in weights] + others[:MOST_OF_NODE])


def _explored(
    starts: list[str], steps_of: Callable[[str], Sequence[PathStep]], weights: Mapping[str, Severity]
) -> tuple[dict[str, list[PathStep]], bool]:
    """Return the steps of each node that can be reached, and whether these are all."""
    steps: dict[str, list[PathStep]] = {}
    waiting, total, complete = list(reversed(starts)), 0, True
    seen = set(starts)
    while waiting and len(steps) < MOST_NODES and total < MOST_STEPS:
        node = waiting.pop()
        every = sorted(step for step in set(steps_of(node)) if step.target != node)
        steps[node] = _kept(every, weights)
        complete = complete and len(steps[node]) == len(every)
        total += len(steps[node])
        for step in reversed(steps[node]):
            if step.target not in seen:
                seen.add(step.target)
                waiting.append(step.target)
    return steps, complete and not waiting


def _eased(level: Severity, steps: Sequence[PathStep]) -> Severity:
    """Return a severity, one lower where the export does not tell whether the path holds."""
    levels = list(Severity)
    return levels[min(level.rank + any(s.unknown for s in steps), len(levels) - 1)]


def path_finding(
    path: StepPath,
    *,
    about: str,
    name_of: Callable[[str], str],
    reach: Sequence[str] = (),
    which: str = "",
) -> Discovered:
    """Return the finding of a path. `name_of` gives the name of a node for people, without backticks.

    `which` distinguishes paths of one identity by the same technique.
    """
    sentences: list[str] = []
    node = path.start
    for position, step in enumerate(path.steps):
        if step.choice:
            continue
        after = path.steps[position + 1] if position + 1 < len(path.steps) else None
        target = after.target if after is not None and after.choice else step.target
        sentence = f"{quoted(name_of(node))} can {step.says.replace(CHOSEN, quoted(name_of(target)))}"
        sentence += f": {step.by}" if step.by else ""
        open_ = [s.unknown for s in (step, after) if s is not None and s.unknown and (s is step or s.choice)]
        sentence += f" (if {' and '.join(open_)})" if open_ else ""
        sentences.append(f"{sentence}.")
        node = target
    first, end = path.steps[0], quoted(name_of(node))
    may = "may be able to" if path.unknown else "can"
    places = tuple(dict.fromkeys(place for step in path.steps for place in step.places))
    return Discovered(
        kind=FindingKind.ESCALATION_PATH,
        about=about,
        which=f"{path.technique} {which}".strip(),
        says=f"{quoted(name_of(path.start))} {may} reach {end} in {len(sentences)} "
        f"{'step' if len(sentences) == 1 else 'steps'}, first by {path.technique.replace('-', ' ')}.",
        places=places[:MOST_PLACES],
        severity=path.severity,
        evidence={
            "technique": path.technique,
            "techniques": [step.technique for step in path.steps if not step.choice],
            "target": name_of(node),
            "certain": not path.unknown,
            "unknown": list(path.unknown),
        },
        steps=tuple(sentences),
        reach=(end, *reach),
        remediation=first.remediation,
    )
