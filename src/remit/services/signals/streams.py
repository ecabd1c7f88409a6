# SPDX-License-Identifier: Apache-2.0
"""Event streams: the receivers of remit's events, and what each may learn (SSF 1.0 section 8).

The configuration states who may receive which events, about which agents, and whether the receiver learns for
which people these act. A receiver manages its one stream within that, and never widens it. The push address
and its secret are configured as well: an address that a receiver names is never called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, Literal

import msgspec

from remit.core.canonical import digest
from remit.core.errors import Busy, Conflict, Forbidden, Malformed, NotFound
from remit.core.evidence.event import Event
from remit.core.evidence.events.signals import StreamChanged
from remit.core.identity.principals import Agent
from remit.core.ids import ID_BYTES, make_id
from remit.core.json_value import Json
from remit.core.signals.outgoing_event import NOTICES, OutgoingEvent
from remit.core.signals.security_event_token import POLL, PUSH, SubjectId, read_subject
from remit.core.signals.signal import SignalKind
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import PutValue
from remit.ports.store.log import LogStore
from remit.ports.store.units import Unit
from remit.services.evidence.followers import Followers

Status = Literal["enabled", "paused", "disabled"]

STREAMS: Final = "stream:"
#: Largest number of subjects that a receiver may remove from its stream.
MAX_SUBJECTS: Final = 1_000
#: Largest number of verification events that wait to be sent.
MAX_VERIFICATIONS: Final = 4
MIN_VERIFICATION_S: Final = 10


class Receiver(msgspec.Struct, frozen=True, kw_only=True):
    """A party that receives events.

    `agents` selects the agents that these are about: names, `group:name`, or `*`. `agent` is the registered
    agent by which the receiver manages and polls its stream, empty where events are only pushed. `people` is
    whether the receiver learns for which people agents act, and events about people. `push` is where its
    events go.
    """

    name: str
    audience: str
    agents: frozenset[str]
    events: frozenset[SignalKind] = frozenset(NOTICES)
    people: bool = False
    agent: str = ""
    push: str = ""

    def covers(self, agent: Agent) -> bool:
        """Return whether the receiver may learn about an agent."""
        wanted = {"*", agent.name, *(f"group:{group}" for group in agent.groups)}
        return bool(wanted & self.agents)


class Verification(msgspec.Struct, frozen=True):
    """A verification event that a receiver has requested (SSF 1.0 section 8.1.4)."""

    token_id: str
    at: datetime
    state: str = ""


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream. `told` are ids of notices beyond its position that were acknowledged out of order."""

    id: str
    receiver: str
    method: str = POLL
    requested: tuple[str, ...] = ()
    description: str = ""
    status: Status = "enabled"
    reason: str = ""
    removed: tuple[str, ...] = ()
    verifications: tuple[Verification, ...] = ()
    told: tuple[str, ...] = ()

    def delivers(self, receiver: Receiver) -> tuple[SignalKind, ...]:
        """Return the events that the stream carries: those that were requested and are permitted."""
        return tuple(
            kind
            for kind in NOTICES
            if kind in receiver.events and (not self.requested or kind.uri in self.requested)
        )

    def takes(self, notice: OutgoingEvent, receiver: Receiver, issuer: str) -> bool:
        """Return whether a notice belongs to the stream."""
        if notice.kind not in self.delivers(receiver) or not (notice.agent or receiver.people):
            return False
        subject = notice.subject(issuer, people=receiver.people)
        return not self.removed or not marks_of(subject) & set(self.removed)


def marks_of(subject: SubjectId) -> set[str]:
    """Return the marks that identify a subject removed from a stream: one for each of its parts."""
    return {digest(one.wire()) for of in subject.parts.values() for one in of}


