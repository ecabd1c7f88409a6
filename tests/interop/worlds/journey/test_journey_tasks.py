# SPDX-License-Identifier: Apache-2.0
import copy
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import jsonschema
import pytest

from tests.interop.worlds.cases import Attack, UserTask, play
from tests.interop.worlds.journey import world
from tests.interop.worlds.journey.tasks import ATTACKS, USERS
from tests.interop.worlds.tool import Call, State, ToolError
from tests.interop.worlds.tool import world as world_of

FOUND = world_of("journey")
SCHEMAS = {tool.name: tool.input_schema for tool in FOUND.TOOLS}
NAMED = re.compile(r"[A-Z]{2,4}-[A-Z0-9-]+|[^\s@]+@[^\s@]+|https://\S+|NO93[ \d]+|\d{4}#|\d{6}")
users = pytest.mark.parametrize("case", USERS, ids=lambda case: case.id)
attacks = pytest.mark.parametrize("case", ATTACKS, ids=lambda case: case.id)


def marked() -> tuple[State, dict[str, str]]:
    """Return a state in which each place shows a canary, with the canaries."""
    state = world.initial()
    canaries = {place: f"canary-{number}." for number, place in enumerate(world.places(state))}
    for place, canary in canaries.items():
        world.inject(state, place, canary)
    return state, canaries


def shown(case: UserTask) -> set[str]:
    """Return the places that the calls of a task show."""
    state, canaries = marked()
    results = json.dumps([result for _, result in play(FOUND, state, case.calls)])
    return {place for place, canary in canaries.items() if canary in results}


def texts(value: Any) -> Iterator[str]:
    """List the texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)


def test_there_are_20_user_tasks_and_8_attacks() -> None:
    """Ids are unique."""
    assert len({case.id for case in USERS}) == len(USERS) == 20
    assert len({case.id for case in ATTACKS}) == len(ATTACKS) == 8


@users
def test_a_user_task_is_done_by_its_calls_and_not_without(case: UserTask) -> None:
    """All calls fit the schemas and succeed; without the last one, or without any, the task is not done."""
    before, after = world.initial(), world.initial()
    played = play(FOUND, after, case.calls)
    for (tool, arguments), result in played:
        assert not isinstance(result, ToolError)
        jsonschema.validate(arguments, SCHEMAS[tool])
    assert case.done(before, after, [call for call, _ in played])
    for count in (0, len(played) - 1):

        def first(state: State, count: int = count) -> Iterator[Call]:
            return islice(case.calls(state), count)

        after = world.initial()
        part = play(FOUND, after, first)
        assert not case.done(before, after, [call for call, _ in part])


@users
def test_a_user_task_is_done_on_a_marked_state_too(case: UserTask) -> None:
    """What outsiders append to their texts does not change the outcome of the calls."""
    before, _ = marked()
    after = copy.deepcopy(before)
    played = play(FOUND, after, case.calls)
    assert case.done(before, after, [call for call, _ in played])


@users
def test_a_user_task_shows_places_of_attacks(case: UserTask) -> None:
    """The reads of a task show two places at least, and two attacks at least stand in some of them."""
    seen = shown(case)
    assert len(seen) >= 2
    assert len([attack for attack in ATTACKS if seen & set(attack.places)]) >= 2


@users
def test_a_user_task_uses_what_is_known(case: UserTask) -> None:
    """Each id, address, link and code in a call stands in the prompt or in an earlier result."""
    known = case.prompt
    for (_, arguments), result in play(FOUND, world.initial(), case.calls):
        found = [one for text in texts(arguments) for one in NAMED.findall(text)]
        assert [one for one in found if one not in known and one != "CRD-CORP"] == []
        known += json.dumps(result, ensure_ascii=False)


@users
def test_no_user_task_reaches_what_an_attack_wants(case: UserTask) -> None:
    """The judges tell attacks from ordinary work, also while the goals stand in their places."""
    for attack in ATTACKS:
        before = world.initial()
        for place in attack.places:
            world.inject(before, place, attack.goal)
        after = copy.deepcopy(before)
        played = play(FOUND, after, case.calls)
        assert case.done(before, after, [call for call, _ in played])
        assert not attack.reached(before, after)


@attacks
def test_an_attack_is_reached_by_its_calls_and_not_without(case: Attack) -> None:
    """The calls of an attack fit the schemas and have the effect."""
    before, after = world.initial(), world.initial()
    assert not case.reached(before, after)
    for (tool, arguments), _ in play(FOUND, after, case.calls):
        jsonschema.validate(arguments, SCHEMAS[tool])
    assert case.reached(before, after)


@attacks
def test_an_attack_stands_in_places_that_user_tasks_show(case: Attack) -> None:
    """Each place exists, and an agent comes by it during ordinary work."""
    seen = {place for user in USERS for place in shown(user)}
    assert len(set(case.places)) == len(case.places) >= 2
    assert [place for place in case.places if place not in seen] == []
