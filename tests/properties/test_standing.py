# SPDX-License-Identifier: Apache-2.0
"""No bundle ever gives an open task more than it held, nor leaves it what the bundle would not give."""

from datetime import timedelta
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from remit.core.policy.bundle import Bundle
from remit.core.tasks.delegated_task import account_of
from remit.core.tasks.grant import Grant, GrantTemplate
from remit.core.tasks.task import Ancestor, Budgets, Task, TaskType
from remit.services.tasks.opening_rules import granted
from remit.services.tasks.revalidation import RevalidatedTask, below, standing
from tests.worlds.values import START, a_task, an_agent

TOOLS = st.sampled_from(["files/read", "files/write", "mail/send"])
CONSTRAINTS = st.sampled_from(
    [
        {"exact": "a/b"},
        {"one_of": ["a/b", "a/c"]},
        {"path_under": "a"},
        {"prefix": "a/"},
        {"pattern": "a/[a-z]+"},
        {"anything": {}},
    ]
)
VALUES = st.sampled_from(["a/b", "a/c", "a/d", "b", "", "a"])
GRANTS = st.builds(
    lambda tool, spec, others, calls: GrantTemplate(
        tool, {"path": spec}, other_arguments=others, ceilings={"calls": calls} if calls else {}
    ),
    TOOLS,
    CONSTRAINTS,
    st.booleans(),
    st.sampled_from([0, 3, 9]),
)
BUDGETS = st.builds(Budgets, calls=st.none() | st.integers(0, 9), result_bytes=st.none() | st.integers(0, 99))
TYPES = st.builds(
    lambda grants, budgets, deadline_s, runs, states: TaskType(
        name="work",
        purpose="work",
        run_by=(runs,),
        requested_by=(states,),
        grants=tuple(grants),
        budgets=budgets,
        deadline_s=deadline_s,
    ),
    st.lists(GRANTS, max_size=4),
    BUDGETS,
    st.integers(1, 7200),
    st.sampled_from(["contract-bot", "contract-bot", "group:bots", "other"]),
    st.sampled_from(["lena", "lena", "group:legal", "leo"]),
)


def task_of(task_type: TaskType, name: str = "one") -> Task:
    """Return a task as it is opened."""
    return a_task(
        f"tsk_{name}",
        type="work",
        grants=tuple(dict.fromkeys(granted(task_type, {}))),
        budgets=task_type.budgets,
        deadline=START + timedelta(seconds=task_type.deadline_s),
    )


def judged(task: Task, task_type: TaskType) -> RevalidatedTask:
    """Judge a task under a bundle with one type."""
    bundle = Bundle(tools={}, task_types={"work": task_type}, policies=(), digest="sha256:new")
    return standing(task, bundle, an_agent(groups=("bots",)), ("legal",))


def permits(grants: tuple[Grant, ...], tool: str, value: str, *, more: bool) -> bool:
    """Whether some grant permits a call."""
    arguments = {"path": value} | ({"more": 1} if more else {})
    return any(one.tool == tool and not one.permits(arguments) for one in grants)


@given(TYPES, TYPES, TOOLS, VALUES, st.booleans())
def test_a_task_keeps_only_what_it_held_and_what_it_would_get(
    old: TaskType, new: TaskType, tool: str, value: str, more: bool
) -> None:
    """What is permitted after is permitted by both; bounds are the smaller ones."""
    task = task_of(old)
    found = judged(task, new)
    if found.ends:
        return
    left = found.on(task)
    if permits(left.grants, tool, value, more=more):
        assert permits(task.grants, tool, value, more=more)
        assert permits(granted(new, {}), tool, value, more=more)
    assert found.deadline <= task.deadline
    assert found.budgets == task.budgets.narrow(new.budgets)
    assert {one.tool for one in task.grants} - {one.tool for one in left.grants} <= set(found.lost)


def bound(grant: Grant) -> float:
    """Return the ceiling on calls of a grant."""
    return inf if grant.calls is None else grant.calls


@given(TYPES, TYPES)
def test_what_was_used_up_stays_so(old: TaskType, new: TaskType) -> None:
    """Each grant that is left is counted as one that was held, under a ceiling no larger than that one's, nor
    than what the type gives today.
    """
    task = task_of(old)
    found = judged(task, new)
    if found.ends:
        return
    left = found.on(task)
    before = {account_of(task, one): one for one in task.grants}
    for one in left.grants:
        held = before[account_of(left, one)]
        assert bound(one) <= bound(held)
        assert bound(one) <= max(bound(given) for given in granted(new, {}) if given.tool == one.tool)
        assert (one == held) is (one in task.grants)
    # No two of them that were one account are counted apart.
    assert len(set(left.counted_as)) == len(left.counted_as)


@given(TYPES)
def test_the_same_bundle_changes_nothing(same: TaskType) -> None:
    """Unless it never let that task be opened."""
    found = judged(task_of(same), same)
    assert found.ends or not found.changes


@given(TYPES, TYPES)
def test_judged_twice_is_judged_once(old: TaskType, new: TaskType) -> None:
    """What is left stands."""
    task = task_of(old)
    found = judged(task, new)
    if found.ends:
        return
    assert not judged(found.on(task), new).changes


@given(TYPES, TYPES, TOOLS, VALUES, st.booleans())
def test_a_child_loses_what_its_parent_loses(
    old: TaskType, new: TaskType, tool: str, value: str, more: bool
) -> None:
    """And ends with it; whatever it may do still, its parent may."""
    parent = task_of(old)
    drawn = {one.digest: (account_of(parent, one),) for one in parent.grants}
    lineage = (Ancestor("tsk_one", "contract-bot", "lena"),)
    child = a_task("tsk_child", grants=parent.grants, lineage=lineage, drawn_from=drawn)
    above = judged(parent, new)
    found = below(child, {parent.id: above}, Bundle())
    assert bool(found.ends) or not above.ends
    if found.ends:
        return
    left, over = found.on(child), above.on(parent)
    assert not {one.tool for one in left.grants} & set(above.lost)
    assert found.deadline <= above.deadline
    if permits(left.grants, tool, value, more=more):
        assert permits(over.grants, tool, value, more=more)
    ceilings = {account_of(over, one): bound(one) for one in over.grants}
    for one in left.grants:
        assert all(bound(one) <= ceilings[name] for name in left.drawn_from[one.digest])
