# SPDX-License-Identifier: Apache-2.0
"""The one form of time in a leaf."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.evidence.event import timestamp


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])))
def test_a_time_is_written_in_utc_with_six_digits(moment: datetime) -> None:
    """Whatever zone it is given in, and also where the fraction of its second is nothing."""
    try:
        at = moment.astimezone(UTC)
    except OverflowError:
        return
    assert timestamp(moment) == at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


@pytest.mark.parametrize("microsecond", [0, 1, 500_000, 123_450])
def test_no_digit_of_a_fraction_is_left_out(microsecond: int) -> None:
    """Six digits always."""
    moment = datetime(2026, 3, 1, 7, 5, 9, microsecond, UTC)
    assert timestamp(moment) == f"2026-03-01T07:05:09.{microsecond:06}Z"
