# SPDX-License-Identifier: Apache-2.0
"""Notifications: each subscriber is notified of certain events, from the evidence log, in order.

As with shared signals the log is the outbox, across restarts too. A notification that fails is retried with
growing pauses, and delays those behind it. One that its addressee refuses several times is recorded and
skipped. A slow addressee delays no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from remit.core.errors import Malformed, RemitError
from remit.core.evidence.event import Event, EventKind
from remit.core.evidence.events.signals import SignalUndelivered
from remit.core.findings.meanings import DISCOVERED
from remit.core.json_value import Json
from remit.core.signals.outgoing_event import USUAL_KINDS, notice_id
from remit.ports.notifier import Notification, Notifier
from remit.ports.runtime import Clock
from remit.ports.store.log import Entry, LogStore
from remit.ports.store.units import Unit
from remit.services.evidence.followers import Followers
from remit.services.signals.question_links import QuestionLinks

log = logging.getLogger("remit.notify")


#: Pauses between failing attempts: the first one, doubled up to the second one.
PAUSE_S: Final = (1.0, 300.0)
_OF_SCANS: Final = frozenset(one.value for one in DISCOVERED)
#: How often the log is looked at although this process has written nothing, in seconds.
LOOK_S: Final = 0.5
#: Number of refusals by an addressee after which a notification is skipped.
REFUSALS: Final = 3

_RECORD: Final = msgspec.json.Decoder(dict[str, Json])


class NotificationTarget(msgspec.Struct, frozen=True, kw_only=True):
    """An addressee: who is notified, of which events, and how.

    A person (`person`) is not notified of a question that is over; a program is, so that it misses no event.
    """

    name: str
    notifier: Notifier
    kinds: tuple[EventKind, ...] = USUAL_KINDS
    person: bool = False


class Notifications:
    """Notifies all addressees; for one event loop."""

    def __init__(
        self,
        *,
        store: LogStore,
        clock: Clock,
        cursors: Followers,
        tenant: str,
        origin: str,
        addressees: Mapping[str, NotificationTarget],
        links: QuestionLinks,
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._cursors = cursors
        self._tenant = tenant
        self._origin = origin
        self.addressees = addressees
        self._links = links
        self._due_s: dict[str, float] = {}
        self._pause_s: dict[str, float] = {}
        self._refused: dict[str, int] = {}
        #: By addressee: the size of the log at the last look, and its time.
        self._looked: dict[str, tuple[int, float]] = {}
        #: Why notification fails, by addressee.
        self.failing: dict[str, str] = {}

    async def begin(self) -> None:
        """Begin at the end of the log for new addressees; for the start."""
        for name in self.addressees:
            await self._cursors.position(f"notify/{name}")

    async def turn(self) -> int:
        """Notify all addressees that are due, concurrently; return the number of notifications."""
        return sum(await asyncio.gather(*map(self.turn_of, self.addressees)))

    async def turn_of(self, name: str) -> int:
        """Notify one addressee if it is due; for a separate background loop.

        A question waits for a person: what this process has written itself is looked at in each turn, what
        other replicas have written every `LOOK_S` seconds.
        """
        now_s, size = self._clock.boot_s(), await self._store.size(self._tenant)
        seen, looked_s = self._looked.get(name, (-1, 0.0))
        if now_s < self._due_s.get(name, 0.0) or (size == seen and now_s - looked_s < LOOK_S):
            return 0
        self._looked[name] = (size, now_s)
        return await self._tell(self.addressees[name])

    async def _tell(self, one: NotificationTarget) -> int:
        cursor, told = f"notify/{one.name}", 0
        size = await self._store.size(self._tenant)
        start = await self._cursors.position(cursor)
        try:
            kinds = dict.fromkeys((*one.kinds, EventKind.NOTIFICATION_DUE))
            async for entry in self._cursors.ahead(start, tuple(kind.value for kind in kinds)):
                told += await self._one(one, entry)
                await self._cursors.advance(cursor, entry.index + 1)
        except RemitError as fault:
            first_s, longest_s = PAUSE_S
            pause_s = min(self._pause_s.get(one.name, first_s / 2) * 2, longest_s)
            self._pause_s[one.name] = pause_s
            self._due_s[one.name] = self._clock.boot_s() + pause_s
            if one.name not in self.failing:
                log.warning("`%s` cannot be notified: %s", one.name, fault)
            self.failing[one.name] = fault.message
        else:
            self._pause_s.pop(one.name, None)
            self.failing.pop(one.name, None)
            if told == 0 and size - start >= 1_000:
                await self._cursors.advance(cursor, size)
        return told

    async def _one(self, one: NotificationTarget, entry: Entry) -> int:
        """Notify of one event; return how many notifications that made."""
        record = _RECORD.decode(entry.leaf)
        if entry.kind == EventKind.NOTIFICATION_DUE.value and record["facts"].get("addressee") != one.name:
            return 0  # a rule names another addressee
        if _in_sum(entry.kind, record["facts"]):
            return 0
        known: dict[str, Json] = {name: record[name] for name in ("task", "agent") if record.get(name)}
        question = None
        if entry.kind == EventKind.APPROVAL_REQUESTED.value:
            question = await self._links.open_question(str(record["facts"]["approval"]))
            if question is None and one.person:
                return 0
        notification = Notification(
            id=f"msg_{notice_id(self._origin, f'notify/{one.name}', entry.index)}",
            kind=entry.kind,
            at=datetime.fromisoformat(record["at"]),
            facts={**known, **record["facts"]},
            until=question.expires if question else None,
            link=await self._links.link_to(question) if question else "",
        )
        try:
            await one.notifier.notify(notification)
        except Malformed as fault:
            self._refused[one.name] = self._refused.get(one.name, 0) + 1
            if self._refused[one.name] < REFUSALS:
                raise
            undelivered = SignalUndelivered(receiver=one.name, stream="", id=notification.id, code=fault.code)
            event = Event.of(undelivered, at=self._clock.now(), tenant=self._tenant)
            await self._store.commit(Unit(events=(event,)))
        self._refused.pop(one.name, None)
        return 1


def _in_sum(kind: str, facts: dict[str, Json]) -> bool:
    """Return whether an event is told with others: a scan is one message, however many findings it opens."""
    if kind == EventKind.SCAN_DELIVERED.value:
        return not facts.get("opened")
    return kind == EventKind.FINDING_SEEN.value and facts.get("finding_kind") in _OF_SCANS
