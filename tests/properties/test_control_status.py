# SPDX-License-Identifier: Apache-2.0
"""The status of a control never rises by what does not hold, and nothing that was not measured is met."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from remit.core.controls.control import Control, MeasuredCheck, Mechanism
from remit.core.controls.status import ControlStatus, Count, check_status, control_status, share

#: The order of the law; what was not measured is no better than what is not met.
_RANK = {
    ControlStatus.MET: 0,
    ControlStatus.PARTLY: 1,
    ControlStatus.NOT_MEASURED: 2,
    ControlStatus.NOT_MET: 2,
}


@st.composite
def checks(draw: st.DrawFn) -> MeasuredCheck:
    """Return a check with any thresholds."""
    partly = draw(st.integers(1, 100))
    return MeasuredCheck(measure="m", met=draw(st.integers(partly, 100)), partly=partly)


@st.composite
def counts(draw: st.DrawFn) -> Count:
    """Return a count, often of few or none."""
    holding, unknown, failing = (draw(st.integers(0, 40)) for _ in range(3))
    return Count(total=holding + unknown + failing, holding=holding, unknown=unknown)


def a_control(measured: list[MeasuredCheck], at_best: str) -> Control:
    """Return a control with these checks."""
    return Control(
        id="X",
        title="x",
        asks="x",
        answered_by=(Mechanism(says="x", see="x"),),
        checks=tuple(measured),
        outside="x",
        next="x",
        at_best=at_best,  # type: ignore[arg-type]
    )


@given(
    st.lists(st.tuples(checks(), counts()), min_size=1, max_size=4),
    st.sampled_from(["met", "partly"]),
    st.integers(0, 3),
    st.booleans(),
)
def test_an_exception_never_improves(
    measured: list[tuple[MeasuredCheck, Count]], at_best: str, place: int, known: bool
) -> None:
    """Neither one that is known, nor a subject of which the export does not tell."""
    control = a_control([check for check, _ in measured], at_best)
    before = [check_status(check, count) for check, count in measured]
    check, count = measured[place % len(measured)]
    more = Count(total=count.total + 1, holding=count.holding, unknown=count.unknown + (not known))
    after = list(before)
    after[place % len(measured)] = check_status(check, more)
    assert all(_RANK[now] >= _RANK[then] for now, then in zip(after, before, strict=True))
    assert _RANK[control_status(control, after)] >= _RANK[control_status(control, before)]


@given(st.lists(st.tuples(checks(), counts()), min_size=1, max_size=4), st.sampled_from(["met", "partly"]))
def test_withholding_values_never_improves(measured: list[tuple[MeasuredCheck, Count]], at_best: str) -> None:
    """An export without values has no better status than one with them."""
    control = a_control([check for check, _ in measured], at_best)
    told = [check_status(check, count) for check, count in measured]
    withheld = [
        check_status(check, Count(total=count.total, holding=0, unknown=count.total))
        for check, count in measured
    ]
    assert _RANK[control_status(control, withheld)] >= _RANK[control_status(control, told)]


@given(st.lists(st.tuples(checks(), counts()), min_size=1, max_size=4), st.sampled_from(["met", "partly"]))
def test_met_means_that_everything_was_measured_and_met(
    measured: list[tuple[MeasuredCheck, Count]], at_best: str
) -> None:
    """Each check has subjects and reaches its share; and the greater part is not outside."""
    control = a_control([check for check, _ in measured], at_best)
    found = control_status(control, [check_status(check, count) for check, count in measured])
    reached = all(
        count.holding > 0 and count.holding / count.total >= check.met / 100 for check, count in measured
    )
    assert (found is ControlStatus.MET) == (reached and at_best == "met")


@given(counts())
def test_only_all_are_a_hundred_percent(count: Count) -> None:
    """A share is rounded down."""
    assert (share(count) == "100 %") == (count.holding == count.total > 0)


def test_a_control_without_checks_is_outside() -> None:
    """remit cannot know, so it does not say."""
    assert control_status(a_control([], "met"), []) is ControlStatus.OUTSIDE
