# SPDX-License-Identifier: Apache-2.0
"""Evidence: reading, proving and exporting events."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final

import msgspec
from starlette.responses import Response, StreamingResponse

from remit.api.http_messages import HEADERS
from remit.api.rest.representations import MomentText, View, read_moment
from remit.api.rest.route import Body, Endpoint, RestRequest
from remit.core.decisions.decision import Outcome
from remit.core.errors import Malformed
from remit.core.evidence.chain import Chain
from remit.core.evidence.event import CallOutcome, EventKind
from remit.core.json_value import Json
from remit.ports.evidence.log import Head
from remit.services.evidence.assembly import EvidenceServices
from remit.services.evidence.event_search import EventSearch, ToolTally
from remit.services.evidence.log import Evidence
from remit.services.identity.permissions import Duty

#: The outcomes of decisions and of calls.
OUTCOMES: Final = (*(one.value for one in Outcome), *(one.value for one in CallOutcome))


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRooms:
    """The rooms that these endpoints work with."""

    evidence: EvidenceServices


class EventFilter(Body, frozen=True, kw_only=True):
    """Filter for events, which are always returned in order.

    Either the first events from index `start` (negative: counted from the end), or the last events below
    index `before`. `kinds` are separated by commas. `since` is included, `until` is not. `tool` is a tool's
    id, or an upstream for all of its tools. `person` is the person of the event's task, or the subject of its
    values, such as the person who acted. `call` is a decision's id. `data_class` and `category` are those of
    data that a call read, or that its task carried.
    """

    start: int = 0
    before: Annotated[int, msgspec.Meta(ge=0)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    kinds: str = ""
    task: str = ""
    since: MomentText = ""
    until: MomentText = ""
    agent: str = ""
    person: str = ""
    tool: str = ""
    outcome: str = ""
    call: str = ""
    data_class: str = ""
    category: str = ""


class EventPage(View, frozen=True, kw_only=True):
    """Events as they are in the log, with their values if these are still readable.

    An event that was changed in the store has only its `index`, and the reason in `damaged`. `next` is the
    `start` of the next page, `previous` the `before` of the previous one; `None` at either end. A page looks
    at a bounded number of events: it may be empty although there are more. `size` is the number of events in
    the log.
    """

    items: tuple[dict[str, Json], ...]
    next: int | None
    previous: int | None
    size: int


class SummaryFilter(Body, frozen=True, kw_only=True):
    """Which calls to count, as in `EventFilter`; `zone_min` is the time zone of the days, in minutes east."""

    since: MomentText = ""
    until: MomentText = ""
    agent: str = ""
    person: str = ""
    tool: str = ""
    task: str = ""
    zone_min: Annotated[int, msgspec.Meta(ge=-1440, le=1440)] = 0


class CallSummary(View, frozen=True, kw_only=True):
    """The calls by tool and day; `complete` is false if there were too many to count."""

    items: tuple[ToolTally, ...]
    complete: bool


class HeadView(View, frozen=True, kw_only=True):
    """The signed head of the log: size, Merkle root (hex), C2SP signed note, and public key."""

    origin: str
    size: int
    root: str
    checkpoint: str
    verifier: str


class GrowthFilter(Body, frozen=True, kw_only=True):
    """`old` is the earlier size of the log, from which to prove consistency."""

    old: Annotated[int, msgspec.Meta(ge=1)]


class GrowthView(HeadView, frozen=True, kw_only=True):
    """The signed head, and a consistency proof for the first `old` events (RFC 6962 section 2.1.2).

    The proof is the list of hashes (base64) that lead from the root of the first `old` events to the current
    root.
    """

    old: int
    proof: tuple[str, ...]


class ExportFilter(Body, frozen=True, kw_only=True):
    """What to export: everything, or one task; `values=false` leaves out the events' values."""

    task: str = ""
    values: bool = True


class PruneOrder(Body, frozen=True, kw_only=True):
    """Prune events from before a time (ISO 8601), at least 30 days ago.

    `without_export`: no export has to have taken them.
    """

    before: MomentText
    reason: str = ""
    without_export: bool = False


class PruneView(View, frozen=True, kw_only=True):
    """How many events were pruned, how many of the same age stay, and why it ended where it did."""

    before: str
    pruned: int
    held: int
    ended: str


async def events(errand: RestRequest[EvidenceRooms]) -> EventPage:
    """Return a page of events."""
    wanted: EventFilter = errand.query
    kinds = tuple(kind for kind in wanted.kinds.split(",") if kind)
    for kind in kinds:
        if kind not in set(EventKind):
            raise Malformed(
                f"event kind `{kind[:80]}` does not exist", remediation="see docs/reference/events.md"
            )
    if wanted.outcome not in ("", *OUTCOMES):
        raise Malformed(
            f"outcome `{wanted.outcome[:80]}` does not exist",
            remediation=f"give one of {', '.join(OUTCOMES)}",
        )
    rooms = errand.rooms.evidence
    size = await rooms.log.size()
    start = max(0, size + wanted.start) if wanted.start < 0 else wanted.start
    sought = _sought(wanted, kinds)
    if sought == EventSearch(kinds=kinds, task=wanted.task):
        found = await rooms.log.pages(
            start=start, before=wanted.before, limit=wanted.limit, kinds=kinds, task=wanted.task
        )
        full = len(found) == wanted.limit
        # A query with `before` cannot know that there is no next page; a query with `start` cannot know that
        # there is no previous one.
        after = found[-1].index + 1 if found and (full or wanted.before is not None) else None
        earlier = found[0].index if found and found[0].index and (full or wanted.before is None) else None
    else:
        part = await rooms.searches.search(sought, start=start, before=wanted.before, limit=wanted.limit)
        found = part.entries
        after = part.reached if wanted.before is None else found[-1].index + 1 if found else None
        earlier = part.reached if wanted.before is not None else found[0].index if found else None
    items = tuple(rooms.log_reading.shown(one) for one in found)
    return EventPage(items=items, next=after, previous=earlier, size=size)


