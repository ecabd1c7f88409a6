# SPDX-License-Identifier: Apache-2.0
"""The formats of values in the tables: sortable times, and JSON bodies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Return the exact microseconds since 1970, the table format of sortable times."""
    return (moment - _EPOCH_START) // _MICROSECOND


def moment(micros: int) -> datetime:
    """Return the time of a number of microseconds since 1970."""
    return _EPOCH_START + micros * _MICROSECOND


def text(value: object) -> str:
    """Return a value as the JSON text stored in the tables."""
    return msgspec.json.encode(value).decode()
