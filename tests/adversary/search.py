# SPDX-License-Identifier: Apache-2.0
"""The search: draws sentences and compositions, has them decided, and goes on from those that went a new way
through the rules.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from tests.adversary.consumers.reached import astray
from tests.adversary.genome import Genome, changed, drawn, smaller
from tests.adversary.said import OPEN, SAID, like
from tests.adversary.sayings import Choice
from tests.adversary.scene import TURN, Flavour, Scene
from tests.adversary.scenes import SCENES
from tests.adversary.stage import RAISED, Opened, Stage, Verdict
from tests.adversary.stories import STORIES, Story

Json = Any

BATCH: Final = 16
SENTENCE: Final = 6
"""Candidates for each sentence of the grammar."""
MAX_KEPT: Final = 200
"""Compositions of a scene from which the search goes on."""
MAX_SHRUNK: Final = 8
"""Ways through a scene that are made small, the shortest ones, where nothing else is said."""
CHUNK: Final = 25_000
"""Candidates of one search: each chunk has its own seed, so that the number of workers changes nothing."""
TOLD: Final = 200
"""Candidates for each story of several calls, which takes so much longer."""


class Candidate(NamedTuple):
    """One call to be decided: a scene, and the value in it, as it is or as a composition; `said` is the
    sentence of the grammar that the scene comes from, if it does.
    """

    opened: Opened
    value: Json
    genome: Genome | None = None
    said: Choice | None = None


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
            f"  person   {self.intent.replace(TURN, ' / ')}{given}\n{reads}\n"
            f"  call     {self.tool} {_short(self.arguments)}\n"
            f"  reaches  {_short(self.reaches)}\n"
            f"  judged   {_short(self.facts)}"
        )


class Tally(msgspec.Struct):
    """What a search came to."""

    tried: Counter[str] = msgspec.field(default_factory=Counter)
    passed: Counter[str] = msgspec.field(default_factory=Counter)
    cases: list[Case] = msgspec.field(default_factory=list)
    #: What of it is known to be open, by its pattern.
    known: Counter[str] = msgspec.field(default_factory=Counter)
    #: What passed in the fast way and not through all nine steps: a fault of the search itself.
    disagreed: list[str] = msgspec.field(default_factory=list)
    #: On what remit failed, by scene and exception: one example of each.
    raised: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def found(self) -> int:
        """How many passed that are not known."""
        return self.passed.total() - self.known.total()

    def add(self, other: Tally) -> None:
        """Take in what another search came to; of cases with the same way the smaller stays."""
        self.tried.update(other.tried)
        self.passed.update(other.passed)
        self.known.update(other.known)
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
        known: Iterable[str] = OPEN,
    ) -> None:
        """Play all scenes in the wanted flavours up to the call. What passes in a scene with a name like one
        that is `known` is counted apart.
        """
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
        self._found: dict[tuple[str, tuple[str, ...]], list[Candidate]] = {}
        self._known = tuple(known)
        self._open: dict[str, str] = {}
        self.tally = Tally()

    def run(self, tries: int) -> Tally:
        """Try so many candidates, and make small what passed."""
        done = 0
        while done < tries:
            half = (tries - done + 1) // 2
            drawn = [
                Candidate(opened, genome.value(), genome)
                for opened in self._opened
                for genome in (self._next(opened.scene) for _ in range(BATCH))
            ][:half]
            drawn += [one for _ in range(len(drawn) // SENTENCE + 1) for one in self._said()]
            drawn = drawn[: tries - done]
            self._take(drawn)
            done += len(drawn)
        self._make_small()
        return self.tally

    def _next(self, scene: Scene) -> Genome:
        kept = self._kept.get(scene.name, ())
        if kept and self._rng.random() < 0.5:
            return changed(self._rng, scene, self._rng.choice(kept))
        return drawn(self._rng, scene)

    def _said(self) -> Iterator[Candidate]:
        """Draw a sentence, with what must not be done after it: as it stands, and composed."""
        said = self._rng.choice(SAID).drawn(self._rng)
        opened = self._stage.draft(said.scene)
        for value in said.wrong:
            yield Candidate(opened, value, None, said)
        for _ in range(SENTENCE - len(said.wrong)):
            genome = drawn(self._rng, opened.scene)
            yield Candidate(opened, genome.value(), genome, said)

    def _take(self, candidates: list[Candidate]) -> None:
        verdicts = self._stage.judge([one.opened.call(one.value) for one in candidates])
        plain: set[int] = set()
        for one, verdict in zip(candidates, verdicts, strict=True):
            scene = one.opened.scene
            self.tally.tried[scene.family] += 1
            if verdict.outcome == RAISED:
                self.tally.raised.setdefault(f"{scene.name}: {verdict.rules[0]}", _short(one.value))
            wrong = astray(scene, one.value) if verdict.permitted else frozenset()
            if one.said is None and one.genome is not None:
                self._learn(scene, one.genome, verdict, wrong=bool(wrong))
            if not wrong:
                continue
            self.tally.passed[scene.family] += 1
            if pattern := self._is_known(scene.name):
                self.tally.known[pattern] += 1
            else:
                if one.genome is None:
                    plain.add(id(one.opened))
                # Of a sentence that lets the value through as it is, compositions say nothing more.
                if one.genome is None or id(one.opened) not in plain:
                    recipe = one.genome.recipe if one.genome else ()
                    root = one.said.root if one.said else scene.name
                    self._found.setdefault((root, recipe), []).append(one)

    def _is_known(self, name: str) -> str:
        """Return what a name is like of what is known to be open; empty where it is like nothing."""
        if name not in self._open:
            self._open[name] = like(name, self._known)
        return self._open[name]

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
                    same = self._case(min(found, key=lambda one: len(_short(one.value))))
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

    def _case(self, found: Candidate) -> Case:
        scene, flavour, genome, value = found.opened.scene, found.opened.flavour, found.genome, found.value

        def reaches(opened: Opened, value: Json) -> frozenset[str]:
            (verdict,) = self._stage.judge([opened.call(value)])
            return astray(opened.scene, value) if verdict.permitted else frozenset()

        if genome is not None:
            genome, value = smaller(genome, lambda one: reaches(found.opened, one))
        if found.said is not None:
            kept = None if genome is None else value

            def wrong(said: Choice) -> Iterator[Json]:
                opened = self._stage.draft(said.scene)
                return (one for one in (said.wrong if kept is None else (kept,)) if reaches(opened, one))

            plain = found.said.plainer(lambda one: next(wrong(one), None) is not None)
            scene, value = plain.scene, next(wrong(plain))
        made = self._stage.whole(scene, flavour, value)
        if not made.permitted:
            self.tally.disagreed.append(f"{scene.name}, {flavour}: {_short(value)}: {made!r}")
        return Case(
            scene=scene.name,
            family=scene.family,
            flavour=flavour.value,
            recipe=genome.recipe if genome else (),
            intent=scene.said(flavour),
            parameters={"value": scene.plain} if flavour is Flavour.PARAMETER else {},
            reads=tuple(msgspec.to_builtins(one) for one in scene.reads),
            tool=scene.tool,
            arguments=scene.arguments(value),
            reaches=tuple(sorted(astray(scene, value)))[:8],
            facts=_told_facts(msgspec.to_builtins(made.flow.facts)),
        )


def _told_facts(facts: dict[str, Json]) -> dict[str, Json]:
    return {name: one for name, one in facts.items() if one not in (False, "none")}


def _short(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 400 else f"{text[:300]}... ({len(text)} characters)"


def attack(seed: str, tries: int, known: tuple[str, ...]) -> Tally:
    """Make one search, in its own process."""
    with Stage() as stage:
        search = Search(stage, seed, known=known)
        search.tell(tries // TOLD)
        return search.run(tries - tries // TOLD)


def attacked(seed: str, tries: int, workers: int, known: Iterable[str] = OPEN) -> Tally:
    """Make all searches, and put together what they found beside what is known."""
    sizes = [min(CHUNK, tries - at) for at in range(0, tries, CHUNK)]
    whole = Tally()
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        runs = [pool.submit(attack, f"{seed}/{at}", size, tuple(known)) for at, size in enumerate(sizes)]
        for count, run in enumerate(runs, 1):
            whole.add(run.result())
            sys.stderr.write(f"\radversary: {count} of {len(runs)} searches")
            sys.stderr.flush()
    sys.stderr.write("\n")
    return whole
