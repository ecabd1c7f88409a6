# SPDX-License-Identifier: Apache-2.0
"""What a monitor of a log remembers, and what it notices: it trusts its policy and itself, and no operator.

A monitor keeps the tree of the events that it saw, as a `Frontier`. Each new checkpoint must come from the
policy's log and witnesses, and must be that tree with further leaves. Each new event must be served, follow
its writer's last one, and be of a time between the last checkpoint and this one. Every fault is a
`VerificationFailed` with one of these codes:

- `rolled-back`: the log has fewer events than were seen
- `forked`: the log's events are not those that were seen, or not the signed ones
- `gap`: an event that was signed is missing, or is not served as it was signed, and no signed event says that
  it was pruned; a later checkpoint may have that event, if it was pruned meanwhile
- `back-dated`: an event claims a time before a checkpoint that did not have it
- `later-than-witnessed`: an event claims a time after a checkpoint that has it
- `stale`: the newest cosignature is older than permitted
- `clock`: this machine's clock went back, or a cosignature is from its future
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from remit.core.errors import Malformed, NotVerifiable, VerificationFailed
from remit.core.evidence.checkpoint import Note, OpenedCheckpoint, VerifierKey
from remit.core.evidence.event import EventKind
from remit.core.evidence.export import read_leaf
from remit.core.evidence.merkle import HASH_SIZE, TILE_WIDTH, Frontier, leaf_hash, new_tile_nodes
from remit.core.evidence.pruning import PruneClaim, Span, add_span, claim_of, joined, without
from remit.core.evidence.tile import Tile, read_bundle
from remit.core.evidence.trust_policy import TrustPolicy
from remit.core.evidence.witness_messages import CLOCKS_APART_S

_REMEDIATION: Final = "keep the alarm's file: its signed notes are the proof; ask the log's operator"


class MonitorLimits(msgspec.Struct, frozen=True, kw_only=True):
    """In seconds: the greatest age of the newest cosignature, and how late an event may be recorded."""

    stale_s: int = 3600
    late_s: int = 600


class MonitorMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of one log; times are in seconds since the epoch, 0 for never.

    `latest` is a time at which the log had no more than these events: the newest cosignature of the last
    checkpoint, or, without witnesses, the monitor's own time. `writers` are the count and hash of each
    writer's last record; `None` where hashes alone were read.
    """

    log: str
    size: int = 0
    peaks: tuple[bytes, ...] = ()
    note: str = ""
    latest: int = 0
    looked: int = 0
    writers: dict[str, tuple[int, str]] | None = {}


