# SPDX-License-Identifier: Apache-2.0
"""The risk of people, agents and tasks, as transmitters report it (CAEP 1.0, `risk-level-change`).

Each transmitter's last word counts, and of several the highest level. An unknown level counts as high.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from remit.core.circumstances.circumstances import RiskLevel
from remit.core.json_value import Json

#: Prefix of what is stored.
RISK: Final = "risk:"


class ReportedRisk(msgspec.Struct, frozen=True, kw_only=True):
    """One transmitter's last word on a scope (`person:ana`, `agent:bot`, `task:tsk_...`), and its time."""

    scope: str
    level: RiskLevel
    at: datetime
    transmitter: str

    @property
    def key(self) -> str:
        """The key under which it is stored."""
        return f"{RISK}{self.transmitter}:{self.scope}"


def level_of(payload: Mapping[str, Json]) -> RiskLevel:
    """Return the level that a `risk-level-change` states."""
    told = payload.get("current_level")
    try:
        return RiskLevel(told.lower()) if isinstance(told, str) else RiskLevel.HIGH
    except ValueError:
        return RiskLevel.HIGH
