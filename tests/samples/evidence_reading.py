# SPDX-License-Identifier: Apache-2.0
"""Reading evidence in tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = Any


def permits(events: list[dict[str, Json]]) -> Iterator[dict[str, Json]]:
    """Yield the decisions by which a call was let through."""
    for event in events:
        if event["kind"] == "decision.made" and event["facts"]["outcome"] == "permit":
            yield event
