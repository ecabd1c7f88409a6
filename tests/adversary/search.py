# SPDX-License-Identifier: Apache-2.0
"""The search: draws compositions, has them decided, and goes on from those that went a new way through the
rules.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any, Final

import msgspec

from tests.adversary.consumers.reached import astray
from tests.adversary.genome import Genome, changed, drawn
from tests.adversary.scene import Flavour, Scene
from tests.adversary.scenes import SCENES
from tests.adversary.shrink import smaller
from tests.adversary.stage import RAISED, Opened, Stage, Verdict
from tests.adversary.stories import STORIES, Story

Json = Any

BATCH: Final = 16
MAX_KEPT: Final = 200
"""Compositions of a scene from which the search goes on."""
MAX_SHRUNK: Final = 8
"""Ways through a scene that are made small, the shortest ones, where nothing else is said."""


class Case(msgspec.Struct, frozen=True):
    """An attack that passed, as small as it could be made: a scenario to be written down."""

    scene: str
    family: str
    flavour: str
    recipe: tuple[str, ...]
    intent: str
    parameters: dict[str, Json]
    reads: tuple[Json, ...]
    tool: str
    arguments: dict[str, Json]
    reaches: tuple[str, ...]
    facts: dict[str, Json]
    #: How often its way (scene and recipe) was found.
    times: int = 1

    def __str__(self) -> str:
        """Say it as a ready scenario."""
        given = f", parameters {_short(self.parameters)}" if self.parameters else ""
        reads = "\n".join(f"  reads    {_short(one)}" for one in self.reads)
        return (
            f"{self.scene} ({self.flavour}), {self.times} times, by {', '.join(self.recipe) or 'itself'}\n"
            f"  person   {self.intent}{given}\n{reads}\n"
            f"  call     {self.tool} {_short(self.arguments)}\n"
            f"  reaches  {_short(self.reaches)}\n"
            f"  judged   {_short(self.facts)}"
        )


class Tally(msgspec.Struct):
    """What a search came to."""

    tried: Counter[str] = msgspec.field(default_factory=Counter)
    passed: Counter[str] = msgspec.field(default_factory=Counter)
    cases: list[Case] = msgspec.field(default_factory=list)
    #: What passed in the fast way and not through all nine steps: a fault of the search itself.
    disagreed: list[str] = msgspec.field(default_factory=list)
    #: On what remit failed, by scene and exception: one example of each.
    raised: dict[str, str] = msgspec.field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Take in what another search came to; of cases with the same way the smaller stays."""
        self.tried.update(other.tried)
        self.passed.update(other.passed)
        self.disagreed += other.disagreed
        self.raised = {**other.raised, **self.raised}
        best = {(one.scene, one.recipe): one for one in self.cases}
        for case in other.cases:
            known = best.get(key := (case.scene, case.recipe))
            if known is None or len(_short(case.arguments)) < len(_short(known.arguments)):
                best[key] = case
            times = case.times + (known.times if known else 0)
            best[key] = msgspec.structs.replace(best[key], times=times)
        self.cases = sorted(best.values(), key=lambda one: (one.scene, -one.times, one.recipe))


