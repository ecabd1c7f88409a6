# SPDX-License-Identifier: Apache-2.0
"""The programme on the page of controls: each initiative with its figures, as they were counted so far."""

from __future__ import annotations

from typing import Final

import msgspec
from markupsafe import Markup

from remit.api.console.charts import trend_line
from remit.api.console.formats import clock
from remit.api.console.page import ROOT, ConsoleRequest, address_of
from remit.core.controls.programme import RunningFigures
from remit.core.controls.status import Count, share

#: Initiatives that the page shows.
SHOWN: Final = 50


class InitiativeCard(msgspec.Struct, frozen=True, kw_only=True):
    """One initiative in words. `at` leads to the event with which it crossed, `agent_at` to the agent."""

    title: str
    sponsor: str
    tier: str
    unannounced: bool
    crossed: str = ""
    tool: str = ""
    agent: str = ""
    at: str = ""
    agent_at: str = ""
    proven: str
    justified: str
    gone: str
    gone_why: str
    trend: str
    line: Markup
    friction: list[tuple[str, str]]


class ProgrammeCards(msgspec.Struct, frozen=True, kw_only=True):
    """The cards, and when and how far they were counted."""

    cards: list[InitiativeCard]
    more: int
    counted: str


async def programme_of(visit: ConsoleRequest) -> ProgrammeCards:
    """Return the programme; no event is read for it."""
    status = await visit.rooms.inspection.programme.status()
    when = f"up to {clock(status.last, visit.now)} UTC" if status.last is not None else "nothing yet"
    behind = status.size - status.counted
    counted = f"The last 30 days, counted {when}" + (
        f"; {behind:,} events are not counted yet" if behind else ""
    )
    return ProgrammeCards(
        cards=[_card(visit, one) for one in status.figures[:SHOWN]],
        more=max(0, len(status.figures) - SHOWN),
        counted=counted,
    )


def _card(visit: ConsoleRequest, one: RunningFigures) -> InitiativeCard:
    crossing, told = one.crossing, one.friction
    return InitiativeCard(
        title=one.initiative.title,
        sponsor=one.initiative.sponsor,
        tier=one.tier.word if one.tier is not None and crossing is not None else "",
        unannounced=one.unannounced,
        crossed=crossing.at[:16] if crossing else "",
        tool=crossing.tool if crossing else "",
        agent=crossing.agent if crossing else "",
        at=f"{ROOT}/evidence/{crossing.index}" if crossing else "",
        agent_at=address_of("agents", crossing.agent) if crossing else "",
        proven=_share(one.proven),
        justified=_share(one.justified),
        gone=one.gone.headline,
        gone_why=one.gone.says,
        trend=one.trend,
        line=trend_line([(each.day, each.hours) for each in one.hours], "permission-hours"),
        friction=[
            ("questions", told.per_100(told.questions)),
            ("seconds of waiting", told.per_100(told.waited_s)),
            ("refusals overturned", told.per_100(told.overturned)),
        ],
    )


def _share(count: Count) -> str:
    return f"{share(count)} of {count.total:,}" if count.total else "not measured"
