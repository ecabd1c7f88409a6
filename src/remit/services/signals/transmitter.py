# SPDX-License-Identifier: Apache-2.0
"""Sending of events: undelivered notices of a stream are read from the log, signed, and sent.

1. from the stream's position on, the log's events become notices; notices that the receiver may not learn, or
   did not ask for, are skipped
2. each notice is signed when it is sent, in answer to a poll or by a push. Its id is always the same, so that
   a receiver recognises it
3. an acknowledgement moves the position; a notice without one is sent again
4. a push that fails is retried with growing pauses; a notice that a receiver refuses is recorded and skipped,
   because the receiver would refuse it each time

INVARIANT: everything sent is in the log, in the order of the log, and nothing is skipped unless it was
acknowledged or refused.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, Protocol

import msgspec

from remit.core.canonical import parse_strict
from remit.core.errors import Malformed, RemitError, SourceUnavailable
from remit.core.evidence.event import Event
from remit.core.evidence.events.signals import SignalUndelivered
from remit.core.identity.principals import Memberships
from remit.core.json_value import Json
from remit.core.signals.outgoing_event import TOLD_KINDS, OutgoingEvent, claims_of, notice_id, notice_of
from remit.core.signals.security_event_token import PUSH, SET_MEDIA, SET_TYPE
from remit.core.signals.signal import SignalKind
from remit.ports.delivery import Deliver
from remit.ports.keys import TokenKeys
from remit.ports.runtime import Clock
from remit.ports.store.combined import TasksAndPrincipals
from remit.ports.store.log import Entry, LogStore
from remit.ports.store.units import Unit
from remit.services.evidence.followers import Followers
from remit.services.signals.streams import Receiver, Stream, Streams, cursor_of

log = logging.getLogger("remit.signals")


_KINDS: Final = tuple(kind.value for kind in TOLD_KINDS)
_RECORD: Final = msgspec.json.Decoder(dict[str, Json])
#: Largest number of a stream's notices that are sent and not acknowledged.
WINDOW: Final = 100
#: Number of events after which the position of a stream without deliveries is stored.
STRIDE: Final = 1_000
#: Pauses between failing pushes: the first one, doubled up to the second one.
PAUSE_S: Final = (1.0, 300.0)


class PushTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Where a receiver's events go; `headers` is called each time, so that a renewed secret takes effect."""

    url: str
    deliver: Deliver
    headers: Callable[[], Mapping[str, str]]


class UnsentEvents(msgspec.Struct, frozen=True):
    """A notice that a stream has not delivered yet."""

    index: int
    token_id: str
    notice: OutgoingEvent


class _Rooms(LogStore, TasksAndPrincipals, Protocol):
    """The rooms of the store that events are told from."""


