# SPDX-License-Identifier: Apache-2.0
"""The log as static files (c2sp.org/tlog-tiles): checkpoint, hash tiles, bundles of entries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from remit.api.http_messages import HEADERS
from remit.api.rest.evidence import EvidenceRooms
from remit.api.rest.route import Endpoint, RestRequest
from remit.core.errors import NotFound
from remit.core.evidence.tile import ENTRIES, Tile
from remit.services.evidence.assembly import EvidenceServices
from remit.services.identity.permissions import Duty

CHECKPOINT_PATH: Final = "/tlog/checkpoint"
ENTRIES_PATH: Final = "/tlog/tile/entries/{place:path}"
TILE_PATH: Final = "/tlog/tile/{level}/{place:path}"
_YEAR: Final = "max-age=31536000, immutable"


async def _checkpoint(evidence: EvidenceServices, *, public: bool) -> Response:
    scope = "public" if public else "private"
    return Response(
        await evidence.tiles.checkpoint(),
        media_type="text/plain; charset=utf-8",
        headers={**HEADERS, "Cache-Control": f"{scope}, max-age=1"},
    )


async def _tile(evidence: EvidenceServices, path: str, *, public: bool, entries: bool = False) -> Response:
    tile = Tile.parse(path)
    if (tile.level == ENTRIES) is not entries:
        raise NotFound(f"no tile `{path[:80]}`", remediation="see https://c2sp.org/tlog-tiles")
    # A bundle holds facts: no cache keeps it. What a hash tile covers never changes.
    cache = "no-store" if tile.level == ENTRIES else f"{'public' if public else 'private'}, {_YEAR}"
    return Response(
        await evidence.tiles.tile(tile),
        media_type="application/octet-stream",
        headers={**HEADERS, "Cache-Control": cache},
    )


def public_routes(
    evidence: EvidenceServices,
) -> tuple[tuple[str, dict[str, Callable[[Request], Awaitable[Response]]]], ...]:
    """Return what everyone may read, where the configuration says so: never a bundle of entries."""
    if not evidence.published:
        return ()

    async def head(_: Request) -> Response:
        return await _checkpoint(evidence, public=True)

    async def hashes(request: Request) -> Response:
        place = request.path_params
        return await _tile(evidence, f"{place['level']}/{place['place']}", public=True)

    return (
        (CHECKPOINT_PATH, {"GET": head}),
        ("/tlog/tile/{level:int}/{place:path}", {"GET": hashes}),
    )


async def _read_checkpoint(errand: RestRequest[EvidenceRooms]) -> Response:
    return await _checkpoint(errand.rooms.evidence, public=False)


async def _read_entries(errand: RestRequest[EvidenceRooms]) -> Response:
    path = f"entries/{errand.place['place']}"
    return await _tile(errand.rooms.evidence, path, public=False, entries=True)


async def _read_hashes(errand: RestRequest[EvidenceRooms]) -> Response:
    place = errand.place
    return await _tile(errand.rooms.evidence, f"{place['level']}/{place['place']}", public=False)


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path=CHECKPOINT_PATH,
        summary="Read the log's checkpoint, with the cosignatures of its witnesses (C2SP tlog-tiles)",
        serve=_read_checkpoint,
        people=Duty.OVERSEE,
        media="text/plain",
    ),
    Endpoint(
        method="GET",
        path=ENTRIES_PATH,
        summary="Read a bundle of the log's entries (C2SP tlog-tiles)",
        serve=_read_entries,
        people=Duty.AUDIT,
        media="application/octet-stream",
    ),
    Endpoint(
        method="GET",
        path=TILE_PATH,
        summary="Read a tile of the log's hashes (C2SP tlog-tiles)",
        serve=_read_hashes,
        people=Duty.OVERSEE,
        media="application/octet-stream",
    ),
)