class Streams:
    """Stores and changes streams."""

    def __init__(
        self,
        *,
        store: LogStore,
        clock: Clock,
        entropy: Entropy,
        cursors: Followers,
        tenant: str,
        receivers: Mapping[str, Receiver],
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._cursors = cursors
        self._tenant = tenant
        self.receivers = receivers
        #: Held by code that reads a stream, changes it, and writes it back.
        self.changing = asyncio.Lock()

    def receiver_of(self, agent: str) -> Receiver:
        """Return the receiver that an agent manages; raises `Forbidden`."""
        found = next((one for one in self.receivers.values() if agent and one.agent == agent), None)
        if found is None:
            raise Forbidden(
                f"`{agent[:80]}` receives no events",
                code="receiver",
                remediation="add it under `signals.send`",
            )
        return found

    async def begin(self) -> None:
        """Create the streams of receivers that get pushes and manage nothing themselves; for the start."""
        for receiver in self.receivers.values():
            if receiver.push and not receiver.agent and await self.of(receiver) is None:
                await self._put(
                    Stream(id=f"str_{receiver.name}", receiver=receiver.name, method=PUSH), "created"
                )

    async def of(self, receiver: Receiver) -> Stream | None:
        """Return the stream of a receiver."""
        return next((one for one in await self.all() if one.receiver == receiver.name), None)

    async def all(self) -> list[Stream]:
        """Return all streams whose receiver is configured."""
        kept = await self._store.values(self._tenant, STREAMS)
        found = [msgspec.convert(one, Stream) for one in kept]
        return [one for one in found if one.receiver in self.receivers]

    async def get(self, receiver: Receiver, name: str) -> Stream:
        """Return a stream of a receiver; raises `NotFound` for streams of other receivers."""
        found = await self.of(receiver)
        if found is None or (name and found.id != name):
            raise NotFound("the stream does not exist", remediation="create one, or list yours")
        return found

    async def create(
        self, receiver: Receiver, *, method: str, requested: tuple[str, ...], description: str, endpoint: str
    ) -> Stream:
        """Create a receiver's stream; raises `Conflict` where the receiver has one."""
        self._check(receiver, method, endpoint)
        stream = Stream(
            id=make_id("str", self._entropy.bytes(ID_BYTES)),
            receiver=receiver.name,
            method=method,
            requested=requested,
            description=description,
        )
        async with self.changing:
            if await self.of(receiver) is not None:
                raise Conflict("a stream already exists", remediation="update it, or delete it first")
            await self._put(stream, "created")
        return stream

    async def update(self, receiver: Receiver, stream: Stream, *, endpoint: str, **changes: Json) -> Stream:
        """Change what a stream carries and how."""
        self._check(receiver, changes.get("method", stream.method), endpoint)
        return await self._revise(stream, lambda now: msgspec.structs.replace(now, **changes), "updated")

    async def set_status(self, stream: Stream, status: Status, reason: str) -> Stream:
        """Enable, pause (events are kept) or disable (events are dropped) a stream."""
        if stream.status == "disabled" and status != "disabled":
            await self._cursors.advance(cursor_of(stream), await self._store.size(self._tenant))
        return await self._revise(
            stream, lambda now: msgspec.structs.replace(now, status=status, reason=reason), status
        )

    async def delete(self, stream: Stream) -> None:
        """Delete a stream; a new stream of the receiver carries only later events."""
        async with self.changing:
            event = self._event(stream, "deleted")
            gone = PutValue(self._tenant, STREAMS + stream.id, None)
            await self._store.commit(Unit((gone,), (event,)))
            await self._cursors.drop(cursor_of(stream))

    async def add(self, stream: Stream, subject: Json) -> None:
        """Add a subject to a stream again; events that the receiver may not see stay excluded."""
        marks = marks_of(read_subject(subject))

        def added(now: Stream) -> Stream:
            kept = tuple(one for one in now.removed if one not in marks)
            return msgspec.structs.replace(now, removed=kept)

        await self._revise(stream, added)

    async def remove(self, stream: Stream, subject: Json) -> None:
        """Remove a subject from a stream."""
        marks = sorted(marks_of(read_subject(subject)))

        def removed(now: Stream) -> Stream:
            out = tuple(dict.fromkeys((*now.removed, *marks)))
            if len(out) > MAX_SUBJECTS:
                raise Malformed(f"at most {MAX_SUBJECTS} subjects can be removed from a stream")
            return msgspec.structs.replace(now, removed=out)

        await self._revise(stream, removed)

    async def verify(self, stream: Stream, state: str) -> None:
        """Request a verification event; raises `Busy` where one was requested a moment ago."""
        at = self._clock.now()
        one = Verification(make_id("ver", self._entropy.bytes(ID_BYTES)), at, state)

        def asked(now: Stream) -> Stream:
            recent = [old for old in now.verifications if (at - old.at).total_seconds() < MIN_VERIFICATION_S]
            if recent or len(now.verifications) >= MAX_VERIFICATIONS:
                raise Busy(
                    "a verification was requested a moment ago",
                    code="too-many-tries",
                    remediation=f"wait {MIN_VERIFICATION_S} seconds, and read the pending events",
                )
            return msgspec.structs.replace(now, verifications=(*now.verifications, one))

        await self._revise(stream, asked)

    async def _revise(self, stream: Stream, change: Callable[[Stream], Stream], told: str = "") -> Stream:
        """Change the current version of a stream; with `told` the change is recorded."""
        async with self.changing:
            kept = await self._store.value(self._tenant, STREAMS + stream.id)
            if kept is None:
                raise NotFound("the stream no longer exists", remediation="create one")
            changed = change(msgspec.convert(kept, Stream))
            await (self._put(changed, told) if told else self.keep(changed))
        return changed

    async def keep(self, stream: Stream) -> None:
        """Store a stream whose progress or subjects have changed, without a record of that.

        The caller holds `changing`.
        """
        kept = PutValue(self._tenant, STREAMS + stream.id, msgspec.to_builtins(stream))
        await self._store.commit(Unit((kept,)))

    def _check(self, receiver: Receiver, method: str, endpoint: str) -> None:
        if method not in (PUSH, POLL):
            raise Malformed("the delivery method does not exist", remediation=f"use {PUSH} or {POLL}")
        if method == PUSH and (not receiver.push or endpoint not in ("", receiver.push)):
            raise Malformed(
                "events are pushed only to the configured address",
                code="endpoint",
                remediation="have an administrator set `signals.send.*.push`, or poll",
            )

    async def _put(self, stream: Stream, change: str) -> None:
        await self._cursors.position(cursor_of(stream))
        kept = PutValue(self._tenant, STREAMS + stream.id, msgspec.to_builtins(stream))
        await self._store.commit(Unit((kept,), (self._event(stream, change),)))

    def _event(self, stream: Stream, change: str) -> Event:
        changed = StreamChanged(
            stream=stream.id, receiver=stream.receiver, change=change, method=stream.method
        )
        return Event.of(changed, at=self._clock.now(), tenant=self._tenant)


def cursor_of(stream: Stream) -> str:
    """Return the name under which a stream's position is stored."""
    return f"stream/{stream.id}"
