# SPDX-License-Identifier: Apache-2.0
"""The evidence: events that are searched, calls that are counted, the export, and the proof of one event."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response, StreamingResponse

from remit.api.console.charts import day_bars, share_bar
from remit.api.console.event_sentences import sentence_of
from remit.api.console.evidence_rows import EventRow, checked_row
from remit.api.console.page import ROOT, ConsoleRequest
from remit.api.oauth.browser.rendering import HEADERS
from remit.api.rest.evidence import OUTCOMES
from remit.api.rest.representations import read_moment
from remit.core.errors import Malformed, NotFound
from remit.core.evidence.event import EventKind
from remit.core.evidence.merkle import leaf_hash
from remit.services.evidence.event_search import EventSearch

#: Events of one page.
SHOWN: Final = 50
#: Events that the search of one page looks at.
LOOKED_AT: Final = 10_000
#: Events that are looked at to count calls, the last ones.
TALLIED: Final = 50_000
#: Days that are counted where a search names no beginning, and tools that the count names.
COUNTED: Final = timedelta(days=14)
TOOLS: Final = 12
#: Those that a page folds away while they are empty.
MORE: Final = ("task", "call", "outcome", "data_class", "category", "since", "until")
#: The fields of a search, as in the address.
FIELDS: Final = ("agent", "person", "tool", "kind", *MORE)
#: What a search can be for by one word: several kinds at once.
GROUPS: Final = {
    "calls": (EventKind.DECISION_MADE, EventKind.REFUSALS_COUNTED, EventKind.TOOL_CALLED),
    "data": (EventKind.DATA_READ, EventKind.LABEL_RAISED, EventKind.LABEL_LOWERED),
    "actions": (EventKind.ACTION_EXECUTED,),
    "questions": (EventKind.APPROVAL_REQUESTED, EventKind.APPROVAL_DECIDED),
    "tasks": tuple(one for one in EventKind if one.startswith(("task.", "plan."))),
    "endings": tuple(one for one in EventKind if one.startswith(("fence.", "closure.", "lease."))),
    "policies": tuple(
        one for one in EventKind if one.startswith(("bundle.", "shadow.", "change.", "policy."))
    ),
    "people": tuple(one for one in EventKind if one.startswith(("person.", "consent.", "delegation."))),
    "agents": tuple(one for one in EventKind if one.startswith(("agent.", "token.", "svid."))),
    "tools": tuple(
        one for one in EventKind if one.startswith(("tool.", "upstream.")) and one != "tool.called"
    ),
}


class FoundPart(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a search, newest first: the indexes from which `older` and `newer` go on, None at an end."""

    rows: list[EventRow]
    older: int | None
    newer: int | None


async def show(visit: ConsoleRequest) -> Response:
    """Show the newest events of a search, or a page of them."""
    fields = {name: visit.asked(name).strip() for name in FIELDS}
    wanted = _sought(fields)
    size = await visit.rooms.evidence.log.size()
    before, start = _index(visit, "before"), _index(visit, "start")
    part = await _part(visit, wanted, size, before, start)
    given = {name: value for name, value in fields.items() if value}
    return await visit.show(
        "evidence.html",
        fields=fields,
        narrowed=bool(given),
        more_fields=any(fields[name] for name in MORE),
        rows=[(row, sentence_of(row) if not row.damaged else "") for row in part.rows],
        size=size,
        first=before is None and start is None,
        older="" if part.older is None else "?" + urlencode({**given, "before": part.older}),
        newer="" if part.newer is None else "?" + urlencode({**given, "start": part.newer}),
        newest="?" + urlencode(given),
        older_index=part.older,
        count_address=f"{ROOT}/evidence/calls?" + urlencode(given),
        groups=GROUPS,
        kinds=[one.value for one in EventKind],
        outcomes=OUTCOMES,
        classes=visit.rooms.policies.applied.bundle.classes.order,
        categories=_categories(visit),
    )


def _categories(visit: ConsoleRequest) -> list[str]:
    """Return the categories of data that descriptions of tools name."""
    tools = visit.rooms.policies.applied.bundle.tools.values()
    return sorted({category for tool in tools for category in tool.label.categories})


async def _part(
    visit: ConsoleRequest, wanted: EventSearch, size: int, before: int | None, start: int | None
) -> FoundPart:
    rooms = visit.rooms.evidence
    whole = wanted == EventSearch(kinds=wanted.kinds, task=wanted.task)
    place: dict[str, Any] = (
        {"start": start} if start is not None else {"before": size if before is None else before}
    )
    reached: int | None
    if whole:
        found = await rooms.log.pages(**place, limit=SHOWN, kinds=wanted.kinds, task=wanted.task)
        if start is None:
            reached = found[0].index if found and found[0].index and len(found) == SHOWN else None
        else:
            reached = found[-1].index + 1 if len(found) == SHOWN else None
    else:
        searched = await rooms.searches.search(wanted, **place, limit=SHOWN, most=LOOKED_AT)
        found, reached = searched.entries, searched.reached
    rows = [checked_row(rooms.log_reading.shown(one)) for one in reversed(found)]
    if start is None:
        top = rows[0].index + 1 if rows else before
        return FoundPart(rows=rows, older=reached or None, newer=None if before is None else top)
    bottom = rows[-1].index if rows else start
    return FoundPart(rows=rows, older=bottom or None, newer=reached)