class Search:
    """One search over scenes, in one process. The same seed finds the same."""

    def __init__(
        self,
        stage: Stage,
        seed: str,
        flavours: Sequence[Flavour] = tuple(Flavour),
        *,
        most_shrunk: int = MAX_SHRUNK,
    ) -> None:
        """Play all scenes in the wanted flavours up to the call."""
        self._most_shrunk = most_shrunk
        self._stage = stage
        self._rng = Random(seed)
        self._opened = [
            stage.open(scene, flavour)
            for scene in SCENES
            for flavour in flavours
            if flavour in scene.flavours
        ]
        self._kept: dict[str, list[Genome]] = {}
        self._ways: set[Json] = set()
        self._found: dict[tuple[str, tuple[str, ...]], list[tuple[Opened, Genome]]] = {}
        self.tally = Tally()

    def run(self, tries: int) -> Tally:
        """Try so many candidates, and make small what passed."""
        done = 0
        while done < tries:
            drawn = [(opened, self._next(opened.scene)) for opened in self._opened for _ in range(BATCH)][
                : tries - done
            ]
            self._take(drawn)
            done += len(drawn)
        self._make_small()
        return self.tally

    def _next(self, scene: Scene) -> Genome:
        kept = self._kept.get(scene.name, ())
        if kept and self._rng.random() < 0.5:
            return changed(self._rng, scene, self._rng.choice(kept))
        return drawn(self._rng, scene)

    def _take(self, drawn: list[tuple[Opened, Genome]]) -> None:
        values = [(opened, genome.value()) for opened, genome in drawn]
        for (opened, genome), (_, value), verdict in zip(
            drawn, values, self._stage.judge([one.call(value) for one, value in values]), strict=True
        ):
            scene = opened.scene
            self.tally.tried[scene.family] += 1
            if verdict.outcome == RAISED:
                self.tally.raised.setdefault(f"{scene.name}: {verdict.rules[0]}", _short(value))
            wrong = astray(scene, value) if verdict.permitted else frozenset()
            self._learn(scene, genome, verdict, wrong=bool(wrong))
            if wrong:
                self.tally.passed[scene.family] += 1
                self._found.setdefault((scene.name, genome.recipe), []).append((opened, genome))

    def _learn(self, scene: Scene, genome: Genome, verdict: Verdict, *, wrong: bool) -> None:
        """Keep a composition that went another way than all before it."""
        way = (scene.name, verdict.novelty, wrong)
        if way not in self._ways:
            self._ways.add(way)
            kept = self._kept.setdefault(scene.name, [])
            if len(kept) < MAX_KEPT:
                kept.append(genome)

    def _make_small(self) -> None:
        """Make the shortest finds of each scene small, and play each again as a whole."""
        of_scene: dict[str, list[tuple[str, ...]]] = {}
        for name, recipe in sorted(self._found, key=lambda one: (len(one[1]), one)):
            of_scene.setdefault(name, []).append(recipe)
        for name, recipes in of_scene.items():
            known: list[Case] = []
            for recipe in recipes:
                found = self._found[name, recipe]
                same = next((one for one in known if one.recipe and set(one.recipe) <= set(recipe)), None)
                if same is None and len(known) >= self._most_shrunk:
                    same = known[0]
                if same is None:
                    opened, genome = min(found, key=lambda one: len(_short(one[1].value())))
                    same = self._case(opened, genome)
                    known.append(same)
                self.tally.add(Tally(cases=[msgspec.structs.replace(same, times=len(found))]))

    def tell(self, tries: int) -> None:
        """Try so many stories of several calls, and make small what passed."""
        found: dict[tuple[str, tuple[str, ...]], list[Genome]] = {}
        for count in range(tries):
            story = STORIES[count % len(STORIES)]
            genome = msgspec.structs.replace(drawn(self._rng, story.scene), shape="as it is")
            self.tally.tried[story.scene.family] += 1
            if story.passes(self._stage, genome.value()) is not None:
                self.tally.passed[story.scene.family] += 1
                found.setdefault((story.name, genome.recipe), []).append(genome)
        of_name = {story.name: story for story in STORIES}
        for (name, _), genomes in found.items():
            self.tally.add(Tally(cases=[self._told(of_name[name], genomes)]))

    def _told(self, story: Story, genomes: list[Genome]) -> Case:
        def passes(value: Json) -> frozenset[str]:
            told = isinstance(value, str) and story.passes(self._stage, value) is not None
            return frozenset({story.last.value}) if told else frozenset()

        small, text = smaller(min(genomes, key=lambda one: len(_short(one.value()))), passes)
        return Case(
            scene=story.name,
            family=story.scene.family,
            flavour="several calls",
            recipe=small.recipe,
            intent=story.scene.said(Flavour.WORDS),
            parameters={},
            reads=(*(msgspec.to_builtins(one) for one in story.scene.reads), {"written": text}),
            tool=story.last.tool,
            arguments=story.last.arguments,
            reaches=(story.last.value,),
            facts=_told_facts(story.passes(self._stage, text) or {}),
            times=len(genomes),
        )

    def _case(self, opened: Opened, genome: Genome) -> Case:
        scene = opened.scene

        def passes(value: Json) -> frozenset[str]:
            (verdict,) = self._stage.judge([opened.call(value)])
            return astray(scene, value) if verdict.permitted else frozenset()

        small, value = smaller(genome, passes)
        made = self._stage.whole(scene, opened.flavour, value)
        if not made.permitted:
            self.tally.disagreed.append(f"{scene.name}, {opened.flavour}: {_short(value)}: {made!r}")
        facts = msgspec.to_builtins(made.flow.facts)
        return Case(
            scene=scene.name,
            family=scene.family,
            flavour=opened.flavour.value,
            recipe=small.recipe,
            intent=scene.said(opened.flavour),
            parameters={"value": scene.plain} if opened.flavour is Flavour.PARAMETER else {},
            reads=tuple(msgspec.to_builtins(one) for one in scene.reads),
            tool=scene.tool,
            arguments=scene.arguments(value),
            reaches=tuple(sorted(astray(scene, value)))[:8],
            facts=_told_facts(facts),
        )


def _told_facts(facts: dict[str, Json]) -> dict[str, Json]:
    return {name: one for name, one in facts.items() if one not in (False, "none")}


def _short(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 400 else f"{text[:300]}... ({len(text)} characters)"
