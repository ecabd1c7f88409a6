# SPDX-License-Identifier: Apache-2.0
"""The programme in a running remit: figures of initiatives, and the event when one crosses the boundary.

The log is read once, from its beginning, in the background and in small parts; from then on only what is new.
What was counted is stored with its place in the log, so a restart goes on from there, and events that were
pruned since stay counted. A page shows what was counted, with the time of the last counted event, and never
reads the log itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from remit.core.controls.programme import Initiative, RunningFigures
from remit.core.evidence.event import Event
from remit.core.evidence.events.identity import InitiativeCrossed
from remit.core.evidence.programme_tally import COUNTED, ProgrammeTally
from remit.ports.runtime import Clock
from remit.ports.store.changes import PutValue
from remit.ports.store.log import LogStore
from remit.ports.store.units import Unit

#: Events that are read at once, and in one turn.
PAGE: Final = 500
TURN: Final = 10_000
#: The counts are stored after this long, and after each turn of catching up.
KEPT_EVERY_S: Final = 300.0
_TOLD: Final = "initiative-crossed:"
_TALLY: Final = "programme:tally"
_KINDS: Final = tuple(one.value for one in COUNTED)
_RECORD: Final = msgspec.json.Decoder(dict[str, Any])


class ProgrammeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The figures, and how far they are: `counted` of the `size` events of the log, up to `last`."""

    figures: list[RunningFigures]
    counted: int
    size: int
    last: datetime | None


class Programme:
    """Counts the programme of one tenant; for one event loop."""

    def __init__(
        self, *, store: LogStore, clock: Clock, tenant: str, initiatives: Iterable[Initiative]
    ) -> None:
        """Take the dependencies; nothing is read yet."""
        self._store, self._clock, self._tenant = store, clock, tenant
        self._tally = ProgrammeTally(initiatives)
        self._next = 0
        self._whole = False
        self._kept: tuple[int, float] | None = None  # the place that was stored, and when
        self._turn = asyncio.Lock()

    async def turn(self) -> bool:
        """Count what is new, at most `TURN` events; return whether everything was counted."""
        async with self._turn:
            if self._kept is None:
                self._next = self._tally.take(await self._store.value(self._tenant, _TALLY))
                self._kept = self._next, self._clock.boot_s()
            size, first = await self._store.size(self._tenant), self._next
            while self._next < min(size, first + TURN):
                page = await self._store.entries(self._tenant, start=self._next, limit=PAGE, kinds=_KINDS)
                for entry in page:
                    self._tally.add(entry.index, entry.kind, _RECORD.decode(entry.leaf))
                reached = page[-1].index + 1 if page else 0
                self._next = reached if len(page) == PAGE else max(size, reached)
            await self._keep(self._next - first >= TURN)
            self._whole = self._next >= size
            return self._whole

    async def _keep(self, catching_up: bool) -> None:
        """Store the counts now and then. Of several replicas the last one to do so counts: each is right."""
        assert self._kept is not None
        place, at_s = self._kept
        now_s = self._clock.boot_s()
        if place != self._next and (catching_up or now_s - at_s >= KEPT_EVERY_S):
            kept = PutValue(self._tenant, _TALLY, self._tally.kept(self._next))
            await self._store.commit(Unit((kept,)))
            self._kept = self._next, now_s

    async def tell(self) -> int:
        """Record each crossing that was not yet told, once `turn` has counted everything; return how many.

        For the replica that does the shared chores.
        """
        if not self._whole:
            return 0
        told = 0
        for one in self._tally.figures():
            key = _TOLD + one.initiative.name
            if (
                one.crossing is None
                or one.tier is None
                or await self._store.value(self._tenant, key) is not None
            ):
                continue
            body = InitiativeCrossed(
                initiative=one.initiative.name,
                sponsor=one.initiative.sponsor,
                tool=one.crossing.tool,
                effect=one.crossing.effect,
                tier=one.tier.word,
                first=one.crossing.index,
                first_at=one.crossing.at,
                observed=one.crossing.observed,
                acts=one.initiative.acts,
            )
            event = Event.of(body, at=self._clock.now(), tenant=self._tenant, agent=one.crossing.agent)
            # The value and the event are one commit: an initiative is told once, across restarts, too.
            kept = PutValue(self._tenant, key, {"first": one.crossing.index})
            await self._store.commit(Unit((kept,), events=(event,)))
            told += 1
        return told

    async def status(self) -> ProgrammeStatus:
        """Return what was counted so far; nothing is read for it but the size of the log."""
        return ProgrammeStatus(
            figures=self._tally.figures(),
            counted=self._next,
            size=await self._store.size(self._tenant),
            last=self._tally.last,
        )
