# SPDX-License-Identifier: Apache-2.0
"""Sizes, durations and amounts of money as people write them: `64 MiB`, `15s`, `1h 30m`, `2.50`."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

SIZE_PATTERN: Final = r"^[0-9]+ ?(B|KiB|MiB|GiB|kB|MB|GB)$"
DURATION_PATTERN: Final = r"^[0-9]+ ?(s|m|h|d)( ?[0-9]+ ?(s|m|h|d))*$"
MONEY_PATTERN: Final = r"^[0-9]{1,6}(\.[0-9]{1,6})?$"

_SIZE: Final = re.compile(r"([0-9]{1,18}) ?(B|KiB|MiB|GiB|kB|MB|GB)")
_DURATION: Final = re.compile(r"(?:[0-9]{1,9} ?[smhd] ?)+(?<! )")
_PART: Final = re.compile(r"([0-9]+) ?([smhd])")
_MONEY: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_BYTES: Final = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def size_bytes(written: object) -> int:
    """Return a size in bytes, from whole bytes or a number with a unit. Raises `ValueError`."""
    if type(written) is int and written >= 0:
        return written
    if isinstance(written, str) and (found := _SIZE.fullmatch(written)):
        return int(found[1]) * _BYTES[found[2]]
    raise ValueError("must be a size")


def duration_s(written: object) -> int:
    """Return a duration in seconds, from whole seconds or parts with units. Raises `ValueError`."""
    if type(written) is int and written >= 0:
        return written
    if isinstance(written, str) and _DURATION.fullmatch(written):
        return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(written))
    raise ValueError("must be a duration")


def money_millionths(written: object) -> int:
    """Return an amount of money in whole millionths. Raises `ValueError`.

    A number of YAML is read by its digits: these are exact, unlike its binary form.
    """
    text = f"{Decimal(repr(written)):f}" if type(written) in (int, float) else written
    if isinstance(text, str) and _MONEY.fullmatch(text):
        return int(Decimal(text) * 1_000_000)
    raise ValueError("must be an amount of money")


def shown_size(count: int) -> str:
    """Write a size with the largest unit that divides it."""
    for unit in ("GiB", "MiB", "KiB"):
        if count and count % _BYTES[unit] == 0:
            return f"{count // _BYTES[unit]} {unit}"
    return f"{count} B"


def shown_duration(seconds: int) -> str:
    """Write a duration with the largest unit that divides it."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds // _SECONDS[unit]}{unit}"
    return f"{seconds}s"
