# SPDX-License-Identifier: Apache-2.0
"""Laws of handing a task down: no child may do what one of its ancestors may not, whatever was asked."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from remit.core.errors import Forbidden
from remit.core.identity.principals import Agent
from remit.core.label import Label
from remit.core.scope import risen
from remit.core.tasks.delegated_task import BudgetShare, Moment, child_of, inherited_epochs
from remit.core.tasks.grant import Ceilings, Grant
from remit.core.tasks.task import MAX_CHAIN, Budgets, HandDown, Task
from tests.samples.constraint_specs import ARGUMENTS, CEILINGS, SPECS
from tests.worlds.values import START, a_task, an_agent

TOOLS = st.sampled_from(["files/read", "files/write", "mail/send"])
GRANTS = st.lists(
    st.builds(
        Grant,
        TOOLS,
        arguments=st.dictionaries(st.sampled_from(["p", "q"]), SPECS, max_size=2),
        other_arguments=st.booleans(),
        ceilings=CEILINGS,
    ),
    min_size=1,
    max_size=3,
).map(tuple)
BOUND = st.none() | st.integers(0, 50)
BUDGETS = st.builds(Budgets, calls=BOUND, effectful_calls=BOUND, result_bytes=BOUND)
NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
RULES = st.builds(
    HandDown, to=st.lists(NAMES | st.just("group:all"), max_size=4).map(tuple), max_depth=st.integers(0, 5)
)
WANTED = st.builds(
    BudgetShare,
    grants=st.none() | GRANTS,
    tools=st.none() | st.lists(TOOLS, max_size=2).map(tuple),
    budgets=BUDGETS,
    deadline=st.none() | st.integers(-60, 7200).map(lambda s: START + timedelta(seconds=s)),
)
SCOPES = st.sampled_from(
    [
        "everything:*",
        "agent:a",
        "agent:b",
        "agent:c",
        "owner:lena",
        "tool:files/read",
        "upstream:mail",
        "task:t0",
    ]
)
EPOCHS = st.dictionaries(SCOPES, st.integers(1, 3), max_size=4)


def agent(name: str) -> Agent:
    """Return an agent whose owner bears its name."""
    return an_agent(name, owner=f"owner-{name}", groups=("all",))


def root(grants: tuple[Grant, ...], budgets: Budgets, rule: HandDown, epochs: dict[str, int]) -> Task:
    """Return a task of agent `a`."""
    return a_task(
        "t0",
        agent="a",
        owner="owner-a",
        on_behalf_of="lena",
        grants=grants,
        budgets=budgets,
        delegates=(rule,),
        epochs=epochs,
        opened=START,
        deadline=START + timedelta(hours=1),
    )


def handed(parent: Task, heir: str, wanted: BudgetShare, number: int, epochs: dict[str, int]) -> Task | None:
    """Return the child, or nothing where it is refused."""
    moment = Moment(task_id=f"t{number}", now=START, label=Label(), epochs=epochs, bundle="sha256:b")
    try:
        return child_of(parent, agent(heir), wanted, moment)
    except Forbidden:
        return None


CHAINS = st.lists(st.tuples(NAMES, WANTED, EPOCHS), max_size=4)
DEPTH_RULE = HandDown(("group:all",), 9)


def line_of(first: Task, steps: list[tuple[str, BudgetShare, dict[str, int]]]) -> list[Task]:
    """Hand a task down step by step; gives all that came of it, the root first."""
    line = [first]
    for number, (heir, wanted, epochs) in enumerate(steps, 1):
        child = handed(line[-1], heir, wanted, number, epochs)
        if child is not None:
            line.append(child)
    return line


@given(GRANTS, BUDGETS, CHAINS, ARGUMENTS, TOOLS)
def test_what_a_child_may_call_all_of_its_ancestors_may(
    grants: tuple[Grant, ...], budgets: Budgets, steps: Any, arguments: dict[str, Any], tool: str
) -> None:
    """Whatever arguments a child's grant permits, a grant of each ancestor permits."""
    line = line_of(root(grants, budgets, DEPTH_RULE, {}), steps)
    may = [any(not one.permits(arguments) for one in task.grants_for(tool)) for task in line]
    assert may == sorted(may, reverse=True)


