# SPDX-License-Identifier: Apache-2.0
"""The requested part of a survey, and its report."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cached_property

import msgspec

from remit.cli.exit_codes import UsageFault
from remit.core.json_value import Json
from remit.core.label import Label
from remit.core.policy.bundle import Bundle
from remit.core.policy.reach import (
    CredentialUse,
    Handover,
    Inflow,
    Openness,
    PathKind,
    ReachPath,
    ReachSurvey,
    StepKind,
    ToxicTask,
)
from remit.core.policy.reach.remediation import Remedy, remedies

TALLIED = ("toxic combinations", "other paths")
"""The counted things, in the order of `ReachReport.standings`."""


def stands(openness: Openness, count: int) -> str:
    """Return the words for how open `count` paths are."""
    return "ask an approver" if openness is Openness.ASKED and count != 1 else openness.word


class ReachChoice(msgspec.Struct, frozen=True):
    """Which paths are wanted; an empty field does not narrow.

    `origin` is a tool, an upstream, a zone, a data class or category, `untrusted`, or the task type or agent
    whose work the path passes through. `goal` is a tool, an upstream, a credential, an audience, an effect, a
    task type or an agent. `task` is a task type, `kind` a `PathKind`. `opened` gives the upstreams of each
    credential.
    """

    origin: str = ""
    goal: str = ""
    task: str = ""
    kind: str = ""
    opened: dict[str, tuple[str, ...]] = {}

    @property
    def narrows(self) -> bool:
        """Whether the choice narrows the paths."""
        return bool(self.origin or self.goal or self.task)

    def check(self, survey: ReachSurvey, bundle: Bundle) -> None:
        """Refuse a word that the bundle does not know; raises `UsageFault`."""
        if self.task and self.task not in bundle.task_types:
            raise _unknown(self.task, bundle.task_types, "task type", "`remit task types` lists them")
        places = {"external", "internal", "self", "none", "reversible", "irreversible"}
        data = {"untrusted", "trusted", *bundle.classes.order}
        for gates in survey.reach_graph.gates.values():
            for gate in gates:
                names = (gate.tool.id, gate.tool.upstream)
                places.update(names, (outlet.tool.audience.name for outlet in gate.outlets))
                data.update(names, *(_words(source.label) for source in gate.sources))
        people = {
            name for one in survey.reach_graph.runners for name in (one.task_type.name, one.name, *one.agents)
        }
        places.update(self.opened)
        for word, known in ((self.origin, data | people), (self.goal, places | people)):
            if word and word not in known:
                raise _unknown(
                    word, known, "place", "name a tool, an upstream, a task type, an agent or a label"
                )

    def takes(self, path: ReachPath) -> bool:
        """Return whether a path is wanted."""
        tool = path.outlet.tool
        runner = path.runner
        goals = (
            tool.id,
            tool.upstream,
            tool.audience.name,
            tool.effect.value,
            runner.name,
            runner.task_type.name,
            *runner.agents,
        )
        return (
            (not self.kind or self.kind == path.kind.value)
            and (not self.task or self.task == runner.task_type.name)
            and (not self.goal or self.goal in goals or tool.upstream in self.opened.get(self.goal, ()))
            and (not self.origin or self.origin in _origins(path))
        )


def _unknown(word: str, known: Iterable[str], what: str, remediation: str) -> UsageFault:
    close = get_close_matches(word, sorted(known), n=1)
    hint = f"did you mean `{close[0]}`?" if close else remediation
    return UsageFault(f"`{word[:80]}` is not a {what} of this policy bundle", remediation=hint)


def _words(label: Label) -> set[str]:
    return {label.data_class, label.trust.value, *label.categories, *label.zones}


def _origins(path: ReachPath) -> set[str]:
    found: set[str] = set()
    for source in path.sources:
        tool = source.partition(" ")[0]
        found.update((tool, tool.partition("/")[0]))
    for inflow in (path.inflow, *([path.private] if path.private else [])):
        found.update((inflow.source.tool, inflow.source.tool.partition("/")[0]), _words(inflow.label))
        for step in inflow.route:
            if step.kind is StepKind.TASK:
                found.update((step.name, *step.agents))
    return found


class ReachReport:
    """The report of a survey: toxic combinations with what breaks them, other paths, and handovers."""

    def __init__(self, survey: ReachSurvey, choice: ReachChoice) -> None:
        """Keep a survey and the choice of paths."""
        self.survey = survey
        self.choice = choice

    @cached_property
    def paths(self) -> tuple[ReachPath, ...]:
        """All wanted paths."""
        return tuple(path for path in self.survey.paths if self.choice.takes(path))

    @cached_property
    def toxic(self) -> tuple[tuple[ToxicTask, tuple[ReachPath, ...], tuple[Remedy, ...]], ...]:
        """The toxic task types, their wanted paths, and the changes that break them."""
        found = []
        for one in self.survey.toxic:
            kept = tuple(path for path in one.paths if self.choice.takes(path))
            if kept:
                found.append((one, kept, remedies(self.survey, one)))
        return tuple(found)

    @property
    def handovers(self) -> Iterable[Handover]:
        """The handovers from one agent's work to another's in which the wanted task type takes part."""
        wanted = self.choice.task
        for one in self.survey.handovers:
            names = {name.removesuffix(" (delegated)") for name, _ in (*one.writers, *one.readers)}
            if not wanted or wanted in names:
                yield one

    @property
    def credentials(self) -> Iterable[CredentialUse]:
        """The credentials of upstreams that calls of the wanted task type carry."""
        for use in self.survey.credentials:
            wanted = tuple(one for one in use.holders if self.choice.task in ("", one.runner.task_type.name))
            if wanted or not self.choice.task:
                yield msgspec.structs.replace(use, holders=wanted)

    def count(self, kind: PathKind, openness: Openness) -> int:
        """Count paths: one for each source, task type and outlet."""
        return sum(
            len(path.sources) for path in self.paths if path.kind is kind and path.guard.openness is openness
        )

    @cached_property
    def standings(self) -> tuple[dict[Openness, int], dict[Openness, int]]:
        """Count by openness: the task types with a toxic combination, and all other paths."""
        toxic = dict.fromkeys(Openness, 0)
        for one, _, _ in self.toxic:
            toxic[one.openness] += 1
        kinds = [kind for kind in PathKind if kind is not PathKind.TOXIC]
        return toxic, {one: sum(self.count(kind, one) for kind in kinds) for one in Openness}

    def tally(self, most: Openness = Openness.REFUSED) -> str:
        """Return a line that counts the combinations and other paths at least as open as `most`."""
        words = []
        for counts, many in zip(self.standings, TALLIED, strict=True):
            wanted = {one: count for one, count in counts.items() if count and one <= most}
            if total := sum(wanted.values()):
                how = ", ".join(f"{count} {stands(one, count)}" for one, count in wanted.items())
                words.append(f"{total} {many.removesuffix('s') if total == 1 else many} ({how})")
        return ", ".join(words) or "no paths"

    def worst(self) -> Openness | None:
        """Return the openness of the most open path; None without paths."""
        return min((path.guard.openness for path in self.paths), default=None)

    def wire(self) -> Json:
        """Return the whole report as JSON."""
        return {
            "counts": {
                kind.value: {one.word: self.count(kind, one) for one in Openness} for kind in PathKind
            },
            "toxic": [_toxic(*one) for one in self.toxic],
            "paths": [path_wire(path) for path in self.paths if path.kind is not PathKind.TOXIC],
            "handovers": [
                {
                    "via": one.via,
                    "handed_down": one.handed_down,
                    "from": [{"task": task, "agent": agent} for task, agent in one.writers],
                    "to": [{"task": task, "agent": agent} for task, agent in one.readers],
                }
                for one in self.handovers
            ],
            "credentials": [_credential(use) for use in self.credentials],
        }


def _credential(use: CredentialUse) -> Json:
    return {
        "name": use.credential.name,
        "lifetime": use.credential.lifetime.value,
        "upstreams": list(use.upstreams),
        "carried_by": [
            {
                "task": one.runner.task_type.name,
                "handed_down": one.runner.handed,
                "agents": list(one.runner.agents),
                "tools": list(one.tools),
                "beside_untrusted": one.untrusted,
            }
            for one in use.holders
        ],
    }


def _toxic(one: ToxicTask, paths: Iterable[ReachPath], broken_by: Iterable[Remedy]) -> Json:
    return {
        "task": one.runner.task_type.name,
        "handed_down": one.runner.handed,
        "agents": list(one.runner.agents),
        "standing": one.openness.word,
        "across_agents": one.crosses,
        "untrusted": [inflow_wire(inflow) for inflow in one.untrusted],
        "private": [inflow_wire(inflow) for inflow in one.private],
        "ways_out": [path_wire(path) for path in paths],
        "undescribed": list(one.undescribed),
        "broken_by": [
            {
                "keeps_out": remedy.cuts,
                "cost": remedy.cost,
                "smallest": remedy.exact,
                "changes": [
                    {
                        "kind": repair.kind.value,
                        "task": repair.task_type,
                        "tool": repair.tool,
                        "names": list(repair.detail),
                        "text": repair.text,
                        "rule": repair.rule,
                    }
                    for repair in remedy.repairs
                ],
            }
            for remedy in broken_by
        ],
    }


def label_wire(label: Label) -> Json:
    """Return a label in its wire form."""
    return {
        "class": label.data_class,
        "categories": sorted(label.categories),
        "trust": label.trust.value,
        "zones": sorted(label.zones),
    }


def inflow_wire(inflow: Inflow) -> Json:
    """Return incoming data, with its route, in its wire form."""
    return {
        "source": inflow.source.name,
        "label": label_wire(inflow.label),
        "described": inflow.source.described,
        "route": [{"kind": step.kind.value, "name": step.name} for step in inflow.route],
    }


def path_wire(path: ReachPath) -> Json:
    """Return a path in its wire form."""
    tool = path.outlet.tool
    return {
        "kind": path.kind.value,
        "sources": [path.inflow.source.name] if path.kind is PathKind.TOXIC else list(path.sources),
        "task": path.runner.task_type.name,
        "handed_down": path.runner.handed,
        "agents": list(path.runner.agents),
        "tool": tool.id,
        "effect": tool.effect.value,
        "audience": tool.audience.name,
        "described": tool.described,
        "standing": path.guard.openness.word,
        "rules": list(path.guard.rules),
        "destination": path.outlet.pinned,
        "route": inflow_wire(path.inflow)["route"],
        **({"private": inflow_wire(path.private)} if path.private else {}),
    }
