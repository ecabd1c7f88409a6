# SPDX-License-Identifier: Apache-2.0
"""Only a permit is a permit: what the SDK makes of answers, faults and arguments."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit_sdk.bound_arguments import BoundArguments
from remit_sdk.errors import AgentFault, GatewayRefused, GatewayUnreachable
from remit_sdk.refusal import CallPermit, CallRefused, answer_of

Json = Any
PERMIT = {"outcome": "permit", "call": "dec_1", "decision": "dec_1", "obligations": ["notify"], "reasons": []}
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def test_a_permit_names_its_call() -> None:
    """And what the program must do."""
    assert answer_of(PERMIT) == CallPermit("dec_1", "dec_1", ("notify",))


@given(PLAIN | st.fixed_dictionaries({"outcome": PLAIN, "call": PLAIN, "decision": PLAIN, "reasons": PLAIN}))
def test_no_other_answer_is_a_permit(told: Json) -> None:
    """Whatever a server of another version says, it is a refusal with a remedy, and never a crash."""
    answer = answer_of(told)
    assert isinstance(answer, CallRefused)
    assert answer.code


@pytest.mark.parametrize("change", [{"call": ""}, {"call": None}, {"outcome": "allow"}, {"outcome": True}])
def test_a_permit_with_a_part_missing_is_none(change: dict[str, Json]) -> None:
    """The server is newer, then."""
    answer = answer_of(PERMIT | change)
    assert isinstance(answer, CallRefused)
    assert (answer.code, bool(answer.remediation)) == ("server-too-new", True)


def test_a_deferral_names_its_question() -> None:
    """With the reason, for the model to read."""
    reason = {"code": "ask", "text": "a person looks", "remediation": "wait"}
    told = PERMIT | {"outcome": "defer", "call": "", "approval": "apr_1", "reasons": [reason]}
    answer = answer_of(told)
    assert isinstance(answer, CallRefused)
    assert (answer.approval, answer.code, answer.reason) == ("apr_1", "ask", "a person looks")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (GatewayRefused("no resource", status=404, code="no-route"), "server-too-old"),
        (GatewayUnreachable("no connection"), "unreachable"),
        (GatewayRefused("ended", status=401, code="task-ended", remediation="open one"), "task-ended"),
        (AgentFault("odd"), "fault"),
    ],
)
def test_every_fault_is_a_refusal(fault: AgentFault, code: str) -> None:
    """Old servers, dead ones, and those that refuse."""
    refused = CallRefused.by(fault)
    assert refused.code == code
    assert refused.remediation
    assert CallRefused.by(refused) is refused


def pay(to: str, /, cents: int, *notes: str, urgent: bool = False, **more: Json) -> None:
    """Take arguments of every kind."""


def test_arguments_are_judged_by_their_names() -> None:
    """Defaults count, and so do further names."""
    bound = BoundArguments(pay, ("ada", 5, "a", "b"), {"memo": {"x": [1]}})
    assert bound.judged == {
        "to": "ada", "cents": 5, "notes": ["a", "b"], "urgent": False, "memo": {"x": [1]},
    }  # fmt: skip
    assert (bound.args, bound.kwargs) == (("ada", 5, "a", "b"), {"urgent": False, "memo": {"x": [1]}})


def test_a_function_gets_copies() -> None:
    """A change of the caller's value after the decision does not reach it."""
    memo = {"x": [1]}
    bound = BoundArguments(pay, ("ada", 5), {"memo": memo})
    memo["x"].append(2)
    assert bound.kwargs["memo"] == {"x": [1]}
    assert bound.judged["memo"] == {"x": [1]}


@pytest.mark.parametrize("value", [object(), {1: "a"}, float("nan"), b"x", {"a": (1,)}, {1}])
def test_what_is_no_plain_value_is_refused(value: Json) -> None:
    """It could not be judged as what the function would get."""
    with pytest.raises(CallRefused, match="memo"):
        BoundArguments(pay, ("ada", 5), {"memo": value})


def test_a_name_that_is_given_twice_is_refused() -> None:
    """`to` by its place, and once more by its name: only one of them could be judged."""
    with pytest.raises(CallRefused, match="twice"):
        BoundArguments(pay, ("ada", 5), {"to": "mallory"})


def test_wrong_arguments_fail_as_in_python() -> None:
    """With the same error."""
    with pytest.raises(TypeError, match="cents"):
        BoundArguments(pay, ("ada",), {})
