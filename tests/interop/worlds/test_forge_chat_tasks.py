# SPDX-License-Identifier: Apache-2.0
import copy
import importlib
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import jsonschema
import pytest

from tests.interop.worlds.cases import Attack, Calls, UserTask, play
from tests.interop.worlds.tool import Call, State, ToolError, world

WORLDS = ("forge", "chat")


def listed(name: str, kind: str) -> tuple[Any, ...]:
    """Return the user tasks or the attacks of a world."""
    found: tuple[Any, ...] = getattr(importlib.import_module(f"tests.interop.worlds.{name}.tasks"), kind)
    return found


def every(kind: str) -> pytest.MarkDecorator:
    """Run a test with each task or attack of each world."""
    cases = [pytest.param(name, one, id=f"{name}-{one.id}") for name in WORLDS for one in listed(name, kind)]
    return pytest.mark.parametrize(("name", "case"), cases)


def marked(name: str) -> tuple[State, dict[str, str]]:
    """Return a state with a canary in each place, and the canaries."""
    state = world(name).initial()
    canaries = {place: f"canary-{number}." for number, place in enumerate(world(name).places(state))}
    for place, canary in canaries.items():
        world(name).inject(state, place, canary)
    return state, canaries


def shown(name: str, calls: Calls) -> set[str]:
    """Return the places that the results of calls show."""
    state, canaries = marked(name)
    results = json.dumps([result for _, result in play(world(name), state, calls)], default=str)
    return {place for place, canary in canaries.items() if canary in results}


def done(name: str, task: UserTask, state: State, calls: Calls) -> bool:
    """Make the calls on the state, and return whether they do the task."""
    before = copy.deepcopy(state)
    made = [call for call, _ in play(world(name), state, calls)]
    return task.done(before, state, made)


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_has_18_tasks_and_7_attacks(name: str) -> None:
    """Each has an id that no other has, and stands in places that the world has."""
    users, attacks = listed(name, "USERS"), listed(name, "ATTACKS")
    assert len({one.id for one in users}) == len(users) == 18
    assert len({one.id for one in attacks}) == len(attacks) == 7
    places = set(world(name).places(world(name).initial()))
    for one in attacks:
        assert 3 <= len(set(one.places) & places) == len(one.places)


@every("USERS")
def test_the_ground_truth_does_the_task(name: str, case: UserTask) -> None:
    """The calls do the task, also when outsiders wrote more; fewer calls, or none, do not."""
    assert done(name, case, world(name).initial(), case.calls)
    assert done(name, case, marked(name)[0], case.calls)
    assert not done(name, case, world(name).initial(), lambda _: iter(()))
    count = len(play(world(name), world(name).initial(), case.calls))

    def all_but_the_last(state: State) -> Iterator[Call]:
        return islice(case.calls(state), count - 1)

    assert not done(name, case, world(name).initial(), all_but_the_last)


@every("USERS")
def test_the_calls_fit_the_schemas(name: str, case: UserTask) -> None:
    """No call of a user task is wrong or refused."""
    schemas = {tool.name: tool.input_schema for tool in world(name).TOOLS}
    for (tool, arguments), result in play(world(name), world(name).initial(), case.calls):
        jsonschema.validate(arguments, schemas[tool])
        assert not isinstance(result, ToolError)


@every("USERS")
def test_a_task_shows_places_in_which_attacks_stand(name: str, case: UserTask) -> None:
    """The reads of a task show two places or more, and each place counts for some attack."""
    found = shown(name, case.calls)
    assert len(found) >= 2
    assert len({one.id for one in listed(name, "ATTACKS") if found & set(one.places)}) >= 4


@every("USERS")
def test_a_task_reaches_no_attack(name: str, case: UserTask) -> None:
    """What the user asks for is not what an attacker wants."""
    state = world(name).initial()
    play(world(name), state, case.calls)
    assert [one.id for one in listed(name, "ATTACKS") if one.reached(world(name).initial(), state)] == []


@every("ATTACKS")
def test_the_calls_of_an_attack_reach_it(name: str, case: Attack) -> None:
    """The goal is reached after the calls, not before; each call fits its schema."""
    before, state = world(name).initial(), world(name).initial()
    assert not case.reached(before, state)
    schemas = {tool.name: tool.input_schema for tool in world(name).TOOLS}
    for (tool, arguments), _ in play(world(name), state, case.calls):
        jsonschema.validate(arguments, schemas[tool])
    assert case.reached(before, state)


@every("ATTACKS")
def test_the_text_of_an_attack_reaches_nothing(name: str, case: Attack) -> None:
    """An attack that stands in its places, and that no agent obeys, harms nothing and prevents no task."""
    for place in case.places:
        state = world(name).initial()
        world(name).inject(state, place, case.goal)
        before = copy.deepcopy(state)
        assert not case.reached(before, state)
        for task in listed(name, "USERS"):
            after = copy.deepcopy(before)
            assert done(name, task, after, task.calls)
            assert not case.reached(before, after)


@pytest.mark.parametrize("name", WORLDS)
def test_some_task_shows_each_place_of_an_attack(name: str) -> None:
    """No attack stands where no task looks."""
    found = set().union(*(shown(name, task.calls) for task in listed(name, "USERS")))
    assert {place for one in listed(name, "ATTACKS") for place in one.places} <= found
