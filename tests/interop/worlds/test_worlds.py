# SPDX-License-Identifier: Apache-2.0
import copy
import json

import jsonschema
import pytest

from tests.interop.worlds.__main__ import schemas
from tests.interop.worlds.tool import HERE, World, names, samples, world

worlds = pytest.mark.parametrize("name", names())


def run(found: World, state: dict[str, object], call: tuple[str, dict[str, object]]) -> object:
    """Run one call on a state, with the checks that a server makes."""
    tool = next(tool for tool in found.TOOLS if tool.name == call[0])
    jsonschema.validate(call[1], tool.input_schema)
    result = tool.call(state, copy.deepcopy(call[1]))
    if tool.output_schema:
        jsonschema.validate(result, tool.output_schema)
    return result


@worlds
def test_the_initial_state_is_deterministic_and_json(name: str) -> None:
    """Two initial states are equal, share nothing, and survive JSON."""
    first, second = world(name).initial(), world(name).initial()
    assert first == second == json.loads(json.dumps(first))
    first.clear()
    assert second == world(name).initial()


@worlds
def test_a_world_has_12_to_18_tools_with_samples(name: str) -> None:
    """Each tool has a unique name, a description and at least one sample call."""
    found = world(name)
    tools = [tool.name for tool in found.TOOLS]
    assert 12 <= len(tools) == len(set(tools)) <= 18
    assert all(tool.description for tool in found.TOOLS)
    assert set(tools) == {tool for tool, _ in samples(name)(found.initial())}


@worlds
def test_results_fit_the_output_schemas(name: str) -> None:
    """Each sample call runs on a fresh state, fits both schemas, and gives the same result again."""
    found = world(name)
    for call in samples(name)(found.initial()):
        results = [json.dumps(run(found, found.initial(), call)) for _ in range(2)]
        assert results[0] == results[1]


@worlds
def test_schemas_are_valid_and_written_down(name: str) -> None:
    """The schemas are JSON Schema, and `schemas.json` has them."""
    found = world(name)
    for tool in found.TOOLS:
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        jsonschema.Draft202012Validator.check_schema(tool.output_schema or {})
    assert schemas(found) == (HERE / name / "schemas.json").read_text(encoding="utf-8")


@worlds
def test_each_place_is_shown_by_some_tool(name: str) -> None:
    """Text that an outsider writes into a place appears in the result of a sample call."""
    found, state = world(name), world(name).initial()
    canaries = {place: f"canary-{number}." for number, place in enumerate(found.places(state))}
    assert 0 < len(canaries) == len(found.places(state))
    for place, canary in canaries.items():
        found.inject(state, place, canary)
        assert json.dumps(state).count(canary) == 1
    calls = samples(name)(found.initial())
    shown = "".join(json.dumps(run(found, copy.deepcopy(state), call)) for call in calls)
    assert [place for place, canary in canaries.items() if canary not in shown] == []


@worlds
def test_an_unknown_place_is_refused(name: str) -> None:
    """Injecting into a place that does not exist is a fault of the caller."""
    with pytest.raises(KeyError):
        world(name).inject(world(name).initial(), "nowhere:1.text", "text")
