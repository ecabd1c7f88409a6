# SPDX-License-Identifier: Apache-2.0
"""Audit of the log after a start: reads it again beside the calls, and compares it with the signed head.

At the start, the store is compared with its head by size and root only: a log may be long, so older leaves
are not read then. The audit reads each leaf, a page at a time.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any, Final

from remit.core.errors import VerificationFailed
from remit.core.evidence.event import EventKind
from remit.core.evidence.export import read_leaf
from remit.core.evidence.merkle import Frontier, new_tile_nodes
from remit.core.evidence.pruning import PruneClaim, Span, claim_of, joined, without
from remit.core.findings.kinds import FindingKind
from remit.ports.evidence.log import Head
from remit.ports.store.log import Entry, LogStore
from remit.services.evidence.log import Evidence, is_as_recorded, readable
from remit.services.findings.findings import Findings

log = logging.getLogger("remit.evidence")

#: Events that are read in one turn.
PAGE: Final = 500
_PRUNED: Final = (EventKind.LOG_PRUNED.value,)


class LogAudit:
    """Reads the log from its first event to its end at the time when the audit began."""

    #: Seconds between turns: some 2,000 events a second, for 2 % of a CPU.
    pause_s: Final = 0.25

    def __init__(self, *, store: LogStore, evidence: Evidence, findings: Findings, tenant: str) -> None:
        """Begin before the first event."""
        self._store = store
        self._evidence = evidence
        self._findings = findings
        self._tenant = tenant
        self._frontier = Frontier()
        self._head: Head | None = None
        self._claimed: list[Span] = []
        #: `reading`, `holds` once everything was read, or `changed` if an event is not what was signed.
        self.state = "reading"

    async def turn(self) -> None:
        """Read the next page. For a background loop."""
        if self._evidence.forked and self.state != "changed":
            await self._changed(
                -1, "another remit signs it from a copy of the store, or the store was rolled back"
            )
        if self.state != "reading":
            return
        head = self._head = self._head or await self._evidence.checkpoint()
        start, hashes = self._frontier.size, list[bytes]()
        before = min(start + PAGE, head.size)
        ends: dict[str, int] = {}
        at = start
        for entry in await self._store.entries(self._tenant, start=start, limit=before - start):
            if at < (present := min(entry.index, before)):
                hashes += await self._pruned(at, present)
            at = start + len(hashes)
            if entry.index != at or at >= before or not is_as_recorded(entry):
                break
            hashes.append(entry.leaf_hash)
            at += 1
            if entry.task:
                ends[entry.task] = entry.index
        # If the store's last event of a task comes before an event of that task, reads of the task omit the
        # event.
        known = await self._store.last_events(self._tenant, list(ends))
        cut = [index for task, index in ends.items() if known.get(task, -1) < index]
        self._frontier, _ = new_tile_nodes(self._frontier, hashes)
        if len(hashes) < before - start:
            await self._changed(self._frontier.size, "the event is missing or differs from the recorded one")
        elif cut:
            await self._changed(cut[0], "in the store, the task's chain of events ends before this event")
        elif self._frontier.size == head.size:
            if self._frontier.root() == head.root:
                self.state = "holds"
            else:
                await self._changed(-1, "the events differ from the signed ones")

    async def _pruned(self, start: int, before: int) -> list[bytes]:
        """Return the leaf hashes of events that were pruned; none if no event says so of all of them."""
        if without([(start, before)], self._claimed):
            claims: list[PruneClaim] = []
            at = 0
            while page := await self._store.entries(self._tenant, start=at, limit=PAGE, kinds=_PRUNED):
                for entry in page:
                    # Of one that was changed, the audit tells in its turn.
                    with contextlib.suppress(ValueError):
                        leaf, facts = read_leaf(entry.leaf)
                        claims.append(claim_of(entry.index, leaf.at, facts))
                at = page[-1].index + 1
            with contextlib.suppress(ValueError):
                self._claimed = joined(claims)
        if without([(start, before)], self._claimed):
            return []
        hashes = await self._store.hashes(self._tenant, 0, start, before - start)
        return hashes if len(hashes) == before - start else []

    def shown(self, entry: Entry) -> dict[str, object]:
        """Return an event for reading; of a changed event, only its index and, as `damaged`, the reason.

        A changed event is also reported as a finding, as the audit reports it.
        """
        try:
            return readable(entry)
        except VerificationFailed as fault:
            self._findings.notice(*self._found(entry.index, fault.message))
            self.state = "changed"
            return {"index": entry.index, "damaged": fault.message}

    @property
    def about(self) -> str:
        """What a finding about this log is about."""
        return f"log:{self._evidence.origin}"

    async def _changed(self, event: int, why: str) -> None:
        await self._findings.see(*self._found(event, why))
        self.state = "changed"

    def _found(self, event: int, why: str) -> tuple[FindingKind, str, str, dict[str, Any]]:
        log.error("the log was changed in the store: event %s: %s", event, why)
        return FindingKind.LOG_CHANGED, self.about, str(event), {"event": event, "why": why}
