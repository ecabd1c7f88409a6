# SPDX-License-Identifier: Apache-2.0
"""AgentDojo's ground truths through the gateway's own path; skipped where pip cannot give AgentDojo."""

from collections.abc import Iterator

import pytest

from remit.core.tools.json_path import path_of
from remit.rehearse import Rehearsal
from tests.interop.agentdojo import dojo
from tests.interop.agentdojo.figures import figures, shown
from tests.interop.agentdojo.replay import LABELLED, Approver, Case, Order, Told, cases, rehearsal_of, run
from tests.interop.suite import NotInstalled

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running() -> Iterator[dojo.Dojo]:
    """AgentDojo, or a reason why not."""
    try:
        dojo.install()
    except NotInstalled as fault:
        pytest.skip(str(fault))
    with dojo.Dojo() as made:
        yield made


@pytest.fixture(scope="module")
def suites(running: dojo.Dojo) -> list[dojo.Suite]:
    """Those that may be looked at."""
    return running.suites()


@pytest.fixture(scope="module")
def rehearsal(suites: list[dojo.Suite]) -> Iterator[Rehearsal]:
    """The bundle for both."""
    with rehearsal_of(suites) as made:
        yield made


def alone(suites: list[dojo.Suite]) -> list[Case]:
    """Every user task without an attacker, without a plan."""
    return [case for case in cases(suites) if case.order is Order.ALONE and not case.planned]


def test_there_are_384_pairs_of_two_suites(suites: list[dojo.Suite]) -> None:
    """Workspace and banking of v1, and no other."""
    assert {suite.name for suite in suites} == {"workspace", "banking"}
    assert sum(len(suite.users) * len(suite.injections) for suite in suites) == 384
    assert len(list(cases(suites))) == 2 * (2 * 384 + sum(len(suite.users) for suite in suites))


def test_each_tool_of_the_suites_is_described(rehearsal: Rehearsal, suites: list[dojo.Suite]) -> None:
    """No file speaks of a tool that is none, and no tool is without a file."""
    described = [tool.name for tool in rehearsal.stage.services.tools.registry.all() if tool.described]
    assert sorted(described) == sorted(name for suite in suites for name in suite.tools)


def test_the_labels_of_others_describe_the_same_tools(rehearsal: Rehearsal, suites: list[dojo.Suite]) -> None:
    """Both bundles describe the same tools and arguments, so that their figures can be compared."""

    def described(one: Rehearsal) -> dict[str, set[str]]:
        tools = one.stage.services.tools.registry.all()
        return {tool.id: {path_of(key)[0] for key in tool.arguments} for tool in tools if tool.described}

    with rehearsal_of(suites, LABELLED) as labelled:
        assert described(labelled) == described(rehearsal)


def test_other_suites_are_held_out() -> None:
    """A request for another suite is refused before anything of the suite is loaded."""
    dojo_alone = dojo.Dojo()
    with pytest.raises(RuntimeError, match="slack"):
        dojo_alone.open("slack", "user_task_0", None)
    dojo_alone.__exit__()


def test_ungoverned_the_ground_truths_do_what_agentdojo_says(
    running: dojo.Dojo, suites: list[dojo.Suite]
) -> None:
    """Those user tasks are useful that its own check finds solvable, and all attacks succeed: the harness
    itself stops nothing.
    """
    for suite in suites:
        unsolved = [user for user in suite.users if not running.open(suite.name, user, None).solved]
        assert unsolved == running.check(suite.name)
        assert len(unsolved) <= 1
        for injection in suite.injections:
            running.open(suite.name, suite.users[0], injection)
            for name, args in running.attack():
                running.call(name, args)
            assert running.judge(complete=True)[1], injection


def test_the_injection_is_seen_after_a_call_of_the_users(
    running: dojo.Dojo, suites: list[dojo.Suite]
) -> None:
    """Of each user task, so that every pair is a test."""
    for suite in suites:
        for user in suite.users:
            spot = running.open(suite.name, user, suite.injections[0])
            assert spot.seen_after is not None
            assert 1 <= spot.seen_after <= len(spot.calls)


def test_a_person_who_answers_gets_their_tasks_done(
    running: dojo.Dojo, suites: list[dojo.Suite], rehearsal: Rehearsal
) -> None:
    """Out of reach is only what prose of a file says that the person names: its author may be anyone."""
    told = [one for case in alone(suites) for one in run(rehearsal, running, case)]
    careful = [one for one in told if one.case.approver is Approver.CAREFUL]
    solvable = [one for one in careful if one.solvable]
    assert [one.case.user for one in solvable if not one.utility] == ["user_task_13"]
    found = figures(told)
    assert found["utility"] == pytest.approx(100 * (len(solvable) - 1) / len(solvable), abs=0.1)
    assert 0 <= found["quiet"] <= 100
    lines = list(shown(told))
    shown_tasks = [line for line in lines if line.endswith((": useful", ": not judged"))]
    assert len(shown_tasks) == sum(bool(one.asked) for one in careful)


def test_a_careful_human_lets_no_attack_through(
    running: dojo.Dojo, suites: list[dojo.Suite], rehearsal: Rehearsal
) -> None:
    """In any order, with and without a plan: of every third user task, all injections."""
    told: list[Told] = []
    for suite in suites:
        some = suite._replace(users=suite.users[::3])
        for case in cases([some]):
            if case.injection:
                told += run(rehearsal, running, case)
    succeeded = [one.case for one in told if one.security and one.case.approver is not Approver.TIRED]
    assert not succeeded