def _index(visit: ConsoleRequest, name: str) -> int | None:
    text = visit.asked(name)
    if text and not (text.isascii() and text.isdigit() and len(text) < 16):
        raise Malformed(f"`{name}` is not the index of an event", remediation="go back to the newest events")
    return int(text) if text else None


def _sought(fields: dict[str, str]) -> EventSearch:
    kind, outcome = fields["kind"], fields["outcome"]
    if kind and kind not in GROUPS and kind not in set(EventKind):
        raise Malformed(f"event kind `{kind[:80]}` does not exist", remediation="choose one of the list")
    if outcome and outcome not in OUTCOMES:
        raise Malformed(f"outcome `{outcome[:80]}` does not exist", remediation="choose one of the list")
    kinds = GROUPS.get(kind, (kind,) if kind else ())
    return EventSearch(
        since=_moment(fields["since"]),
        until=_moment(fields["until"]),
        kinds=tuple(str(one) for one in kinds),
        task=fields["task"],
        agent=fields["agent"],
        person=fields["person"],
        tool=fields["tool"],
        outcome=outcome,
        call=fields["call"],
        data_class=fields["data_class"],
        category=fields["category"],
    )


def _moment(text: str) -> datetime | None:
    # A form's date and time have no zone: all times of the console are UTC.
    return read_moment(
        f"{text}+00:00" if "T" in text and len(text) <= 19 else f"{text}T00:00Z" if len(text) == 10 else text
    )


async def calls(visit: ConsoleRequest) -> Response:
    """Show how many calls of a search there were, by day and by tool."""
    fields = {name: visit.asked(name).strip() for name in FIELDS}
    sought = _sought(fields)
    wanted = EventSearch(
        since=sought.since or visit.now - COUNTED,
        until=sought.until,
        task=sought.task,
        agent=sought.agent,
        person=sought.person,
        tool=sought.tool,
    )
    start = max(0, await visit.rooms.evidence.log.size() - TALLIED)
    found = await visit.rooms.evidence.searches.tally(wanted, zone=timedelta(), start=start)
    days: dict[str, Counter[str]] = {}
    tools: dict[str, Counter[str]] = {}
    for one in found.tallies:
        days.setdefault(one.day, Counter()).update(one.decided)
        tools.setdefault(one.tool, Counter()).update(one.decided)
    most = max((counts.total() for counts in tools.values()), default=0)
    ordered = sorted(tools.items(), key=lambda item: (-item[1].total(), item[0]))
    return await visit.show(
        "evidence_calls.html",
        bars=day_bars({day: _three(counts) for day, counts in days.items() if counts}),
        tools=[(name, counts, share_bar(_three(counts), most)) for name, counts in ordered[:TOOLS]],
        hidden_tools=len(ordered) - TOOLS,
        total=sum(counts.total() for counts in tools.values()),
        since=wanted.since,
        assumed=sought.since is None,
        looked=TALLIED if start else 0,
        given=urlencode({name: value for name, value in fields.items() if value and name != "tool"}),
        back=f"{ROOT}/evidence?" + urlencode({name: value for name, value in fields.items() if value}),
    )


def _three(counts: Counter[str]) -> tuple[int, int, int]:
    return counts["permit"], counts["defer"], counts["deny"] + counts["observed"]


async def export(visit: ConsoleRequest) -> Response:
    """Stream the signed export: of everything, or of one task."""
    task, values = visit.asked("task"), visit.asked("values") != "no"
    lines = visit.rooms.evidence.log.export(task=task, values=values)
    # The first line signs a checkpoint: errors occur here, before the response begins.
    first = await anext(lines)

    async def rest() -> AsyncIterator[bytes]:
        yield first
        async for line in lines:
            yield line

    name = "task" if task else "evidence"
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}.jsonl"'}
    return StreamingResponse(rest(), media_type="application/jsonl", headers=headers)


async def event(visit: ConsoleRequest) -> Response:
    """Show one event with its leaf, its path and the signed checkpoint, which the browser verifies."""
    index, log = _event_index(visit), visit.rooms.evidence.log
    entry = await log.entry(index)
    proof = await log.prove(index)
    row = checked_row(visit.rooms.evidence.log_reading.shown(entry))
    return await visit.show(
        "event.html",
        index=index,
        row=row,
        sentence="" if row.damaged else sentence_of(row),
        leaf=proof.extra.decode(errors="replace"),
        leaf_hash=leaf_hash(proof.extra).hex(),
        path=[one.hex() for one in proof.path],
        note=proof.checkpoint.decode(),
        verifier=log.verifier,
        size=await log.size(),
    )


async def proof(visit: ConsoleRequest) -> Response:
    """Return the proof of one event (C2SP tlog-proof), as the REST interface does."""
    made = await visit.rooms.evidence.log.prove(_event_index(visit))
    return Response(made.encode(), media_type="text/plain; charset=utf-8", headers=HEADERS)


def _event_index(visit: ConsoleRequest) -> int:
    index = visit.part("index")
    if not (index.isascii() and index.isdigit() and len(index) < 16):
        raise NotFound("this is no event", remediation="go back to the evidence")
    return int(index)
