# SPDX-License-Identifier: Apache-2.0
"""Evidence: reading events, proving them, exporting them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from starlette.responses import Response, StreamingResponse

from remit.api.http_messages import HEADERS
from remit.api.rest.representations import View
from remit.api.rest.route import Body, Endpoint, RestRequest
from remit.core.errors import Malformed
from remit.core.evidence.chain import Chain
from remit.core.evidence.event import EventKind
from remit.core.json_value import Json
from remit.ports.log import Head
from remit.services.evidence.log import Evidence
from remit.services.identity.permissions import Duty


class EventFilter(Body, frozen=True, kw_only=True):
    """Which events to give: the first from index `start` on (below 0 it counts from the end), or the last
    ones below index `before`; in order either way. `kinds` are separated by commas.
    """

    start: int = 0
    before: Annotated[int, msgspec.Meta(ge=0)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    kinds: str = ""
    task: str = ""


class EventPage(View, frozen=True, kw_only=True):
    """Events as they stand in the log, with their values where these can still be read. One that was changed
    in the store has only its `index`, and in `damaged` why.

    `next` is the `start` of the next page, and `previous` the `before` of the one before it; `None` at either
    end. `size` is the number of events in the log.
    """

    items: tuple[dict[str, Json], ...]
    next: int | None
    previous: int | None
    size: int


class HeadView(View, frozen=True, kw_only=True):
    """The signed head of the log: size, Merkle root (hex), the C2SP signed note, and the public key."""

    origin: str
    size: int
    root: str
    checkpoint: str
    verifier: str


class GrowthFilter(Body, frozen=True, kw_only=True):
    """`old` is how many events the log had when it was looked at before."""

    old: Annotated[int, msgspec.Meta(ge=1)]


class GrowthView(HeadView, frozen=True, kw_only=True):
    """The signed head, and the hashes (base64) that lead from the root over the first `old` events to its
    own (RFC 6962 section 2.1.2).
    """

    old: int
    proof: tuple[str, ...]


class ExportFilter(Body, frozen=True, kw_only=True):
    """What to export: everything, or one task; `values=false` leaves out what was said."""

    task: str = ""
    values: bool = True


async def events(errand: RestRequest) -> EventPage:
    """Return a page of events."""
    wanted: EventFilter = errand.query
    kinds = tuple(kind for kind in wanted.kinds.split(",") if kind)
    for kind in kinds:
        if kind not in set(EventKind):
            raise Malformed(
                f"event kind `{kind[:80]}` does not exist", remediation="see docs/reference/events.md"
            )
    size = await errand.house.evidence.size()
    start = max(0, size + wanted.start) if wanted.start < 0 else wanted.start
    found = await errand.house.evidence.pages(
        start=start, before=wanted.before, limit=wanted.limit, kinds=kinds, task=wanted.task
    )
    full = len(found) == wanted.limit
    # What is not asked for in order is not known to be the last, nor the first.
    after = found[-1].index + 1 if found and (full or wanted.before is not None) else None
    earlier = found[0].index if found and found[0].index and (full or wanted.before is None) else None
    items = tuple(errand.house.log_reading.shown(one) for one in found)
    return EventPage(items=items, next=after, previous=earlier, size=size)


async def chain(errand: RestRequest) -> Chain:
    """Return what led to a call."""
    return await errand.house.chains.of(errand.place["call"])


async def proof(errand: RestRequest) -> Response:
    """Prove that an event is in the log."""
    index = errand.place["index"]
    if not (index.isascii() and index.isdigit() and len(index) < 16):
        raise Malformed("the index of an event must be a number", remediation="see `remit audit log`")
    made = await errand.house.evidence.prove(int(index))
    return Response(made.encode(), media_type="text/plain; charset=utf-8", headers=HEADERS)


async def export(errand: RestRequest) -> StreamingResponse:
    """Return an export, line by line."""
    wanted: ExportFilter = errand.query
    lines = errand.house.evidence.export(task=wanted.task, values=wanted.values)
    # The first line signs a checkpoint: what can fail does so before an answer has begun.
    first = await anext(lines)

    async def rest() -> AsyncIterator[bytes]:
        yield first
        async for line in lines:
            yield line

    return StreamingResponse(rest(), media_type="application/jsonl", headers=HEADERS)


async def head(errand: RestRequest) -> HeadView:
    """Return the signed head."""
    evidence = errand.house.evidence
    return HeadView(**_head(evidence, await evidence.checkpoint()))


async def growth(errand: RestRequest) -> GrowthView:
    """Prove that the log still begins with what it was."""
    wanted: GrowthFilter = errand.query
    evidence = errand.house.evidence
    signed, hashes = await evidence.growth(wanted.old)
    proof = tuple(base64.b64encode(one).decode() for one in hashes)
    return GrowthView(**_head(evidence, signed), old=wanted.old, proof=proof)


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
