# SPDX-License-Identifier: Apache-2.0
"""The circumstances of a call: what policies may read that neither the agent nor its arguments determine.

INVARIANT: nothing here is taken from the agent's own words. A fact that is not known has a word for it
(`unknown`, `none`) or is absent, and is never the harmless value.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Final

import msgspec

UNKNOWN: Final = "unknown"
#: The attestation of an agent that proved nothing.
UNATTESTED: Final = "none"


class RiskLevel(enum.StrEnum):
    """The risk of a session, as others report it (CAEP 1.0 section 3.8, `current_level`)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


RISKS: Final = (*(one.value for one in RiskLevel), UNKNOWN)
_RANKS: Final = {one: rank for rank, one in enumerate(RiskLevel)}


def worst_risk(levels: Iterable[RiskLevel]) -> str:
    """Return the highest of some levels; `unknown` where there is none."""
    return max(levels, key=_RANKS.__getitem__, default=UNKNOWN)


class BudgetUse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a task has used of its budgets before a call, and what is left; `None` where nothing bounds it.

    What is left is the least of the task's own budgets and those of every task above it. `family_calls` are
    the calls of all tasks of the family. Calls that are being decided count. `spend_left` is in millionths.
    """

    calls: int = 0
    effectful_calls: int = 0
    result_bytes: int = 0
    family_calls: int = 0
    calls_left: int | None = None
    effectful_calls_left: int | None = None
    result_bytes_left: int | None = None
    tokens_left: int | None = None
    spend_left: int | None = None
    sent_bytes_left: int | None = None


NOTHING_USED: Final = BudgetUse()


class Circumstances(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The circumstances of one call.

    - `windows`: the time windows of the configuration that are open.
    - `frozen`: a person has declared a change freeze.
    - `network`: the network zone of the connection that the call came by.
    - `risk`: the highest reported risk of the person, the agent and the task.
    - `findings`: the kinds of the open findings about the agent.
    """

    windows: tuple[str, ...] = ()
    frozen: bool = False
    network: str = UNKNOWN
    risk: str = UNKNOWN
    findings: tuple[str, ...] = ()
    budget: BudgetUse = NOTHING_USED


USUAL: Final = Circumstances()
