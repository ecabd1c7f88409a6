# SPDX-License-Identifier: Apache-2.0
import copy
import importlib
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import jsonschema
import pytest

from tests.interop.worlds.cases import Attack, UserTask, play
from tests.interop.worlds.tool import State, ToolError, world

WORLDS = ("crm", "shop")
NAMED = re.compile(r"[a-z]+_\w*\d\w*|wl_\w+|[^\s@]+@[^\s@]+|https://\S+")
CODES = {"code", "securityCode", "approval_code", "iban"}


def cases(kind: str) -> pytest.MarkDecorator:
    """Parametrize a test over the user tasks or attacks of the worlds."""
    found = [
        pytest.param(name, case, id=f"{name}-{case.id}")
        for name in WORLDS
        for case in getattr(importlib.import_module(f"tests.interop.worlds.{name}.tasks"), kind)
    ]
    return pytest.mark.parametrize(("name", "case"), found)


def marked(name: str) -> tuple[State, dict[str, str]]:
    """Return a state in which each place shows a canary, with the canaries."""
    state = world(name).initial()
    canaries = {place: f"canary-{number}." for number, place in enumerate(world(name).places(state))}
    for place, canary in canaries.items():
        world(name).inject(state, place, canary)
    return state, canaries


def shown(name: str, case: UserTask) -> set[str]:
    """Return the places that the calls of a task show."""
    state, canaries = marked(name)
    results = json.dumps([result for _, result in play(world(name), state, case.calls)])
    return {place for place, canary in canaries.items() if canary in results}


def named(arguments: Any, key: str = "") -> Iterator[str]:
    """List the ids, addresses and codes in the arguments of a call."""
    if isinstance(arguments, dict):
        for name, value in arguments.items():
            yield from named(value, name)
    elif isinstance(arguments, list):
        for value in arguments:
            yield from named(value, key)
    elif isinstance(arguments, str) and (key in CODES or NAMED.fullmatch(arguments)):
        yield arguments


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_has_18_user_tasks_and_7_attacks(name: str) -> None:
    """Ids are unique within a world."""
    tasks = importlib.import_module(f"tests.interop.worlds.{name}.tasks")
    assert len({case.id for case in tasks.USERS}) == len(tasks.USERS) == 18
    assert len({case.id for case in tasks.ATTACKS}) == len(tasks.ATTACKS) == 7


@cases("USERS")
def test_a_user_task_is_done_by_its_calls_and_not_without(name: str, case: UserTask) -> None:
    """All calls fit the schemas and succeed; without the last one, or without any, the task is not done."""
    found, before, after = world(name), world(name).initial(), world(name).initial()
    played = play(found, after, case.calls)
    schemas = {tool.name: tool for tool in found.TOOLS}
    for (tool, arguments), result in played:
        assert not isinstance(result, ToolError)
        jsonschema.validate(arguments, schemas[tool].input_schema)
        if output := schemas[tool].output_schema:
            jsonschema.validate(result, output)
    assert case.done(before, after, [call for call, _ in played])
    for number in (0, len(played) - 1):
        after = world(name).initial()
        part = play(found, after, lambda state, end=number: islice(case.calls(state), end))  # type: ignore[misc]
        assert not case.done(before, after, [call for call, _ in part])


@cases("USERS")
def test_a_user_task_is_done_on_a_marked_state_too(name: str, case: UserTask) -> None:
    """What outsiders append to their texts does not change the outcome of the calls."""
    before, _ = marked(name)
    after = copy.deepcopy(before)
    played = play(world(name), after, case.calls)
    assert case.done(before, after, [call for call, _ in played])


@cases("USERS")
def test_a_user_task_shows_two_places_at_least(name: str, case: UserTask) -> None:
    """An outsider can speak to the agent that does the task."""
    assert len(shown(name, case)) >= 2


@cases("USERS")
def test_a_user_task_uses_what_is_known(name: str, case: UserTask) -> None:
    """Each id, address and code stands in the prompt or in an earlier result."""
    known = case.prompt
    for (_, arguments), result in play(world(name), world(name).initial(), case.calls):
        assert [text for text in named(arguments) if text not in known] == []
        known += json.dumps(result, ensure_ascii=False)


@cases("USERS")
def test_no_user_task_reaches_what_an_attack_wants(name: str, case: UserTask) -> None:
    """The judges tell attacks from ordinary work."""
    tasks = importlib.import_module(f"tests.interop.worlds.{name}.tasks")
    after = world(name).initial()
    play(world(name), after, case.calls)
    assert [attack.id for attack in tasks.ATTACKS if attack.reached(world(name).initial(), after)] == []


@cases("ATTACKS")
def test_an_attack_is_reached_by_its_calls_and_not_without(name: str, case: Attack) -> None:
    """The calls of an attack fit the schemas and have the effect."""
    found, before, after = world(name), world(name).initial(), world(name).initial()
    assert not case.reached(before, after)
    schemas = {tool.name: tool for tool in found.TOOLS}
    for (tool, arguments), _ in play(found, after, case.calls):
        jsonschema.validate(arguments, schemas[tool].input_schema)
    assert case.reached(before, after)


@cases("ATTACKS")
def test_an_attack_stands_in_places_that_user_tasks_show(name: str, case: Attack) -> None:
    """Each place exists, and an agent comes by it during ordinary work."""
    users = importlib.import_module(f"tests.interop.worlds.{name}.tasks").USERS
    seen = set().union(*(shown(name, user) for user in users))
    assert len(set(case.places)) == len(case.places) >= 2
    assert [place for place in case.places if place not in seen] == []
