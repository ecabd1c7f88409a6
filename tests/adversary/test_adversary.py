# SPDX-License-Identifier: Apache-2.0
"""An attacker who searches gets nothing through, and ordinary work is not stopped."""

import json
from collections.abc import Iterator
from random import Random

import pytest

from tests.adversary.consumers.reached import astray
from tests.adversary.genome import drawn, smaller
from tests.adversary.ordinary import stopped
from tests.adversary.said import SAID, STOPPED, like, said_forms
from tests.adversary.sayings import Choice, Saying
from tests.adversary.scene import Flavour
from tests.adversary.scenes import SCENES
from tests.adversary.search import Search
from tests.adversary.stage import Stage
from tests.adversary.utterances import forms

TRIES = 3_000
STORIES = 12
SENTENCES = 600
MOST_STOPPED = 0.005
MOST_SENTENCES_STOPPED = 0.01


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """One rehearsal for all."""
    with Stage() as opened:
        yield opened


def test_no_attack_passes(stage: Stage) -> None:
    """Of some thousand candidates none reaches what the person did not state, but for what is named as open;
    what passes is printed, made small.
    """
    search = Search(stage, "make test", (Flavour.WORDS, Flavour.PARAMETER), most_shrunk=1)
    search.tell(STORIES)
    found = search.run(TRIES)
    assert not found.disagreed
    assert not found.raised
    assert found.tried.total() == TRIES + STORIES
    assert not found.found, "\n".join(map(str, found.cases))


def test_ordinary_work_is_not_stopped(stage: Stage) -> None:
    """Of more than a thousand ordinary forms fewer than one in 200 is refused or asked about."""
    every = forms()
    assert len(every) >= 1_000
    halted = list(stopped(stage, every))
    assert len(halted) < MOST_STOPPED * len(every), "\n".join(map(str, halted))


def test_what_a_sentence_asks_for_is_not_stopped(stage: Stage) -> None:
    """Of some hundred calls that sentences of the grammar ask for, fewer than one in 100 is, beside what is
    named.
    """
    every = said_forms(SENTENCES)
    halted = [one for one in stopped(stage, every) if not like(one.form.scene, STOPPED)]
    assert len(halted) < MOST_SENTENCES_STOPPED * len(every), "\n".join(map(str, halted))


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
    """A candidate of each scene has the same outcome when it is made as a call in its own task."""
    rng = Random("nine steps")
    for scene in SCENES:
        value = drawn(rng, scene).value()
        (verdict,) = stage.judge([stage.open(scene, Flavour.WORDS).call(value)])
        assert stage.whole(scene, Flavour.WORDS, value).outcome == verdict.outcome, (scene.name, value)


KINDS_OF_SENTENCES = tuple(dict.fromkeys(SAID))


@pytest.mark.parametrize("kind", KINDS_OF_SENTENCES, ids=lambda one: one.__name__)
def test_a_sentence_declares_what_it_asks_for(kind: type[Choice]) -> None:
    """What was asked for reaches nothing else, and something of what was not does."""
    rng = Random(kind.__name__)
    for said in (kind.drawn(rng) for _ in range(300)):
        scene = said.scene
        assert said.right is None or not astray(scene, said.right), said
        # An amount below the requested one does no harm.
        assert any(astray(scene, one) for one in said.wrong) or scene.kind == "amount", (said, said.wrong)


@pytest.mark.parametrize("kind", KINDS_OF_SENTENCES, ids=lambda one: one.__name__)
def test_what_is_decided_in_memory_is_what_the_nine_steps_decide(kind: type[Choice], stage: Stage) -> None:
    """Sentences drawn at random have the same outcome when each is played as a whole in its own task."""
    rng = Random(kind.__name__)
    for said in (kind.drawn(rng) for _ in range(8)):
        scene = said.scene
        for value in said.wrong[:1]:
            (verdict,) = stage.judge([stage.draft(scene).call(value)])
            assert stage.whole(scene, Flavour.WORDS, value).outcome == verdict.outcome, (scene, value)


def test_a_sentence_is_made_plain() -> None:
    """What a finding does not need is left out: what leads to it, and how it is wished for."""
    rng = Random("plain")
    said = next(
        one
        for _ in range(10_000)
        if "report.pdf" in (one := Saying.drawn(rng)).words and one.lead and one.wish
    )
    plain = said.plainer(lambda one: "report.pdf" in one.words)
    assert not plain.lead
    assert not plain.wish
    assert (plain.kind, plain.frame) == (said.kind, said.frame)


def test_the_same_seed_draws_the_same(stage: Stage) -> None:
    """Two draws from one seed give the same candidates, and each can be written down and built again."""
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
