# SPDX-License-Identifier: Apache-2.0
"""Time windows follow the clocks on the wall of their zone, over midnight and over changes of summer time."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from remit.core.circumstances.time_window import TimeWindow

OFFICE = TimeWindow(zone="Europe/Berlin", days=frozenset(range(5)), opens=time(8), closes=time(18))
NIGHT = TimeWindow(zone="America/New_York", days=frozenset({4}), opens=time(22), closes=time(6))
SUNDAY = TimeWindow(zone="UTC", days=frozenset({6}), opens=time(0), closes=time(0))


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "moment", "is_open"),
    [
        (OFFICE, "2026-01-05T06:59:59", False),  # Monday, 07:59 in winter
        (OFFICE, "2026-01-05T07:00:00", True),
        (OFFICE, "2026-01-05T16:59:59", True),
        (OFFICE, "2026-01-05T17:00:00", False),
        (OFFICE, "2026-01-04T12:00:00", False),  # Sunday
        (OFFICE, "2026-07-06T06:00:00", True),  # Monday, 08:00 in summer
        (OFFICE, "2026-07-06T16:00:00", False),
        (OFFICE, "2026-03-27T06:59:00", False),  # the Friday before the clocks change
        (OFFICE, "2026-03-30T06:00:00", True),  # the Monday after
        (NIGHT, "2026-01-10T02:59:59", False),  # Friday, 21:59 there
        (NIGHT, "2026-01-10T03:00:00", True),
        (NIGHT, "2026-01-10T10:59:59", True),  # Saturday, 05:59
        (NIGHT, "2026-01-10T11:00:00", False),
        (NIGHT, "2026-01-09T10:00:00", False),  # Friday morning belongs to Thursday
        (SUNDAY, "2026-01-03T23:59:59", False),
        (SUNDAY, "2026-01-04T00:00:00", True),
        (SUNDAY, "2026-01-04T23:59:59", True),
        (SUNDAY, "2026-01-05T00:00:00", False),
    ],
)
def test_a_window_is_open_by_the_clocks_of_its_zone(window: TimeWindow, moment: str, is_open: bool) -> None:
    """From its opening until just before its closing."""
    assert window.open_at(at(moment)) is is_open