def _sought(wanted: EventFilter | SummaryFilter, kinds: tuple[str, ...] = ()) -> EventSearch:
    return EventSearch(
        since=read_moment(wanted.since),
        until=read_moment(wanted.until),
        kinds=kinds,
        task=wanted.task,
        agent=wanted.agent,
        person=wanted.person,
        tool=wanted.tool,
        outcome=wanted.outcome if isinstance(wanted, EventFilter) else "",
        call=wanted.call if isinstance(wanted, EventFilter) else "",
        data_class=wanted.data_class if isinstance(wanted, EventFilter) else "",
        category=wanted.category if isinstance(wanted, EventFilter) else "",
    )


async def summary(errand: RestRequest[EvidenceRooms]) -> CallSummary:
    """Count the calls by tool and day."""
    wanted: SummaryFilter = errand.query
    zone = timedelta(minutes=wanted.zone_min)
    found = await errand.rooms.evidence.searches.tally(_sought(wanted), zone=zone)
    return CallSummary(items=tuple(found.tallies), complete=found.reached is None)


async def chain(errand: RestRequest[EvidenceRooms]) -> Chain:
    """Return the chain of events that led to a call."""
    return await errand.rooms.evidence.chains.of(errand.place["call"])


async def proof(errand: RestRequest[EvidenceRooms]) -> Response:
    """Return a proof that an event is in the log."""
    index = errand.place["index"]
    if not (index.isascii() and index.isdigit() and len(index) < 16):
        raise Malformed("the index of an event must be a number", remediation="see `remit audit log`")
    made = await errand.rooms.evidence.log.prove(int(index))
    return Response(made.encode(), media_type="text/plain; charset=utf-8", headers=HEADERS)


async def export(errand: RestRequest[EvidenceRooms]) -> StreamingResponse:
    """Stream an export, line by line."""
    wanted: ExportFilter = errand.query
    lines = errand.rooms.evidence.log.export(task=wanted.task, values=wanted.values)
    # The first line signs a checkpoint: errors occur here, before the response begins.
    first = await anext(lines)

    async def rest() -> AsyncIterator[bytes]:
        yield first
        async for line in lines:
            yield line

    return StreamingResponse(rest(), media_type="application/jsonl", headers=HEADERS)


async def head(errand: RestRequest[EvidenceRooms]) -> HeadView:
    """Return the signed head of the log."""
    evidence = errand.rooms.evidence.log
    return HeadView(**_head(evidence, await evidence.checkpoint()))


async def growth(errand: RestRequest[EvidenceRooms]) -> GrowthView:
    """Return a proof that the log still begins with its earlier content."""
    wanted: GrowthFilter = errand.query
    evidence = errand.rooms.evidence.log
    signed, hashes = await evidence.growth(wanted.old)
    proof = tuple(base64.b64encode(one).decode() for one in hashes)
    return GrowthView(**_head(evidence, signed), old=wanted.old, proof=proof)


async def prune(errand: RestRequest[EvidenceRooms]) -> PruneView:
    """Remove the text and the values of old events."""
    wanted: PruneOrder = errand.body
    before = read_moment(wanted.before)
    if before is None:
        raise Malformed("`before` is missing", remediation="give a time, such as `2026-01-01T00:00:00Z`")
    done = await errand.rooms.evidence.retention.prune(
        before, by=errand.by, reason=wanted.reason, exported=not wanted.without_export
    )
    return PruneView(before=done.before, pruned=done.pruned, held=done.held, ended=done.ended)


def _head(evidence: Evidence, signed: Head) -> dict[str, Any]:
    return {
        "origin": evidence.origin,
        "size": signed.size,
        "root": signed.root.hex(),
        "checkpoint": signed.note,
        "verifier": evidence.verifier,
    }


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/events",
        summary="Read the evidence, in order",
        serve=events,
        people=Duty.AUDIT,
        asks=EventFilter,
        gives=EventPage,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/events/summary",
        summary="Count the calls by tool and day",
        serve=summary,
        people=Duty.AUDIT,
        asks=SummaryFilter,
        gives=CallSummary,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/events/head",
        summary="Show the signed head of the log",
        serve=head,
        people=Duty.OVERSEE,
        gives=HeadView,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/events/growth",
        summary="Prove that the log still begins with its first events (RFC 6962 consistency proof)",
        serve=growth,
        people=Duty.OVERSEE,
        asks=GrowthFilter,
        gives=GrowthView,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/events/export",
        summary="Export the evidence for offline verification",
        serve=export,
        people=Duty.AUDIT,
        asks=ExportFilter,
        media="application/jsonl",
    ),
    Endpoint(
        method="POST",
        path="/api/v1/events/prune",
        summary="Remove the text and the values of old events, on record; hashes and proofs stay",
        serve=prune,
        people=Duty.ADMINISTER,
        takes=PruneOrder,
        gives=PruneView,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/chains/{call}",
        summary="Trace the causes of a call: a decision, the index of its event, or a task's last refusal",
        serve=chain,
        people=Duty.AUDIT,
        gives=Chain,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/events/{index}/proof",
        summary="Prove that an event is in the log (C2SP tlog-proof), verifiable offline",
        serve=proof,
        people=Duty.AUDIT,
        media="text/plain",
    ),
)
