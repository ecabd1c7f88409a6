# SPDX-License-Identifier: Apache-2.0
"""The log as static files for monitors: its checkpoint, hashes, and entries (c2sp.org/tlog-tiles)."""

from __future__ import annotations

from typing import Final

from remit.core.errors import Busy, NotFound
from remit.core.evidence.merkle import TILE_HEIGHT
from remit.core.evidence.tile import ENTRIES, Tile, entry_bundle
from remit.ports.store.log import LogStore
from remit.services.evidence.log import Evidence
from remit.services.evidence.witnesses import Witnesses

#: Tiles that are read at once; each is one indexed read of at most 256 rows.
AT_ONCE: Final = 8


class LogTiles:
    """Reads tiles of the signed part of the log. Nothing beyond the last signed head leaves."""

    def __init__(self, *, store: LogStore, evidence: Evidence, witnesses: Witnesses, tenant: str) -> None:
        """Take the dependencies."""
        self._store = store
        self._evidence = evidence
        self._witnesses = witnesses
        self._tenant = tenant
        self._reading = 0

    async def checkpoint(self) -> bytes:
        """Return the newest checkpoint that the quorum cosigned; without witnesses, the newest one."""
        head = await self._witnesses.newest() or await self._evidence.checkpoint()
        return head.note.encode()

    async def tile(self, tile: Tile) -> bytes:
        """Return the bytes of a tile, or of a bundle of entries; raise `NotFound` or `Busy`."""
        head = self._evidence.signed()
        available = tile.available(head.size if head is not None else 0)
        if not 0 < tile.width <= available:
            raise NotFound(
                f"tile `{tile}` is not in the signed log",
                code="no-tile",
                remediation="read the checkpoint first, and ask for the tiles of its size",
            )
        if self._reading >= AT_ONCE:
            raise Busy("other tiles are being read", remediation="ask again in a second")
        self._reading += 1
        try:
            return await self._read(tile)
        finally:
            self._reading -= 1

    async def _read(self, tile: Tile) -> bytes:
        if tile.level == ENTRIES:
            found = await self._store.entries(self._tenant, start=tile.start, limit=tile.width)
            leaves = {entry.index: entry.leaf for entry in found}
            return entry_bundle(leaves.get(tile.start + at, b"") for at in range(tile.width))
        hashes = await self._store.hashes(self._tenant, tile.level * TILE_HEIGHT, tile.start, tile.width)
        return b"".join(hashes)
