# SPDX-License-Identifier: Apache-2.0
"""Scopes, epochs and ends as values: what a task lies in, and when it is under a fence."""

import msgspec
import pytest

from remit.core.endings.closure import Cause, Closing, Closure, Ending, Lock
from remit.core.scope import EVERYTHING, risen
from remit.core.tasks.task import Ancestor, Intent
from tests.worlds.values import START, a_task

CHILD = a_task(
    "tsk_child",
    agent="helper",
    owner="omar",
    on_behalf_of="ada",
    intent=Intent(goal="help", params={}, requested_by="agent:planner", stated_at=START),
    lineage=(Ancestor("tsk_top", "planner", "lena"),),
    delegation="del_1",
)


def test_a_task_lies_in_its_own_scopes_and_in_those_of_its_ancestors() -> None:
    """Owners, agents and tasks upwards, the person it is for, the delegation, itself; each once."""
    assert CHILD.scopes == (
        EVERYTHING,
        "owner:omar",
        "agent:helper",
        "owner:lena",
        "agent:planner",
        "task:tsk_top",
        "person:ada",
        "delegation:del_1",
        "task:tsk_child",
    )
    assert a_task().scopes == (
        EVERYTHING,
        "owner:lena",
        "agent:contract-bot",
        "person:lena",
        "task:task_one",
    )


@pytest.mark.parametrize("nobody", ["", "agent:planner", "issuer:else"])
def test_a_task_of_nobody_lies_in_no_persons_scope(nobody: str) -> None:
    """An agent or an issuer that stated the work is no person."""
    task = msgspec.structs.replace(
        CHILD, on_behalf_of=nobody, intent=Intent(goal="x", params={}, requested_by=nobody, stated_at=START)
    )
    assert not [one for one in task.scopes if one.startswith("person:")]
    task = msgspec.structs.replace(
        task, intent=Intent(goal="x", params={}, requested_by="eve", stated_at=START), delegation=""
    )
    assert [one for one in task.scopes if one.startswith("person:")] == ["person:eve"]
    assert not [one for one in task.scopes if one.startswith("delegation:")]


def test_a_call_lies_in_the_scopes_of_its_tool_and_its_upstream_too() -> None:
    """Whatever else stands in the tool's name."""
    assert a_task().call_scopes("desk/write/all")[-2:] == ("tool:desk/write/all", "upstream:desk")
    assert a_task().call_scopes("desk/write/all")[:-2] == a_task().scopes


@pytest.mark.parametrize(
    ("remembered", "current", "found"),
    [
        ({}, {}, ""),
        ({"a": 1}, {}, ""),
        ({}, {"a": 1}, "a"),
        ({"a": 1}, {"a": 1}, ""),
        ({"a": 1}, {"a": 2}, "a"),
        ({"a": 2}, {"a": 1}, ""),
        ({}, {"a": 0}, ""),
        ({}, {"other": 9}, ""),
        ({"a": 3}, {"a": 3, "b": 1}, "b"),
        ({}, {"b": 1, "a": 1}, "a"),
    ],
)
def test_a_scope_is_under_a_fence_where_its_epoch_has_risen(
    remembered: dict[str, int], current: dict[str, int], found: str
) -> None:
    """The first in the requested order is returned; a scope that was never ended has epoch 0."""
    assert risen(remembered, current, ("a", "b")) == found


def test_calls_wait_only_for_an_end_that_takes_something_away() -> None:
    """What has run out, or is done, permits nothing more by itself."""
    unhurried = {Cause.COMPLETED, Cause.DEADLINE, Cause.LEASE, Cause.IDLE, Cause.BUDGET, Cause.POLICY}
    assert {one for one in Cause if not Ending(reason="x", by="y", cause=one).hurried} == unhurried


def test_a_lock_is_named_without_its_kind() -> None:
    """Also where the name has a colon."""
    assert Lock(scope="agent:spiffe://a/b:c").name == "spiffe://a/b:c"


def test_a_closure_is_closed_where_nothing_is_open() -> None:
    """One permission that was never seen refused is enough to leave it open."""
    dead, alive = Closing("token", "a", 0.0), Closing("token", "b", None)
    for closings, closed in (((), True), ((dead,), True), ((dead, alive), False), ((alive,), False)):
        closure = Closure(
            id="cls_1", scope="task:a", epoch=1, reason="x", ended_by="root", at=START, closings=closings
        )
        assert closure.closed is closed
