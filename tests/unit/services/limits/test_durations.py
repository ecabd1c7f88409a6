# SPDX-License-Identifier: Apache-2.0
"""How long things took lately."""

from remit.services.limits.durations import MOST, RecentTimes


def test_quantiles_are_of_the_last_ones_by_kind() -> None:
    """A time is one that there was; old ones are forgotten, and still counted."""
    times = RecentTimes()
    assert times.quantiles() == {}
    times.add("one", 7.0)
    assert times.quantiles() == {("one", 0.5): 7.0, ("one", 0.99): 7.0}
    for ms in range(1, MOST + 1):
        times.add("many", float(ms))
    assert (times.quantiles()["many", 0.5], times.quantiles()["many", 0.99]) == (501.0, 991.0)
    for _ in range(MOST):
        times.add("many", 1.0)
    assert times.quantiles()["many", 0.99] == 1.0
    assert times.counts == {"one": 1, "many": 2 * MOST}
    assert times.by_kind() == {"many": (1.0, 1.0), "one": (7.0, 7.0)}
