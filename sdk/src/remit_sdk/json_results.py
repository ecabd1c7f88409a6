# SPDX-License-Identifier: Apache-2.0
"""The result of a function as remit takes it."""

from __future__ import annotations

import json
from typing import Any, Final

Json = Any

#: Beyond it, parsers of JSON disagree, and remit takes no number (RFC 7493 section 2.2).
MAX_NUMBER: Final = 2**53 - 1
#: Below the depth of a request that remit takes by default, 64.
MAX_DEPTH: Final = 60
UNWRITTEN: Final = "a result that cannot be written as JSON, and was not released"


def sendable(value: Any) -> Json:
    """Return a value as JSON brings it back; return its text where JSON, or remit, cannot hold it."""
    try:
        plain = json.loads(json.dumps(value, allow_nan=False))
        if _fits(plain, MAX_DEPTH):
            return plain
    except (TypeError, ValueError, RecursionError):
        pass
    return text_of(value)


def text_of(value: Any) -> str:
    """Return the text of any value, with a mark for what is no character."""
    try:
        return str(value).encode("utf-8", "replace").decode()
    except Exception:  # noqa: BLE001 -- a value of the program may fail in any way
        return UNWRITTEN


def _fits(value: Json, depth: int) -> bool:
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= one <= "\udfff" for one in value)
    if isinstance(value, int | float):
        return abs(value) <= MAX_NUMBER
    if isinstance(value, dict):
        return depth > 0 and all(_fits(name, 0) and _fits(one, depth - 1) for name, one in value.items())
    return not isinstance(value, list) or (depth > 0 and all(_fits(one, depth - 1) for one in value))