@given(GRANTS, BUDGETS, CHAINS)
def test_time_and_budgets_only_shrink(grants: tuple[Grant, ...], budgets: Budgets, steps: Any) -> None:
    """Deadline and each budget are never above the parent's."""
    line = line_of(root(grants, budgets, DEPTH_RULE, {}), steps)
    for parent, child in pairwise(line):
        assert child.deadline <= parent.deadline
        for name in ("calls", "effectful_calls", "result_bytes"):
            theirs, own = getattr(parent.budgets, name), getattr(child.budgets, name)
            assert theirs is None or (own is not None and own <= theirs)


@given(GRANTS, BUDGETS, CHAINS)
def test_each_grant_is_counted_in_every_ancestor(
    grants: tuple[Grant, ...], budgets: Budgets, steps: Any
) -> None:
    """A child's grant names an account in each ancestor, of a grant of the same tool."""
    line = line_of(root(grants, budgets, DEPTH_RULE, {}), steps)
    for depth, task in enumerate(line[1:], 1):
        for one in task.grants:
            accounts = task.drawn_from[one.digest]
            assert {account.partition("#")[0] for account in accounts} == {above.id for above in line[:depth]}


@given(GRANTS, CHAINS, RULES)
def test_a_chain_has_no_cycle_and_is_no_deeper_than_all_agree(
    grants: tuple[Grant, ...], steps: Any, rule: HandDown
) -> None:
    """A chain has no agent twice, no more levels than the rule, and no agent that the rule does not name."""
    line = line_of(root(grants, Budgets(), rule, {}), steps)
    last = line[-1]
    assert len(set(last.actors)) == len(last.actors) <= MAX_CHAIN
    assert len(line) - 1 <= (rule.max_depth if rule.to else 0)
    assert all(rule.names(agent(name)) for name in last.actors[:-1])
    assert len({task.id for task in line}) == len(line)
    assert last.ancestors == tuple(task.id for task in reversed(line[:-1]))


@given(GRANTS, CHAINS, EPOCHS, EPOCHS)
def test_what_ended_an_ancestor_ends_the_child(
    grants: tuple[Grant, ...], steps: Any, before: dict[str, int], raised: dict[str, int]
) -> None:
    """Wherever a fence has risen over the parent, it has risen over the child; a child forgets none."""
    line = line_of(root(grants, Budgets(), DEPTH_RULE, before), steps)
    current = {name: before.get(name, 0) + by for name, by in raised.items()}
    for parent, child in pairwise(line):
        assert set(parent.scopes) <= set(child.scopes)
        for scope in (*parent.scopes, "tool:files/read", "upstream:mail"):
            if risen(parent.epochs, current, (scope,)):
                assert risen(child.epochs, current, (scope,))


@given(GRANTS, CHAINS)
def test_intent_and_person_go_down_unchanged(grants: tuple[Grant, ...], steps: Any) -> None:
    """An agent's request is never intent, and the person acted for never changes."""
    line = line_of(root(grants, Budgets(), DEPTH_RULE, {}), steps)
    assert all(task.intent == line[0].intent for task in line)
    assert {task.on_behalf_of for task in line} == {"lena"}


def test_a_child_of_an_agent_that_was_ended_before_begins_anew() -> None:
    """Its own agent's earlier end does not count; that of its parent's agent since then does."""
    parent = root((Grant("files/read", other_arguments=True),), Budgets(), DEPTH_RULE, {"agent:b": 1})
    child = handed(parent, "b", BudgetShare(), 1, {"agent:b": 2, "agent:a": 5})
    assert child is not None
    assert child.epochs == {"agent:b": 2}
    assert inherited_epochs(parent, child, {"agent:b": 2, "agent:a": 5}) == {"agent:b": 2}


def test_ceilings_are_plain_values() -> None:
    """The strategies above make grants with ceilings, so that accounts are worth something."""
    assert Grant("files/read", ceilings=Ceilings(calls=1)).calls == 1
