# SPDX-License-Identifier: Apache-2.0
"""The paths on which untrusted or private data can reach an effect, and what cuts them, before any call."""

from __future__ import annotations

from collections import Counter
from typing import Final

from starlette.responses import Response

from remit.api.console.page import ConsoleRequest
from remit.api.console.path_graph import PathRow, path_graph
from remit.core.errors import Malformed
from remit.core.policy.reach import GRANT, Openness, PathKind, ReachPath

#: Rows of the table, and paths that the graph is made of.
ROWS: Final = 100
DRAWN: Final = 300
LOOKS: Final = {Openness.OPEN: "open", Openness.ASKED: "asked", Openness.REFUSED: "refused"}
KINDS: Final = {
    PathKind.TOXIC: "private data and untrusted content meet an effect outside",
    PathKind.EFFECT: "untrusted content leads to an effect",
    PathKind.DISCLOSURE: "private data reaches an audience that may not learn it",
}


async def show(visit: ConsoleRequest) -> Response:
    """Show the graph and the table of the wanted paths."""
    found = await visit.rooms.inspection.reach.paths(by=visit.someone.name)
    kind, look = visit.asked("kind"), visit.asked("look")
    agent, task = visit.asked("agent").strip(), visit.asked("task").strip()
    if (kind and kind not in set(PathKind)) or (look and look not in LOOKS.values()):
        raise Malformed("there are no such paths", remediation="choose one of the list")
    wanted = [
        one
        for one in found
        if kind in ("", one.kind.value)
        and task in ("", one.runner.task_type.name)
        and agent in ("", *one.runner.agents)
        and look in ("", LOOKS[one.guard.openness])
    ]
    wanted.sort(key=lambda one: (one.guard.openness, one.kind is not PathKind.TOXIC, one.runner.name))
    counts = Counter(LOOKS[one.guard.openness] for one in wanted)
    return await visit.show(
        "paths.html",
        rows=[_row(one) for one in wanted[:ROWS]],
        hidden_rows=len(wanted) - ROWS,
        graph=path_graph([_row(one) for one in wanted[:DRAWN]]),
        counts={look: counts[look] for look in LOOKS.values()},
        total=len(found),
        narrowed=bool(kind or look or agent or task),
        asked={"kind": kind, "look": look, "agent": agent, "task": task},
        tasks=sorted({one.runner.task_type.name for one in found}),
        agents=sorted({name for one in found for name in one.runner.agents}),
        kinds={one.value: words for one, words in KINDS.items()},
        looks=tuple(LOOKS.values()),
    )


def _row(path: ReachPath) -> PathRow:
    tool = path.outlet.tool
    sources = path.sources if path.kind is not PathKind.TOXIC else (path.inflow.source.name,)
    pinned = path.outlet.pinned
    return PathRow(
        kind=path.kind,
        look=LOOKS[path.guard.openness],
        sources=sources,
        private=path.private.source.name if path.private is not None else "",
        via=tuple(one.name for one in path.inflow.route[1:-1]),
        task=path.runner.name,
        agents=path.runner.agents,
        tool=tool.id,
        effect=tool.effect.value,
        audience=tool.audience.name,
        cut_by=tuple(pinned if one == GRANT and pinned else one for one in path.guard.rules),
    )
