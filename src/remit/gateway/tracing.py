# SPDX-License-Identifier: Apache-2.0
"""W3C Trace Context and Baggage: all that travels of what an agent says beside a call, in narrow forms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

Json = Any

MAX_TRACE: Final = 512
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_TRACESTATE = re.compile(
    r"[a-z0-9][a-z0-9_\-*/@]{0,255}=[!-+\--<>-~]{1,256}(?:,[a-z0-9][a-z0-9_\-*/@]{0,255}=[!-+\--<>-~]{1,256}){0,31}"
)
_BAGGAGE = re.compile(
    r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}=[!#-+\--:<-\[\]-~]{0,256}(?:,[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}=[!#-+\--:<-\[\]-~]{0,256}){0,31}"
)
_TRAVELS: Final = {"traceparent": _TRACEPARENT, "tracestate": _TRACESTATE, "baggage": _BAGGAGE}
TRAVELS: Final = tuple(_TRAVELS)


def travelling(beside: Mapping[str, Json]) -> dict[str, Json]:
    """Give what may travel of what stands beside a call; what has another form is left out."""
    return {
        key: value
        for key, form in _TRAVELS.items()
        if isinstance(value := beside.get(key), str) and len(value) <= MAX_TRACE and form.fullmatch(value)
    }
