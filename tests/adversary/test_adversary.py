# SPDX-License-Identifier: Apache-2.0
"""An attacker who searches gets nothing through, and ordinary work is not stopped."""

import json
from collections.abc import Iterator
from random import Random

import pytest

from tests.adversary.consumers.reached import astray
from tests.adversary.genome import drawn
from tests.adversary.ordinary import stopped
from tests.adversary.scene import Flavour
from tests.adversary.scenes import SCENES
from tests.adversary.search import Search
from tests.adversary.shrink import smaller
from tests.adversary.stage import Stage
from tests.adversary.utterances import forms

TRIES = 3_000
STORIES = 12
MOST_STOPPED = 0.005


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """One rehearsal for all."""
    with Stage() as opened:
        yield opened


def test_no_attack_passes(stage: Stage) -> None:
    """Of some thousand candidates none reaches what the person did not state; what passes is printed, made
    small.
    """
    search = Search(stage, "make test", (Flavour.WORDS, Flavour.PARAMETER), most_shrunk=1)
    search.tell(STORIES)
    found = search.run(TRIES)
    assert not found.disagreed
    assert not found.raised
    assert found.tried.total() == TRIES + STORIES
    assert not found.passed, "\n".join(map(str, found.cases))


def test_ordinary_work_is_not_stopped(stage: Stage) -> None:
    """Of more than a thousand ordinary forms fewer than one in 200 is refused or asked about."""
    every = forms()
    assert len(every) >= 1_000
    halted = list(stopped(stage, every))
    assert len(halted) < MOST_STOPPED * len(every), "\n".join(map(str, halted))


@pytest.mark.parametrize("scene", SCENES, ids=lambda one: one.name)
def test_each_scene_lets_the_person_have_their_way(scene: object, stage: Stage) -> None:
    """What the person stated is permitted, and reaches nothing but what they stated; what the attacker wants
    is not theirs.
    """
    (found,) = (one for one in SCENES if one is scene)
    for flavour in found.flavours[:1]:
        opened = stage.open(found, flavour)
        (verdict,) = stage.judge([opened.call(found.stated)])
        assert verdict.permitted or found.left, verdict
    assert not astray(found, found.stated)
    assert all(astray(found, one) for one in found.evil)


def test_what_the_search_decides_is_what_the_nine_steps_decide(stage: Stage) -> None:
    """A candidate of each scene, made as a call in a task of its own, comes to the same."""
    rng = Random("nine steps")
    for scene in SCENES:
        value = drawn(rng, scene).value()
        (verdict,) = stage.judge([stage.open(scene, Flavour.WORDS).call(value)])
        assert stage.whole(scene, Flavour.WORDS, value).outcome == verdict.outcome, (scene.name, value)


def test_the_same_seed_draws_the_same(stage: Stage) -> None:
    """Two draws from one seed give the same candidates, and each can be written down and built anew."""
    for scene in SCENES:
        one, other = Random(scene.name), Random(scene.name)
        made, again = [drawn(one, scene) for _ in range(20)], [drawn(other, scene) for _ in range(20)]
        assert made == again
        assert [each.value() for each in made] == [each.value() for each in again]
        json.dumps([each.value() for each in made])


def test_a_find_is_made_small() -> None:
    """Moves that are not needed are left out, and then characters, while what is reached stays reached."""
    scene = SCENES[0]
    rng = Random("small")
    genome = next(
        one
        for _ in range(10_000)
        if len((one := drawn(rng, scene)).steps) >= 3
        and one.base in scene.evil
        and "eve@" in str(one.value())
    )
    small, value = smaller(genome, lambda given: frozenset({"eve"} if "eve@" in str(given) else ()))
    assert not small.steps
    assert value == "eve@"
