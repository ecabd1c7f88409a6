# SPDX-License-Identifier: Apache-2.0
"""A scan as its reports show it: what was read, what was found, and since when."""

from __future__ import annotations

import enum
from datetime import datetime

import msgspec

from remit.core.discovery.discovered import Discovered


class SkipReason(enum.StrEnum):
    """Why a file was not read, or not read to its end."""

    DENIED = "permission denied"
    GONE = "gone before it was read"
    SPECIAL = "a device, pipe or socket"
    LINK = "a link"
    OTHER_SYSTEM = "on another file system"
    BINARY = "binary"
    LARGE = "larger than a file may be"
    DEEP = "deeper than folders may be"
    SLOW = "took too long"
    BROKEN = "ended the process that read it"
    FAULTY = "could not be read"
    DAMAGED = "damaged: read up to the fault"
    ENCRYPTED = "encrypted"
    BOUND = "more than a scan may read"
    MANY = "holding more than one file may yield"
    PART = "searched for escalation paths in part"


#: Reasons after which a scan has not seen everything, so that what it did not find may still be there.
INCOMPLETE = frozenset(
    {
        SkipReason.DENIED,
        SkipReason.LARGE,
        SkipReason.DEEP,
        SkipReason.SLOW,
        SkipReason.BROKEN,
        SkipReason.FAULTY,
        SkipReason.DAMAGED,
        SkipReason.ENCRYPTED,
        SkipReason.BOUND,
        SkipReason.MANY,
        SkipReason.PART,
    }
)


class SkippedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file, by its place below the base, that was not read, or not to its end."""

    file: str
    why: SkipReason


class SeenFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding as a scope remembers it. `fixed` is when a scan read its places, and no longer saw it."""

    finding: Discovered
    first_seen: datetime
    last_seen: datetime
    fixed: datetime | None = None


class Standing(enum.StrEnum):
    """Where a finding stands in the history of its scope."""

    NEW = "new"
    KNOWN = "known"
    ACCEPTED = "accepted"
    FIXED = "fixed"


class ScannedFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding of a scan with its history. `because` and `until` are those of the acceptance."""

    finding: Discovered
    first_seen: datetime
    last_seen: datetime
    standing: Standing = Standing.NEW
    because: str = ""
    until: datetime | None = None


class ScanCounts(msgspec.Struct, kw_only=True):
    """What a scan read. `unchanged` files were known from an earlier scan and not read again."""

    files: int = 0
    unchanged: int = 0
    size_bytes: int = 0
    read_bytes: int = 0
    secrets: int = 0
    servers: int = 0
    agents: int = 0
    exports: int = 0
    left_out: int = 0
    skipped: dict[SkipReason, int] = {}


class ScanReport(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a scan. `base` is the folder that the places are below.

    `found` are sorted by severity; `fixed` were found by an earlier scan of the same scope, and no longer.
    `skipped` lists some of what was not read; the counts have all. `faults` are rules that failed, by name. A
    scan is `complete` if it read everything and every rule was applied.
    """

    base: str
    roots: tuple[str, ...]
    started: datetime
    ended: datetime
    complete: bool
    found: tuple[ScannedFinding, ...]
    fixed: tuple[ScannedFinding, ...] = ()
    counts: ScanCounts
    skipped: tuple[SkippedFile, ...] = ()
    faults: tuple[str, ...] = ()
