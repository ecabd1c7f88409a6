# SPDX-License-Identifier: Apache-2.0
"""A figure's goal is judged on its value, on its ratio to a yardstick, or on what it adds to one."""

from bench.figure import Figure, Goal
from bench.load import Tally
from bench.measure import Cpus, Measured, figures
from bench.report import judged as all_judged


def figure(name: str, value: float, unit: str = "ms") -> Figure:
    """A figure without yardstick or goal."""
    return Figure(name=name, value=value, unit=unit, how="measured")


FIGURES = {
    f.name: f
    for f in (
        figure("ours: p50", 1.2),
        figure("theirs: p50", 0.4),
        figure("disk: sync", 0.3),
        figure("ours: rate", 3_000, "calls/s"),
        figure("theirs: rate", 9_000, "calls/s"),
    )
}


def judged(goal: Goal) -> tuple[bool | None, str | None]:
    """Verdict and words of a goal."""
    found = goal.judge(FIGURES)
    assert found is not None
    return found.met, found.target


def test_a_bound_on_a_value_is_judged_alone() -> None:
    """Without a yardstick the value itself is bounded."""
    assert judged(Goal(name="ours: rate", at_least=3_000)) == (True, ">= 3000 calls/s")
    assert judged(Goal(name="ours: p50", at_most=1)) == (False, "<= 1 ms")


def test_a_bound_with_a_yardstick_is_on_the_ratio() -> None:
    """A third of the yardstick is a ratio of 1/3."""
    goal = Goal(name="ours: rate", yardstick="theirs: rate", at_least=1 / 3)
    found = goal.judge(FIGURES)
    assert found is not None
    assert found.met
    assert (found.value, found.ratio, found.yardstick) == (3_000, 3_000 / 9_000, "theirs: rate")
    assert found.name == "ours: rate, against theirs"


def test_what_is_added_may_grow_by_a_measured_cost() -> None:
    """Latency added is bounded by a constant and, where asked, by a figure of the same run."""
    bare = Goal(name="ours: p50", yardstick="theirs: p50", added=True, at_most=0.6)
    assert judged(bare) == (False, "added <= 0.6 ms")
    widened = Goal(name="ours: p50", yardstick="theirs: p50", added=True, at_most=0.6, plus="disk: sync")
    assert judged(widened) == (True, "added <= 0.9 ms")


def test_a_goal_without_its_figures_is_not_judged() -> None:
    """A run of only some targets has no verdict about the others."""
    assert Goal(name="absent: p50", at_most=1).judge(FIGURES) is None
    assert Goal(name="ours: p50", yardstick="absent: p50", at_most=1).judge(FIGURES) is None
    assert Goal(name="ours: p50", at_most=1, plus="absent: sync").judge(FIGURES) is None


def test_a_verdict_that_is_no_figure_of_its_own_is_shown_beside_the_figures() -> None:
    """A bound on a value is part of its figure; one on a ratio is a line more."""
    goals = [
        Goal(name="ours: rate", at_least=3_000),
        Goal(name="ours: rate", yardstick="theirs: rate", at_least=1 / 3),
    ]
    found = [one.name for one in all_judged(FIGURES.values(), goals, {})]
    assert found == [*(one.name for one in FIGURES.values()), "ours: rate, against theirs"]


def test_a_figure_of_several_passes_is_their_median_and_its_faults_are_their_sum() -> None:
    """A pass in which the machine was slow changes nothing; a wrong answer in any pass counts."""

    def tally(p50_ms: float, errors: int) -> Tally:
        return Tally(
            calls=10, errors=errors, elapsed_s=1.0, p50_ms=p50_ms, p99_ms=2.0, cpu_s=0.001, first_errors=[]
        )

    passes = [
        Measured(
            alone=tally(p50_ms, 0),
            loaded=tally(p50_ms, errors),
            soaked=None,
            cpu_us=p50_ms,
            upstream_us=7.0,
            peak_mb=50.0 + p50_ms,
            sent=20,
            ready_s=1.0,
        )
        for p50_ms, errors in ((1.0, 0), (9.0, 2), (3.0, 1))
    ]
    found = {one.name: one.value for one in figures("ours", passes, Cpus(None, None))}
    assert found["ours: p50 at concurrency 1"] == 3.0
    assert found["ours: CPU per call"] == 3.0
    assert found["ours: CPU per call, client"] == 100
    assert found["ours: wrong or missing answers"] == 3
    assert found["ours: peak memory"] == 53.0
