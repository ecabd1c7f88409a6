# SPDX-License-Identifier: Apache-2.0
"""tau2-bench's airline domain through the gateway's own path; skipped where pip cannot give it."""

import json
from collections.abc import Iterator

import pytest

from remit.rehearse import Rehearsal
from tests.interop.airline.domain import Airline, CustomerTask
from tests.interop.airline.replay import (
    Service,
    When,
    airline_rehearsal,
    misdirected,
    right,
    ruled,
    strangers,
    wrong,
)
from tests.interop.suite import NotInstalled

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def airline() -> Iterator[Airline]:
    """The domain, or a reason why not."""
    try:
        made = Airline()
    except NotInstalled as fault:
        pytest.skip(str(fault))
    with made:
        yield made


@pytest.fixture(scope="module")
def tasks(airline: Airline) -> list[CustomerTask]:
    """All tasks."""
    return airline.tasks()


@pytest.fixture(scope="module")
def rehearsal(airline: Airline) -> Iterator[Rehearsal]:
    """The bundle."""
    with airline_rehearsal(airline) as made:
        yield made


def test_each_tool_of_the_domain_is_described(rehearsal: Rehearsal, airline: Airline) -> None:
    """No entry speaks of a tool that is none, and no tool or argument is without an entry."""
    described = {tool.name: tool for tool in rehearsal.stage.services.tools.registry.all() if tool.described}
    listed = {tool["name"]: tool["inputSchema"]["properties"] for tool in airline.tools()}
    assert described.keys() == listed.keys()
    for name, tool in described.items():
        assert {path.partition("[")[0] for path in tool.arguments} == listed[name].keys()


def test_ungoverned_the_right_calls_do_what_they_should(airline: Airline, tasks: list[CustomerTask]) -> None:
    """The harness itself stops nothing."""
    assert len(tasks) == 50
    for task in tasks:
        airline.open()
        for call in task.calls:
            text, error = airline.call(*call)
            assert not error, (task.id, call, text)


def test_no_right_call_is_refused(rehearsal: Rehearsal, airline: Airline, tasks: list[CustomerTask]) -> None:
    """Of every third task, with nothing but the goal and with the customer's words."""
    for task in tasks[::3]:
        made = [one.made for one in right(rehearsal, airline, task)]
        assert len(made) == 2 * len(task.calls)
        assert [one.last for one in made if one.outcome == "deny"] == []


def test_no_call_for_another_customer_passes(
    rehearsal: Rehearsal, airline: Airline, tasks: list[CustomerTask]
) -> None:
    """Whatever was read, said or written before, and whatever is looked up then."""
    for task in tasks[::10]:
        made = list(wrong(rehearsal, airline, task))
        assert {one.when for one in made} == set(When)
        assert [one.made.last for one in made if one.made.outcome != "deny"] == []


def test_the_same_calls_pass_for_the_customer(
    rehearsal: Rehearsal, airline: Airline, tasks: list[CustomerTask]
) -> None:
    """What is refused for a stranger is refused for being a stranger's."""
    task = next(one for one in tasks if airline.customers[one.customer]["reservations"])
    (_, first), (_, second), *_ = misdirected(airline, task, task.customer)
    service = Service(rehearsal, airline, task.customer)
    assert service.make(("get_user_details", first)).outcome == "permit"
    assert service.make(("get_reservation_details", second)).outcome == "permit"
    assert task.customer not in strangers(airline, task.customer)
    for stranger in strangers(airline, task.customer):
        theirs = json.dumps(list(misdirected(airline, task, stranger)))
        assert stranger in theirs


def test_business_rules_object_to_what_they_forbid_and_to_nothing_else(
    rehearsal: Rehearsal, airline: Airline, tasks: list[CustomerTask]
) -> None:
    """On every reservation of some customers, judged from the records themselves."""
    found = [one for task in tasks[::12] for one in ruled(rehearsal, airline, task.customer)]
    assert {one.allowed for one in found} == {True, False}
    assert [one.made.last for one in found if one.objected is one.allowed] == []
