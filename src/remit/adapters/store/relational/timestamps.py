# SPDX-License-Identifier: Apache-2.0
"""The forms in which values stand in the tables: times that are sorted by, and bodies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Return microseconds since 1970, exactly: how times that are sorted by stand in the tables."""
    return (moment - _EPOCH_START) // _MICROSECOND


def moment(micros: int) -> datetime:
    """Return the moment back."""
    return _EPOCH_START + micros * _MICROSECOND


def text(value: object) -> str:
    """Return a value as the JSON text that the tables hold."""
    return msgspec.json.encode(value).decode()
