# SPDX-License-Identifier: Apache-2.0
"""Laws of calls in rounds: a state comes back whole to its own call, and nothing else opens as one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.gateway.mcp.input_rounds import Rounds, declared
from remit.gateway.mcp.messages import WireFault
from tests.worlds.values import WorldClock, WorldEntropy

Json = Any

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
arguments = st.dictionaries(st.text(max_size=8).filter(lambda name: name != "mcp:input"), values, max_size=3)
CALL = ("tsk_one", "files/ask")


def sealed(rounds: Rounds, state: str, given: Json, task: str = CALL[0], tool: str = CALL[1]) -> Json:
    """Pass a state on as the endpoint does."""
    body = json.dumps({"resultType": "input_required", "requestState": state}).encode()
    return json.loads(rounds.passed_on(body, {}, task, tool, given))["requestState"]


@given(state=st.text(max_size=200), args=arguments)
def test_a_state_comes_back_as_it_was(state: str, args: Json) -> None:
    """Whatever an upstream writes into its state, it reads the same again."""
    rounds = Rounds(WorldClock(), WorldEntropy())
    taken = rounds.taken({"requestState": sealed(rounds, state, args)}, *CALL, args)
    assert taken == {**args, "mcp:input": {"state": state}}


@given(state=st.text(max_size=50), args=arguments, other=arguments)
def test_a_state_opens_for_its_own_arguments_alone(state: str, args: Json, other: Json) -> None:
    """For any other call, and after a restart for its own, it is worth nothing."""
    rounds = Rounds(WorldClock(), WorldEntropy())
    shown = {"requestState": sealed(rounds, state, args)}
    calls = [(rounds, "tsk_two", CALL[1], args), (rounds, CALL[0], "files/fail", args)]
    calls.append((Rounds(WorldClock(), WorldEntropy("another life")), *CALL, args))
    if json.dumps(args, sort_keys=True) != json.dumps(other, sort_keys=True):
        calls.append((rounds, *CALL, other))
    for endpoint, task, tool, wanted in calls:
        with pytest.raises(WireFault) as refused:
            endpoint.taken(shown, task, tool, wanted)
        assert refused.value.rpc_code == -32602


@given(shown=values | st.text(alphabet="ABCabc012-_=", max_size=120), responses=values)
def test_whatever_comes_for_a_state_is_refused_in_order(shown: Json, responses: Json) -> None:
    """Any value in the place of state or answers ends in the standard's error, or is plain answers."""
    rounds = Rounds(WorldClock(), WorldEntropy())
    with pytest.raises(WireFault) as refused:
        rounds.taken({"requestState": shown}, *CALL, {})
    assert refused.value.rpc_code == -32602
    params = {"inputResponses": responses}
    if isinstance(responses, dict) and all(isinstance(one, dict) for one in responses.values()):
        assert rounds.taken(params, *CALL, {}) == {"mcp:input": {"responses": responses}}
        return
    with pytest.raises(WireFault) as refused:
        rounds.taken(params, *CALL, {})
    assert refused.value.rpc_code == -32602


@given(said=values)
def test_of_a_clients_abilities_only_known_ones_are_heard(said: Json) -> None:
    """Whatever a client says of itself, three names and their parts are all that travels."""
    heard = declared(said)
    assert heard.keys() <= {"elicitation", "sampling", "roots"}
    assert all(value == {} for parts in heard.values() for value in parts.values())
