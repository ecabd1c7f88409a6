# SPDX-License-Identifier: Apache-2.0
"""The tiles of a log over HTTP: their paths, and bundles of entries (c2sp.org/tlog-tiles)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from remit.core.errors import Malformed
from remit.core.evidence.merkle import TILE_HEIGHT, TILE_WIDTH

#: The level of a bundle of entries, which lies below the leaf hashes.
ENTRIES: Final = -1
MAX_LEVEL: Final = 63
#: A bundle states the length of an entry in two bytes.
MAX_ENTRY_BYTES: Final = 2**16 - 1
MAX_BUNDLE_BYTES: Final = TILE_WIDTH * (MAX_ENTRY_BYTES + 2)

#: Seven groups of three digits name every tile of a log of 2**63 leaves.
_PATH: Final = re.compile(
    r"(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6})([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII
)


class Tile(msgspec.Struct, frozen=True):
    """The `width` first hashes of tile `index` at tile level `level` (leaf hashes: 0, their entries:
    `ENTRIES`).
    """

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def start(self) -> int:
        """The index of its first hash, among the hashes of its level."""
        return self.index * TILE_WIDTH

    @property
    def partial(self) -> bool:
        """Whether the tile is not full."""
        return self.width < TILE_WIDTH

    def available(self, size: int) -> int:
        """Return how many of its hashes a tree of `size` leaves has."""
        return min(TILE_WIDTH, max(0, (size >> (TILE_HEIGHT * max(self.level, 0))) - self.start))

    def __str__(self) -> str:
        """Write the path, as it follows `tile/`."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        groups: list[str] = []
        rest = self.index
        while True:
            rest, group = divmod(rest, 1000)
            groups.append(f"{group:03}" if not groups else f"x{group:03}")
            if not rest:
                break
        return "/".join([level, *reversed(groups)]) + (f".p/{self.width}" if self.partial else "")

    @classmethod
    def parse(cls, path: str) -> Tile:
        """Parse the only path of a tile; raise `Malformed` for anything else."""
        found = _PATH.fullmatch(path)
        if found is None:
            raise _unknown(path)
        level, high, low, width = found.groups()
        made = cls(
            ENTRIES if level == "entries" else int(level),
            int(high.replace("x", "").replace("/", "") + low),
            int(width) if width else TILE_WIDTH,
        )
        # The path back is compared, so that a tile has one address: no leading groups of zeros, no `.p/256`.
        if made.level > MAX_LEVEL or made.width > TILE_WIDTH or str(made) != path:
            raise _unknown(path)
        return made


def entry_bundle(entries: Iterable[bytes]) -> bytes:
    """Write entries, each after its length in two bytes; raise `Malformed` if one is too long.

    A pruned entry is an empty one.
    """
    out = bytearray()
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise Malformed(
                f"an entry has more than {MAX_ENTRY_BYTES} bytes",
                code="entry-too-large",
                remediation="read it with `remit audit export`",
            )
        out += len(entry).to_bytes(2, "big") + entry
    return bytes(out)


def read_bundle(data: bytes, count: int) -> list[bytes]:
    """Read the `count` entries of a bundle; raise `Malformed` if it has fewer or more."""
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data) or len(entries) == count:
            raise Malformed(f"a bundle does not hold {count} entries")
        entries.append(data[at + 2 : end])
        at = end
    if len(entries) != count:
        raise Malformed(f"a bundle does not hold {count} entries")
    return entries


def _unknown(path: str) -> Malformed:
    return Malformed(
        f"`{path[:80]}` is not the path of a tile", remediation="see https://c2sp.org/tlog-tiles"
    )