class SignalTransmitter:
    """Sends events to the receivers of all streams; for one event loop."""

    def __init__(
        self,
        *,
        store: _Rooms,
        clock: Clock,
        keys: TokenKeys,
        streams: Streams,
        cursors: Followers,
        members: Memberships,
        tenant: str,
        issuer: str,
        origin: str,
        targets: Mapping[str, PushTarget],
    ) -> None:
        """Take the dependencies; `targets` by receiver."""
        self._store = store
        self._clock = clock
        self._keys = keys
        self._streams = streams
        self._cursors = cursors
        self._members = members
        self._tenant = tenant
        self._issuer = issuer
        self._origin = origin
        self._targets = targets
        self._due_s: dict[str, float] = {}
        self._pause_s: dict[str, float] = {}
        #: Why pushing fails, by receiver.
        self.failing: dict[str, str] = {}

    async def poll(
        self, receiver: Receiver, stream_id: str, *, acks: set[str], errors: Mapping[str, str], most: int
    ) -> tuple[dict[str, str], bool]:
        """Take acknowledgements; return the next signed events of a stream, and whether there are more."""
        async with self._streams.changing:
            stream = await self._settle(await self._streams.get(receiver, stream_id), acks, errors)
            if stream.status != "enabled":
                return {}, False
            waiting, _ = await self._waiting(stream, receiver)
        sets = {one.token_id: await self._signed(receiver, stream, one) for one in waiting[:most]}
        return sets, len(waiting) > len(sets)

    async def turn(self) -> int:
        """Push what is due to all receivers concurrently; return the number of events."""
        return sum(await asyncio.gather(*map(self.turn_of, self._streams.receivers)))

    async def turn_of(self, name: str) -> int:
        """Push what is due to one receiver, for a separate background loop.

        So a slow receiver delays no other.
        """
        stream = await self._streams.of(self._streams.receivers[name])
        if stream is None or stream.method != PUSH or stream.status != "enabled":
            return 0
        due = self._clock.boot_s() >= self._due_s.get(stream.id, 0.0)
        return await self._push(stream) if due else 0

    async def _push(self, stream: Stream) -> int:
        receiver = self._streams.receivers[stream.receiver]
        target = self._targets.get(stream.receiver)
        pushed = 0
        if target is None:
            return 0
        try:
            while True:
                waiting, _ = await self._waiting(stream, receiver)
                for one in waiting:
                    refused = await self._deliver(target, await self._signed(receiver, stream, one))
                    stream = await self._pushed(receiver, stream, one.token_id, refused)
                    pushed += 1
                if not waiting:
                    break
        except RemitError as fault:
            # 4
            first_s, longest_s = PAUSE_S
            pause_s = min(self._pause_s.get(stream.id, first_s / 2) * 2, longest_s)
            self._pause_s[stream.id] = pause_s
            self._due_s[stream.id] = self._clock.boot_s() + pause_s
            if stream.receiver not in self.failing:
                log.warning("events cannot be pushed to `%s`: %s", stream.receiver, fault)
            self.failing[stream.receiver] = fault.message
        else:
            self._pause_s.pop(stream.id, None)
            self.failing.pop(stream.receiver, None)
            async with self._streams.changing:
                await self._settle(await self._streams.get(receiver, stream.id), set(), {})
        return pushed

    async def _pushed(self, receiver: Receiver, stream: Stream, token_id: str, refused: str) -> Stream:
        async with self._streams.changing:
            errors = {token_id: refused} if refused else {}
            # The current version: its receiver may have changed it in the meantime.
            now = await self._streams.get(receiver, stream.id)
            return await self._settle(now, {token_id}, errors)

    async def _deliver(self, target: PushTarget, token: str) -> str:
        """Push one token; return the code of the receiver's refusal, empty where the receiver accepted it.

        Raises `SourceUnavailable` where the token has to be pushed again.
        """
        answer = await target.deliver.post(
            target.url, token.encode(), media=SET_MEDIA, headers=target.headers(), max_bytes=65_536
        )
        if answer.status in (200, 202, 204):
            return ""
        if answer.status == 400:
            # RFC 8935 section 2.3: the token is refused, and would be each time.
            return _error_of(answer.body)
        raise SourceUnavailable(f"it answered {answer.status}", code="push-refused")

    async def _waiting(self, stream: Stream, receiver: Receiver) -> tuple[list[UnsentEvents], int]:
        """Do step 1: return the undelivered notices, and the index after the last event read.

        It returns at most one window of notices.
        """
        found = [
            UnsentEvents(
                -1,
                one.token_id,
                OutgoingEvent(kind=SignalKind.VERIFICATION, at=one.at, payload=_state(one.state)),
            )
            for one in stream.verifications
        ]
        # Read first: events that are added while the log is read are beyond it.
        size = await self._store.size(self._tenant)
        position = end = await self._cursors.position(cursor_of(stream))
        told = set(stream.told)
        async for entry in self._cursors.ahead(position, _KINDS):
            notice = await self._notice(entry, receiver)
            end = entry.index + 1
            if notice is None or not stream.takes(notice, receiver, self._issuer):
                continue
            name = notice_id(self._origin, stream.id, entry.index)
            if name not in told:
                found.append(UnsentEvents(entry.index, name, notice))
            if len(found) + len(told) >= WINDOW:
                return found, end
        return found, max(end, size)

    async def _notice(self, entry: Entry, receiver: Receiver) -> OutgoingEvent | None:
        record = _RECORD.decode(entry.leaf)
        person = ""
        if entry.task:
            task = await self._store.task(self._tenant, entry.task)
            person = task.on_behalf_of if task is not None else ""
        elif entry.opened and isinstance(entry.opened.get("person"), str):
            person = str(entry.opened["person"])
        notice = notice_of(record, datetime.fromisoformat(record["at"]), person=person)
        if notice is None or not notice.agent:
            return notice
        agent = await self._store.agent(self._tenant, notice.agent)
        covered = agent is not None and receiver.covers(self._members.of_agent(agent))
        return notice if covered else None

    async def _signed(self, receiver: Receiver, stream: Stream, one: UnsentEvents) -> str:
        """Do step 2."""
        claims = claims_of(
            one.notice,
            issuer=self._issuer,
            audience=receiver.audience,
            token_id=one.token_id,
            people=receiver.people,
        )
        if one.index < 0:
            # SSF 1.0 section 8.1.4.1: a verification is about the stream.
            claims["sub_id"] = {"format": "opaque", "id": stream.id}
        return await self._keys.sign(claims, token_type=SET_TYPE)

    async def _settle(self, stream: Stream, acks: set[str], errors: Mapping[str, str]) -> Stream:
        """Do step 3: note acknowledgements, and move the position to the first notice without one."""
        receiver = self._streams.receivers[stream.receiver]
        before = await self._cursors.position(cursor_of(stream))
        waiting, end = await self._waiting(stream, receiver)
        known = {one.token_id for one in waiting}
        done = (acks | set(errors)) & known
        if refused := {name: code for name, code in errors.items() if name in known}:
            await self._untold(stream, refused)
        left = [one for one in waiting if one.index >= 0 and one.token_id not in done]
        first = left[0].index if left else end
        told = {
            *stream.told,
            *(one.token_id for one in waiting if one.token_id in done and one.index > first),
        }
        if done or first - before >= STRIDE:
            changed = msgspec.structs.replace(
                stream,
                told=tuple(sorted(told)) if left else (),
                verifications=tuple(one for one in stream.verifications if one.token_id not in done),
            )
            if first > before:
                await self._cursors.advance(cursor_of(stream), first)
            if changed != stream:
                await self._streams.keep(changed)
            return changed
        return stream

    async def _untold(self, stream: Stream, refused: Mapping[str, str]) -> None:
        events = tuple(
            Event.of(
                SignalUndelivered(receiver=stream.receiver, stream=stream.id, id=name, code=code[:80]),
                at=self._clock.now(),
                tenant=self._tenant,
            )
            for name, code in refused.items()
        )
        log.warning("`%s` refuses %d events", stream.receiver, len(events))
        await self._store.commit(Unit(events=events))


def _state(state: str) -> dict[str, Json]:
    return {"state": state} if state else {}


def _error_of(body: bytes) -> str:
    try:
        value = parse_strict(body, max_bytes=65_536, max_depth=8)
    except Malformed:
        return "unreadable"
    code = value.get("err") if isinstance(value, dict) else None
    return code if isinstance(code, str) and code else "unreadable"
