# SPDX-License-Identifier: Apache-2.0
"""Which arguments an approver may narrow, and which values are proven to be narrower."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.decisions.decision import PolicyAnswer, RuleRef
from remit.core.decisions.narrowing import NarrowedBy, narrowable, narrowed, settled
from remit.core.errors import Malformed
from remit.core.tasks.grant import Grant
from remit.core.tools.tool import Argument, ArgumentRole, Effect
from tests.samples.policy_requests import STRING, request, tool

Json = Any
TO, ABOUT = Argument(ArgumentRole.DESTINATION), Argument(ArgumentRole.SELECTOR)
AMOUNT, GIVEN = Argument(ArgumentRole.AMOUNT), Argument(ArgumentRole.SELECTOR, hands_over=True)
KNOWN = {
    "to": TO, "amount": AMOUNT, "path": ABOUT, "labels": ABOUT, "files": GIVEN, "text": Argument(),
    "guests[].mail": TO, "guests[].name": Argument(), "role": Argument(ArgumentRole.AMOUNT, least=(0,)),
}  # fmt: skip
SEND = tool(
    "office",
    "send",
    dict.fromkeys(("to", "amount", "path", "labels", "files", "text", "guests", "role"), STRING),
    effect=Effect.IRREVERSIBLE,
    arguments=KNOWN,
)
ANYTHING = Grant("office/send", {}, True)
PATHS = Grant("office/send", {"path": {"optional": {"path_under": "reports"}}}, True)


def ways(arguments: dict[str, Json], of: Json = SEND, grant: Grant = ANYTHING, **more: Json) -> Json:
    """Return the ways in which a call can be narrowed."""
    return narrowable(msgspec.structs.replace(request(of, arguments), grants=(grant,), **more))


def test_an_amount_a_list_of_destinations_and_a_path_can_be_narrowed() -> None:
    """Also a list of what is handed over, and one of objects with a destination in them."""
    call = {
        "to": ["a", "b"], "amount": 5, "path": "reports/a", "files": ["f", "g"],
        "guests": [{"mail": "a"}, {"mail": "b"}],
    }  # fmt: skip
    assert ways(call, grant=PATHS) == {
        "to": NarrowedBy.FEWER,
        "amount": NarrowedBy.LOWER,
        "path": NarrowedBy.BELOW,
        "files": NarrowedBy.FEWER,
        "guests": NarrowedBy.FEWER,
    }


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": "free"},
        {"text": ["free", "text"]},
        {"labels": ["a", "b"]},  # a shorter filter selects more
        {"to": "one"},
        {"to": ["one"]},
        {"amount": 0},
        {"amount": -5},
        {"amount": True},
        {"amount": "5"},
        {"amount": {"value": 5}},
        {"role": 3},
        {"path": "reports/a"},  # no grant says that it is a path
        {"undescribed": 5},
    ],
)
def test_nothing_else_can_be_narrowed(arguments: dict[str, Json]) -> None:
    """Where the description proves no direction, an approver approves the call or refuses it."""
    assert ways(arguments) == {}


def test_what_hides_a_value_cannot_be_narrowed() -> None:
    """Nor a tool that is not described, nor input to a call that goes on."""
    hiding = msgspec.structs.replace(SEND, arguments=KNOWN | {"pin": Argument(sensitive=True)})
    assert ways({"amount": 5, "pin": "1"}, of=hiding) == {}
    assert ways({"amount": 5}, of=hiding) == {"amount": NarrowedBy.LOWER}
    assert ways({"amount": 5}, of=msgspec.structs.replace(SEND, described=False)) == {}
    assert ways({"amount": 5}, follows="dec_1") == {}


ASKED: dict[str, Json] = {
    "amount": 5000, "rate": 0.5, "to": ["a", "b", "a", 1], "path": "reports/2026", "text": "hello",
}  # fmt: skip
WAYS = {
    "amount": NarrowedBy.LOWER, "rate": NarrowedBy.LOWER, "to": NarrowedBy.FEWER, "path": NarrowedBy.BELOW,
}  # fmt: skip


@pytest.mark.parametrize(
    "wanted",
    [
        {"amount": 500},
        {"rate": 0.25},
        {"to": ["a"]},
        {"to": ["a", "a", 1]},
        {"path": "reports/2026/may.txt"},
        {"amount": 1, "to": ["b"]},
    ],
)
def test_a_narrower_value_takes_the_place_of_the_one_that_was_asked(wanted: dict[str, Json]) -> None:
    """Everything else stays."""
    assert narrowed(ASKED, WAYS, wanted) == ASKED | wanted


@pytest.mark.parametrize(
    "wanted",
    [
        {"amount": 5000}, {"amount": 5001}, {"amount": 0}, {"amount": -1}, {"amount": 499.5},
        {"amount": True}, {"amount": "500"}, {"amount": None}, {"amount": float("nan")},
        {"rate": float("inf")}, {"rate": 0.5},
        {"to": []}, {"to": ["c"]}, {"to": ["a", "b", "a", 1]}, {"to": ["b", "b"]}, {"to": ["b", "a", "a"]},
        {"to": "a"}, {"to": [True]}, {"to": [["a"]]},
        {"path": "reports/2026"}, {"path": "reports/2026/"}, {"path": "reports"}, {"path": "reports/2027"},
        {"path": "reports/2026/../2027"}, {"path": "reports/2026-old"}, {"path": "/reports/2026/a"},
        {"path": ["reports/2026/a"]},
    ],
)  # fmt: skip
def test_a_value_that_is_not_proven_to_be_narrower_is_refused(wanted: dict[str, Json]) -> None:
    """Equal, wider, of another type, or somewhere else."""
    with pytest.raises(Malformed) as refused:
        narrowed(ASKED, WAYS, wanted)
    assert refused.value.code == "not-narrower"
    assert refused.value.remediation


@pytest.mark.parametrize("wanted", [{"text": "hell"}, {"more": 1}])
def test_what_cannot_be_narrowed_stays_as_it_was_asked(wanted: dict[str, Json]) -> None:
    """A free text, and an argument that the call does not have."""
    with pytest.raises(Malformed) as refused:
        narrowed(ASKED, WAYS, wanted)
    assert refused.value.code == "not-narrowable"


@given(st.lists(st.integers(0, 3), min_size=2, max_size=6), st.lists(st.integers(0, 3), max_size=6))
def test_fewer_elements_are_a_part_of_those_that_were_asked(asked: list[int], wanted: list[int]) -> None:
    """What passes is shorter, not empty, and holds no element more often than it was asked."""
    try:
        got = narrowed({"to": asked}, {"to": NarrowedBy.FEWER}, {"to": wanted})["to"]
    except Malformed:
        return
    assert 0 < len(got) < len(asked)
    assert all(got.count(one) <= asked.count(one) for one in got)


ASKING = RuleRef("ask-amount", "sha256:1")
CALL = {"to": "a", "amount": 5}


def settles(names: tuple[str, ...], *facts: str, arguments: Json = CALL) -> bool:
    """Return whether values that an approver wrote settle a rule that reads these facts."""
    answer = PolicyAnswer(waivable=(ASKING,), flow=tuple((ASKING.id, fact) for fact in facts))
    return bool(settled(names, request(SEND, arguments), answer))


def test_a_question_about_the_origin_of_a_value_is_settled_by_the_person_who_wrote_it() -> None:
    """The person has stated it, for this very call."""
    assert settles(("amount",), "amount", "amount_reached", "tainted")
    assert settles(("amount",), "provenance.amount")
    assert settles(("to",), "destination")


def test_every_other_question_is_still_asked() -> None:
    """About another argument, another fact, or nothing in particular."""
    assert not settles(("amount",), "destination")
    assert not settles(("amount",), "amount", "crossed")
    assert not settles(("amount",), "amount", "provenance.to")
    assert not settles(("amount",), "tainted")
    assert not settles(("amount",))
    assert not settles(("to",), "selector")
    assert not settles(("amount",), "content", arguments=CALL | {"text": "x"})
