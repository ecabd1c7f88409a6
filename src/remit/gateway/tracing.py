# SPDX-License-Identifier: Apache-2.0
"""W3C Trace Context: the one thing that travels of what an agent says beside a call.

`traceparent` alone, which names a trace in hexadecimal. `tracestate` and `baggage` are free text: what
is in no argument is in no grant, no decision and no evidence, so it goes nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from remit.core.json_value import Json

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
#: Headers of tracing: no parameter of any API.
TRACING: Final = ("traceparent", "tracestate", "baggage")


def travelling(beside: Mapping[str, Json]) -> dict[str, Json]:
    """Return what may travel of what stands beside a call; what has another form is left out."""
    value = beside.get("traceparent")
    return {"traceparent": value} if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else {}
