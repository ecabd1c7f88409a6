# SPDX-License-Identifier: Apache-2.0
"""Receipts of closures: the events of one end, each with its proof, under the log's signed head."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, Protocol

import msgspec

from remit.core.endings.closure import Closure
from remit.core.errors import Busy, NotFound
from remit.core.evidence.event import EventKind
from remit.core.evidence.export import checkpoint_line, event_line, header_line
from remit.core.evidence.receipt import ABOUT_LEASES
from remit.core.json_value import Json
from remit.ports.runtime import Clock
from remit.ports.store.endings import EndingStore
from remit.ports.store.log import Entry, LogStore
from remit.services.evidence.log import Evidence
from remit.services.limits.rate_limit import RateLimit

PAGE: Final = 500
#: Closures that are searched for one; older ones remain in the evidence.
MANY: Final = 1_000
#: Events before a closure that are searched for events of its credentials; an end takes only seconds.
BEFORE: Final = 100_000
#: Limits of receipts: per caller in a minute, and searched for at once. Each reads many events.
PER_MINUTE: Final = 30
AT_ONCE: Final = 2


class _Rooms(EndingStore, LogStore, Protocol):
    """The store interfaces from which receipts are built."""


class Receipts:
    """Finds closures, and their events in the log."""

    def __init__(self, *, store: _Rooms, evidence: Evidence, clock: Clock, tenant: str) -> None:
        """Take the dependencies; `evidence` is the log."""
        self._clock = clock
        self._pace = RateLimit(PER_MINUTE, 60.0)
        self._looking = 0
        self._store = store
        self._evidence = evidence
        self._tenant = tenant

    async def closures(self, scope: str = "", limit: int = 100) -> list[Closure]:
        """Return closures, newest first; of one scope if `scope` is given."""
        return await self._store.closures(self._tenant, scope=scope, limit=limit)

    async def closure(self, name: str) -> Closure:
        """Return the current state of a closure; raise `NotFound`."""
        for one in await self._store.closures(self._tenant, limit=MANY):
            if one.id == name:
                return one
        raise NotFound(
            f"closure `{name[:80]}` is not among the last {MANY}",
            remediation="see `remit audit log --kind closure.made`",
        )

    def check_pace(self, caller: str) -> None:
        """Count a caller's request for a receipt; raise `Busy` if it exceeds a limit."""
        if not self._pace.keeps(caller, self._clock.boot_s()):
            raise Busy(
                f"more than {PER_MINUTE} receipts were requested in a minute",
                code="too-many-tries",
                remediation="wait a minute; a fetched receipt stays valid",
            )
        if self._looking >= AT_ONCE:
            raise Busy("other receipts are being prepared", remediation="ask again in a second")

    async def lines(self, closure: Closure) -> AsyncIterator[bytes]:
        """Yield the lines of a receipt; `core.evidence.export` defines and verifies them."""
        self._looking += 1
        try:
            made, found = await self._entries(closure)
        finally:
            self._looking -= 1
        head = await self._evidence.proven()
        if made.index >= head.size:
            raise _unsigned(closure)
        yield header_line(self._evidence.origin, self._evidence.verifier, head.size, closure=closure.id)
        for entry in found:
            if entry.index >= head.size:
                break
            path = await self._store.inclusion(self._tenant, entry.index, head.size)
            yield event_line(entry.index, entry.leaf, None, path)
        yield checkpoint_line(head.note)

    async def _entries(self, closure: Closure) -> tuple[Entry, list[Entry]]:
        """Return the event of the closure, and all events of the end in the order of the log."""
        made = await self._made(closure)
        leases = {one.lease for one in closure.closings if one.lease}
        about = await self._about(leases, max(0, made.index - BEFORE)) if leases else []
        return made, sorted([made, *about], key=lambda one: one.index)

    async def _made(self, closure: Closure) -> Entry:
        before: int | None = await self._evidence.size()
        while before:
            page = await self._store.entries(
                self._tenant, before=before, limit=PAGE, kinds=(EventKind.CLOSURE_MADE,)
            )
            for entry in page:
                if _facts(entry).get("closure") == closure.id:
                    return entry
            before = page[0].index if page else None
        raise _unsigned(closure)

    async def _about(self, leases: set[str], start: int) -> list[Entry]:
        found: list[Entry] = []
        while True:
            page = await self._store.entries(self._tenant, start=start, limit=PAGE, kinds=ABOUT_LEASES)
            found += [entry for entry in page if _facts(entry).get("lease") in leases]
            if len(page) < PAGE:
                return found
            start = page[-1].index + 1


def _unsigned(closure: Closure) -> NotFound:
    return NotFound(
        f"the event of closure `{closure.id}` is not in the signed log yet",
        code="not-signed-yet",
        remediation="ask again in a second",
    )


def _facts(entry: Entry) -> dict[str, Json]:
    facts: dict[str, Json] = msgspec.json.decode(entry.leaf).get("facts", {})
    return facts
