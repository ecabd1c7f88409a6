# SPDX-License-Identifier: Apache-2.0
"""Times in queries."""

from datetime import UTC, datetime

import pytest

from remit.api.rest.representations import read_moment
from remit.core.errors import Malformed


def test_a_time_of_a_query_has_a_zone() -> None:
    """It is that moment, in UTC; without a text there is no time."""
    assert read_moment("2027-01-31T09:00:00+02:00") == datetime(2027, 1, 31, 7, tzinfo=UTC)
    assert read_moment("") is None


@pytest.mark.parametrize(
    "text", ["2027-13-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "\n"]
)
def test_what_is_no_time_of_a_log_is_refused(text: str) -> None:
    """Neither a month that does not exist, nor a time that cannot be computed with."""
    with pytest.raises(Malformed, match="is not a time"):
        read_moment(text)
