# SPDX-License-Identifier: Apache-2.0
"""The chain that led to a call, drawn on the server: one row a call, an arc for each link."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from remit.core.evidence.chain import Chain
from remit.core.safe_text import plain

_ROW: Final = 34
_LEFT: Final = 62
_WIDTH: Final = 560
#: Calls that are drawn, the last ones.
MOST: Final = 16


def chain_graph(chain: Chain) -> Markup:
    """Return the calls in order, the decided one last, with arcs from cause to effect."""
    calls = chain.calls[-MOST:]
    rows = {one.decision: place for place, one in enumerate(calls)}
    drawn = []
    for link in chain.edges:
        if link.cause not in rows or link.effect not in rows:
            continue
        top, end = sorted((rows[link.cause], rows[link.effect]))
        bend = _LEFT - 10 - min(44, 10 * (end - top))
        y1, y2 = top * _ROW + 17, end * _ROW + 17
        drawn.append(
            Markup('<path class="link {}" d="M{} {}C{} {} {} {} {} {}"/>').format(
                link.kind, _LEFT, y1, bend, y1, bend, y2, _LEFT - 6, y2
            )
        )
    for place, one in enumerate(calls):
        agent = next((task.agent for task in chain.tasks if task.id == one.task), "")
        outcome = {"permit": "permitted", "deny": "refused", "defer": "asked"}.get(one.outcome, "")
        drawn.append(
            Markup(
                '<a href="/console/decisions/{}"><circle class="{}" cx="{}" cy="{}" r="5"/>'
                '<text x="{}" y="{}"><tspan class="name">{}</tspan> {}</text></a>'
            ).format(
                one.decision,
                outcome,
                _LEFT,
                place * _ROW + 17,
                _LEFT + 14,
                place * _ROW + 21,
                _short(one.tool, 34),
                _short(" · ".join(part for part in (agent, one.about) if part), 48),
            )
        )
    says = f"{len(calls)} calls, the last one is the call of this decision"
    return Markup('<svg class="chain" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _WIDTH, len(calls) * _ROW, says, Markup("").join(drawn)
    )


def _short(text: str, most: int) -> str:
    text = plain(" ".join(text.split()))
    return text if len(text) <= most else text[: most - 1] + "…"