class MonitorTurn:
    """One look at a log: checks its checkpoint, and then its new tiles in order."""

    def __init__(
        self,
        memory: MonitorMemory,
        note: bytes,
        *,
        policy: TrustPolicy,
        log: VerifierKey,
        now_s: int,
        limits: MonitorLimits,
    ) -> None:
        """Check a checkpoint as far as it can be without the events; raise `VerificationFailed` or
        `Malformed`.
        """
        self._memory = memory
        self._limits = limits
        self._now_s = now_s
        self._text = Note.parse(note).encode().decode()
        self.opened: OpenedCheckpoint = policy.open(note, log)
        self._times = [one.timestamp for one in self.opened.cosignatures]
        self._frontier = Frontier(memory.size, memory.peaks)
        self._writers = dict(memory.writers) if memory.writers is not None else None
        self._fault: VerificationFailed | None = None
        self._pruned: list[Span] = []
        self._claims: list[PruneClaim] = []
        self._check_clock()
        self._check_size()

    def _check_clock(self) -> None:
        newest = max(self._times, default=0)
        if self._now_s < self._memory.looked - CLOCKS_APART_S or newest > self._now_s + CLOCKS_APART_S:
            raise _alarm("clock", "this machine's clock went back, or a cosignature is from the future")
        if self._times and newest < self._now_s - self._limits.stale_s:
            raise _alarm("stale", f"the newest cosignature is {self._now_s - newest} seconds old")

    def _check_size(self) -> None:
        head, seen = self.opened.checkpoint, self._memory.size
        if head.size < seen:
            raise _alarm("rolled-back", f"the log has {head.size} events, but {seen} were seen here")
        if head.size == seen and head.root != self._frontier.root():
            raise _alarm("forked", f"the log's {seen} events are not those that were seen here")

    def tiles(self) -> Iterator[Tile]:
        """Yield the hash tiles with new leaves, in order."""
        size = self.opened.checkpoint.size
        if size > self._memory.size:
            for index in range(self._memory.size // TILE_WIDTH, (size - 1) // TILE_WIDTH + 1):
                yield Tile(0, index, min(TILE_WIDTH, size - index * TILE_WIDTH))

    def take(self, tile: Tile, hashes: bytes, bundle: bytes | None) -> None:
        """Append a tile's new leaves, and check its entries if they are given; raise `VerificationFailed`.

        A fault of an entry is raised at the end, because a fork is the graver one.
        """
        if len(hashes) != tile.width * HASH_SIZE:
            raise _alarm("gap", f"tile `{tile}` does not hold {tile.width} hashes")
        leaves = [hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)]
        skipped = self._frontier.size - tile.start
        self._frontier, _ = new_tile_nodes(self._frontier, leaves[skipped:])
        if bundle is None:
            self._writers = None
            return
        if self._writers is None:
            raise NotVerifiable(
                f"of the first {self._memory.size} events, only the hashes were seen here",
                remediation="go on with `--hashes`, or delete the file of what was seen, to read every event",
            )
        try:
            entries = read_bundle(bundle, tile.width)
        except Malformed as fault:
            self._fault = self._fault or _alarm(
                "gap", f"the entries of tile `{tile}` cannot be read: {fault.message}"
            )
            return
        try:
            self._check_entries(tile.start + skipped, entries[skipped:], leaves[skipped:], self._writers)
        except VerificationFailed as fault:
            self._fault = self._fault or fault

    def _check_entries(
        self, start: int, entries: list[bytes], leaves: list[bytes], writers: dict[str, tuple[int, str]]
    ) -> None:
        for index, (entry, hashed) in enumerate(zip(entries, leaves, strict=True), start):
            self._check_event(index, entry, hashed, writers)

    def _check_event(
        self, index: int, entry: bytes, hashed: bytes, writers: dict[str, tuple[int, str]]
    ) -> None:
        if not entry and leaf_hash(entry) != hashed:
            add_span(self._pruned, index, index + 1)
            return
        if leaf_hash(entry) != hashed:
            raise _alarm("gap", f"event {index} is not the one that was signed")
        try:
            leaf, facts = read_leaf(entry)
            at = datetime.fromisoformat(leaf.at).timestamp()
        except ValueError:
            raise _alarm("gap", f"event {index} is not a record of this format") from None
        if leaf.kind == EventKind.LOG_PRUNED:
            try:
                self._claims.append(claim_of(index, leaf.at, facts))
            except ValueError as fault:
                raise _alarm("gap", f"event {index} prunes what none may: {fault}") from None
        seq, previous = writers.get(leaf.writer, (-1, ""))
        follows = leaf.seq == seq + 1 and leaf.prev == previous
        if not follows and not (leaf.seq > seq + 1 and self._pruned):
            raise _alarm("gap", f"event {index} does not follow the record before it of the same writer")
        writers[leaf.writer] = (leaf.seq, hashed.hex())
        if self._memory.latest and at < self._memory.latest - self._limits.late_s:
            raise _alarm(
                "back-dated", f"event {index} claims to be of {leaf.at}, but was not in the log after that"
            )
        if at > min(self._times, default=self._now_s) + CLOCKS_APART_S:
            raise _alarm(
                "later-than-witnessed", f"event {index} claims to be of {leaf.at}, after it was cosigned"
            )

    def remembered(self) -> MonitorMemory:
        """Return what to remember, once every tile was taken; raise `VerificationFailed` for a fork."""
        head = self.opened.checkpoint
        if (self._frontier.size, self._frontier.root()) != (head.size, head.root):
            raise _alarm(
                "forked",
                f"the {self._memory.size} events seen here and the new ones are not the {head.size} signed",
            )
        if self._fault is not None:
            raise self._fault
        self._check_pruned()
        return MonitorMemory(
            log=self._memory.log,
            size=head.size,
            peaks=self._frontier.peaks,
            note=self._text,
            latest=max(self._times, default=self._now_s),
            looked=self._now_s,
            writers=self._writers,
        )

    def _check_pruned(self) -> None:
        if not self._pruned:
            return
        try:
            left = without(self._pruned, joined(self._claims))
        except ValueError as fault:
            raise _alarm("gap", f"two events contradict each other: {fault}") from None
        if left:
            raise _alarm("gap", f"event {left[0][0]} is not served, and no event says that it was pruned")


def _alarm(code: str, text: str) -> VerificationFailed:
    return VerificationFailed(text, code=code, remediation=_REMEDIATION)
