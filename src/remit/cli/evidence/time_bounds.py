# SPDX-License-Identifier: Apache-2.0
"""Times as people give them on the command line: `2h`, `3d`, `today`, or ISO 8601."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from remit.cli.exit_codes import UsageFault

_UNITS: Final = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAYS: Final = {"today": 0, "yesterday": 1}


def time_of(given: str, option: str, now: datetime | None = None) -> datetime | None:
    """Return the time that is meant; `None` for an empty text. A time without a zone is local time."""
    if not given:
        return None
    now = (now or datetime.now(UTC)).astimezone()
    if given in _DAYS:
        day = now.date() - timedelta(days=_DAYS[given])
        return datetime(day.year, day.month, day.day).astimezone()
    number = given.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = _UNITS.get(given[len(number) :])
    try:
        if unit is not None and number.isascii() and number.isdigit():
            return now - timedelta(**{unit: int(number)})
        return datetime.fromisoformat(given).astimezone()
    except (ValueError, OverflowError, OSError):
        raise UsageFault(
            f"`{given[:40]}` of `{option}` is not a time",
            remediation="write `2h`, `3d`, `today`, or a time such as `2027-01-31T09:00`",
        ) from None


def zone_min() -> int:
    """Return the time zone of this machine now, in minutes east of UTC."""
    offset = datetime.now(UTC).astimezone().utcoffset()
    return round(offset.total_seconds() / 60) if offset is not None else 0
