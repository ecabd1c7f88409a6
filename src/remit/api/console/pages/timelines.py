# SPDX-License-Identifier: Apache-2.0
"""The timeline of one task: what happened when, how long calls took, and how long it waited for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec
from markupsafe import Markup
from starlette.responses import Response

from remit.api.console.charts import span_bar
from remit.api.console.event_sentences import sentence_of
from remit.api.console.evidence_rows import EventRow, checked_row
from remit.api.console.page import ROOT, ConsoleRequest
from remit.core.evidence.event import EventKind
from remit.services.evidence.event_search import EventSearch
from remit.services.identity.permissions import Duty, see_task

#: Events of the task that the page reads, the last ones.
EVENTS: Final = 500
#: What is not drawn: it belongs to a row that is.
_PARTS: Final = frozenset(
    {
        EventKind.TOOL_CALLED,
        EventKind.APPROVAL_DECIDED,
        EventKind.DATA_READ,
        EventKind.ACTION_EXECUTED,
        EventKind.TOKEN_ISSUED,
        EventKind.NOTIFICATION_DUE,
    }
)
_OUTCOMES: Final = {"permit": "permitted", "deny": "refused", "defer": "asked"}


class TimelineRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row: a span of time, or a moment where `end` is None.

    `look` is the color of its bar: `permitted`, `asked`, `refused` or `moment`. `takes` is the duration in
    words, `open`: it has not ended.
    """

    says: Markup
    kind: str
    start: datetime
    end: datetime | None
    look: str
    link: str
    takes: str = ""
    open: bool = False
    bar: Markup = Markup("")


async def show(visit: ConsoleRequest) -> Response:
    """Show the timeline."""
    task = see_task(await visit.rooms.tasks.tasks.get(visit.part("task")), visit.someone)
    rooms = visit.rooms.evidence
    found = await rooms.searches.search(
        EventSearch(task=task.id), before=await rooms.log.size(), limit=EVENTS
    )
    rows = [checked_row(rooms.log_reading.shown(one)) for one in found.entries]
    audits = visit.may(Duty.AUDIT)
    if not audits:
        # Sealed values are shown to those who may read the evidence.
        rows = [msgspec.structs.replace(one, values={}) for one in rows]
    drawn = timeline(rows, visit.now if task.active_at(visit.now) else (task.ended or visit.now))
    first = min((one.start for one in drawn), default=task.opened)
    last = max((one.end or one.start for one in drawn), default=visit.now)
    return await visit.show(
        "timeline.html",
        task=task,
        rows=[
            msgspec.structs.replace(one, bar=span_bar(one.start, one.end, first, last, one.look))
            for one in drawn
        ],
        damaged=sum(bool(one.damaged) for one in rows),
        first=first,
        middle=first + (last - first) / 2,
        last=last,
        cut=found.reached is not None,
        most=EVENTS,
        audits=audits,
    )


def timeline(events: Iterable[EventRow], until: datetime) -> list[TimelineRow]:
    """Return a task's events as rows in order; what is still open goes on `until` then."""
    events = [one for one in events if not one.damaged]
    called = {one.call: one for one in events if one.kind == EventKind.TOOL_CALLED}
    answered = {one.facts.get("approval"): one for one in events if one.kind == EventKind.APPROVAL_DECIDED}
    asked = {one.facts.get("approval") for one in events if one.kind == EventKind.APPROVAL_REQUESTED}
    waits = Counter(_waits_for(one) for one in events)
    rows = []
    for one in events:
        if _waits_for(one) in asked:
            continue  # its question is drawn
        if one.kind == EventKind.DECISION_MADE:
            rows.append(_call(one, called.get(one.call), until))
        elif one.kind == EventKind.APPROVAL_REQUESTED:
            rows.append(
                _question(one, answered.get(one.facts["approval"]), waits[one.facts["approval"]], until)
            )
        elif one.kind not in _PARTS or (
            one.kind == EventKind.APPROVAL_DECIDED and one.facts.get("approval") not in asked
        ):
            look = "refused" if one.kind in (EventKind.TASK_ENDED, EventKind.FENCE_RAISED) else "moment"
            closure = one.facts.get("closure", "")
            link = f"{ROOT}/closures/{closure}" if closure else ""
            rows.append(
                TimelineRow(
                    says=sentence_of(one), kind=one.kind, start=one.at, end=None, look=look, link=link
                )
            )
    return rows


def _call(made: EventRow, end: EventRow | None, until: datetime) -> TimelineRow:
    goes_on = made.facts["outcome"] == "permit" or bool(made.facts.get("observed"))
    open_ = goes_on and end is None and not made.facts.get("enforced_by")
    ended = end.at if end is not None else until if open_ else None
    return TimelineRow(
        says=sentence_of(made),
        kind=made.kind,
        start=made.at,
        end=ended if goes_on else None,
        look=_OUTCOMES.get(made.facts["outcome"], "moment"),
        link=f"{ROOT}/decisions/{made.call}?at={made.index}",
        takes=_took(made.at, ended) if goes_on and ended is not None else "",
        open=open_,
    )


def _waits_for(row: EventRow) -> str:
    """Return the approval that a call waits for; empty for all other events."""
    waits = row.kind == EventKind.DECISION_MADE and row.facts["outcome"] == "defer"
    return str(row.facts.get("approval", "")) if waits else ""


def _question(asked: EventRow, answer: EventRow | None, times: int, until: datetime) -> TimelineRow:
    says = sentence_of(asked)
    if times > 1:
        says = Markup("{} (the agent asked {} times)").format(says, times)
    if answer is not None:
        says = Markup("{}; {}").format(says, sentence_of(answer))
    end = answer.at if answer is not None else until
    return TimelineRow(
        says=says,
        kind=asked.kind,
        start=asked.at,
        end=end,
        look="asked",
        link=f"{ROOT}/approvals/{asked.facts.get('approval', '')}",
        takes=_took(asked.at, end),
        open=answer is None,
    )


def _took(start: datetime, end: datetime) -> str:
    """Return a duration in words, with as many digits as matter."""
    passed = max(end - start, timedelta())
    milliseconds = passed / timedelta(milliseconds=1)
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = passed.total_seconds()
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    return (
        f"{minutes} min {int(seconds % 60)} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
    )
