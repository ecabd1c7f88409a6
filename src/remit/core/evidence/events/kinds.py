# SPDX-License-Identifier: Apache-2.0
"""All kinds of events, each with its struct."""

from __future__ import annotations

from remit.core.evidence.event import EventBody, EventKind
from remit.core.evidence.events import (
    credentials,
    decisions,
    endings,
    findings,
    flow,
    guard,
    identity,
    people,
    signals,
    system,
    tasks,
    tools,
)

_MODULES = (
    credentials,
    decisions,
    endings,
    findings,
    flow,
    guard,
    identity,
    people,
    signals,
    system,
    tasks,
    tools,
)

#: The struct of each kind.
BODIES: dict[EventKind, type[EventBody]] = {
    one.KIND: one
    for module in _MODULES
    for one in vars(module).values()
    if isinstance(one, type) and issubclass(one, EventBody) and hasattr(one, "KIND")
}
