# SPDX-License-Identifier: Apache-2.0
"""Times as people give them."""

from datetime import UTC, datetime, timedelta

import pytest

from remit.cli.evidence.time_bounds import time_of
from remit.cli.exit_codes import UsageFault

NOW = datetime(2027, 3, 4, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2h", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
        ("15m", NOW - timedelta(minutes=15)),
        ("90s", NOW - timedelta(seconds=90)),
        ("2w", NOW - timedelta(weeks=2)),
        ("2027-03-01T10:00:00Z", datetime(2027, 3, 1, 10, tzinfo=UTC)),
        ("2027-03-01T10:00:00+02:00", datetime(2027, 3, 1, 8, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_moment_or_so_long_ago(given: str, expected: datetime) -> None:
    """ISO 8601 with a zone is that moment."""
    assert time_of(given, "--since", NOW) == expected


def test_days_are_those_of_this_machine() -> None:
    """`today` begins at midnight here, and so does a date."""
    local = NOW.astimezone()
    today = time_of("today", "--since", NOW)
    assert today is not None
    assert today.replace(tzinfo=None) == datetime(local.year, local.month, local.day)  # noqa: DTZ001 - local
    assert time_of(local.date().isoformat(), "--since", NOW) == today
    assert time_of("yesterday", "--since", NOW) == time_of(
        (local.date() - timedelta(days=1)).isoformat(), "--since", NOW
    )


def test_nothing_is_no_time() -> None:
    """An option that was not given is none."""
    assert time_of("", "--since", NOW) is None


@pytest.mark.parametrize("given", ["soon", "h", "2y", "-2h", "²h", "99999999999999d", "2027-13-01"])
def test_what_is_not_a_time_says_how_to_write_one(given: str) -> None:
    """The option is named."""
    with pytest.raises(UsageFault, match="--since") as caught:
        time_of(given, "--since", NOW)
    assert "3d" in caught.value.remediation
