# SPDX-License-Identifier: Apache-2.0
"""W3C Trace Context: the only data beside a call that is forwarded.

Only `traceparent`, which names a trace in hexadecimal. `tracestate` and `baggage` are free text: data outside
of arguments is in no grant, no decision and no evidence, so it is not forwarded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from remit.core.json_value import Json

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
#: Tracing headers; they are no parameters of any API.
TRACING: Final = ("traceparent", "tracestate", "baggage")


def travelling(beside: Mapping[str, Json]) -> dict[str, Json]:
    """Return the part of the data beside a call that may be forwarded; omit a malformed value."""
    value = beside.get("traceparent")
    return {"traceparent": value} if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else {}
