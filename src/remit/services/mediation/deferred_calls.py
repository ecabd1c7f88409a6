# SPDX-License-Identifier: Apache-2.0
"""Deferred calls: permitted, sent, and still running at their upstream after their first answer.

1. a deferred call stays pending: it counts against the task's limit of concurrent calls, it keeps the task
   from falling idle, and an end of any of its scopes cuts it and lists it as indeterminate
2. the agent gets a handle made by remit, valid for this task alone; the upstream's id never leaves the
   process
3. remit polls at the pace that the upstream asks for, and no longer than the upstream states, the task lives,
   or `MAX_LIFE_S`
4. INVARIANT: the outcome is recorded once, when the upstream is seen to have ended the call. Where that is
   not seen (the time is over, the call is cut, remit stops) it is `unknown`, and the upstream is asked to
   cancel
5. what an upstream has called final stays final: a different ending of the same call is not passed on

Deferred calls are held in memory only. After a restart, the next process finds them like every call without
an outcome.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision
from remit.core.decisions.deferred_call import CANCEL, CAPABILITY, DeferredStatus, Status, read_standing
from remit.core.decisions.mediation import Chunk, ChunkKind
from remit.core.errors import Busy, Malformed, RemitError, UpstreamFault
from remit.core.evidence.event import CallOutcome, Event, timestamp
from remit.core.evidence.events.decisions import CallCancelled
from remit.core.ids import ID_BYTES, make_id
from remit.ports.broker import UpstreamCredential
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.units import Unit
from remit.ports.upstream import Call, Upstream
from remit.services.decisions.call_events import outcome_events
from remit.services.decisions.write_behind import WriteBehind
from remit.services.endings.events import EndEvents
from remit.services.tasks.calls_in_flight import LiveCall
from remit.services.tasks.histories import Histories
from remit.services.tasks.live_task import LiveTask

#: Largest number of deferred calls of one task, and of all tasks, that have not ended.
MAX_PER_TASK: Final = 32
MAX_IN_ALL: Final = 2_000
#: Calls of one task that are remembered, ended ones included, and bytes remembered of all calls.
KNOWN_PER_TASK: Final = 128
MAX_BYTES: Final = 64 * 1024 * 1024
#: Seconds for which a call is looked after at most, and for which its last answer is kept for agents that
#: missed it.
MAX_LIFE_S: Final = 24 * 3600.0
KEPT_S: Final = 300.0
#: Seconds within which the end of a call that its agent has cancelled can still be seen.
GRACE_S: Final = 60.0
#: Seconds between two polls of an upstream: minimum, default and maximum. The upstream's wish is clamped.
POLL_S: Final = (0.1, 1.0, 60.0)
#: Answers up to this size are kept for agents that ask again too early or missed the last answer.
MAX_KEPT: Final = 16_384
#: Seconds that an upstream has to accept a cancellation, and the largest number of concurrent cancellations.
CANCEL_S: Final = 5.0
MAX_CANCELLING: Final = 256


class DeferredCall:
    """One deferred call. The code that looks after it holds `turn`: one at a time."""

    def __init__(
        self,
        handle: str,
        live: LiveTask,
        call: LiveCall,
        request: AccessRequest,
        decision: Decision,
        number: int,
    ) -> None:
        """Begin without a known status."""
        self.handle = handle
        self.live = live
        self.call = call
        # Values read from the arguments are read again where needed: arguments are kept for long, so only
        # once.
        self.request = msgspec.structs.replace(request, flow=msgspec.structs.replace(request.flow, read={}))
        self.decision = decision
        self.number = number
        self.upstream_id = ""
        self.until_s = 0.0
        self.life_ms = 0
        self.poll_s = POLL_S[1]
        self.looked_s = 0.0
        self.credential: UpstreamCredential | None = None
        self.result_bytes = 0
        #: The fields of the result that the agent does not get.
        self.withheld: dict[str, None] = {}
        #: Digest of what the upstream has called final.
        self.ending = ""
        self.settled = False
        self.cancelled = False
        self.told = b""
        self.wants_input = False
        self.size_bytes = len(msgspec.json.encode(request.arguments)) + MAX_KEPT
        self.turn = asyncio.Lock()

    @property
    def upstream(self) -> str:
        """The upstream where the call runs."""
        return self.request.tool.upstream

    def known(self, now_s: float) -> bytes:
        """Return the last reported status where no newer one can be known yet; otherwise nothing."""
        return self.told if self.ending or now_s < self.looked_s + self.poll_s else b""

    def stale(self) -> None:
        """Ask the upstream next time, whatever was last reported."""
        if not self.ending:
            self.told = b""


class Deferrals:
    """All deferred calls of one process; for one event loop."""

    def __init__(
        self,
        *,
        upstreams: Mapping[str, Upstream],
        late: WriteBehind,
        histories: Histories,
        clock: Clock,
        entropy: Entropy,
        events: EndEvents,
    ) -> None:
        """Take the dependencies."""
        self._upstreams = upstreams
        self._late = late
        self._histories = histories
        self._clock = clock
        self._entropy = entropy
        self._calls: OrderedDict[str, DeferredCall] = OrderedDict()
        self._cancelling: set[asyncio.Task[None]] = set()
        self._bytes = 0
        events.ended.append(self.on_end)

    def __len__(self) -> int:
        """Return the number of deferred calls that have not ended."""
        return sum(1 for one in self._calls.values() if not one.settled)

    def check_room(self, live: LiveTask) -> None:
        """Raise `Busy` where a task, or all tasks together, may defer no further call."""
        own = sum(1 for one in live.in_hand if one.deferred)
        if own >= MAX_PER_TASK:
            raise Busy(
                f"{own} calls of task `{live.task.id}` continue at their upstreams",
                remediation="wait until one of them has ended, or cancel one",
            )
        full = len(self._calls) >= MAX_IN_ALL or self._bytes >= MAX_BYTES
        if full and not any(one.settled for one in self._calls.values()):
            raise Busy("too many calls continue at their upstreams", remediation="try again later")

    def hold(
        self,
        live: LiveTask,
        call: LiveCall,
        request: AccessRequest,
        decision: Decision,
        *,
        number: int,
        standing: DeferredStatus,
        credential: UpstreamCredential | None,
        handle: str = "",
    ) -> DeferredCall:
        """Keep a call whose upstream has just deferred it.

        Raises `Busy` at a bound, `UpstreamFault` for an id that another call at the upstream has.

        `credential` is the credential that the call was sent with; `handle` the one that its agent has of it
        already.
        """
        handle = handle or make_id("call", self._entropy.bytes(ID_BYTES)) + self._entropy.bytes(8).hex()
        held = DeferredCall(handle, live, call, request, decision, number)
        held.upstream_id, held.credential = standing.id, credential
        now = self._clock.now()
        life_s = min(MAX_LIFE_S, (live.task.deadline - now).total_seconds())
        if standing.ttl_ms is not None:
            life_s = min(life_s, standing.ttl_ms / 1000)
        held.life_ms = max(int(life_s * 1000), 0)
        held.until_s = self._clock.boot_s() + life_s
        twin = (held.upstream, standing.id)
        if any((one.upstream, one.upstream_id) == twin for one in self._calls.values()):
            raise _lies(held, "returned the same id for two calls")
        self._make_room(held)
        try:
            self.check_room(live)
            if self._bytes + held.size_bytes > MAX_BYTES:
                raise Busy("too many continuing calls are recorded", remediation="try again later")
        except Busy:
            self._cancel_later(held)
            raise
        call.deferred = True
        call.on_cut = lambda: self.give_up(held, "fence")
        self._calls[handle] = held
        self._bytes += held.size_bytes
        return held

    def find(self, handle: str, task: str, upstreams: Iterable[str]) -> DeferredCall | None:
        """Return a deferred call of a task at one of the upstreams; `None` where no such call exists."""
        held = self._calls.get(handle)
        if held is None or held.live.task.id != task or held.upstream not in upstreams:
            return None
        return held

    def take(self, held: DeferredCall, standing: DeferredStatus) -> bytes:
        """Take in the status of a call; return the status in the form for the agent.

        Raises `UpstreamFault` where the upstream reports on another call, or ends one call in two different
        ways.
        """
        if standing.id != held.upstream_id:
            raise _lies(held, "reported another call than the requested one")
        if held.ending and held.ending != _ending(standing):
            raise _lies(held, "reported two different ends of a call")
        low, usual, high = POLL_S
        held.poll_s = min(max(standing.poll_ms / 1000 if standing.poll_ms is not None else usual, low), high)
        held.looked_s = self._clock.boot_s()
        body = self._written(held, standing)
        held.told = body if len(body) <= MAX_KEPT else b""
        held.wants_input = standing.status is Status.INPUT_REQUIRED
        if standing.status.final and not held.ending:
            held.ending = _ending(standing)
            self.settle(held, *_outcome(standing))
        return body

    def created(self, held: DeferredCall, standing: DeferredStatus) -> bytes:
        """Return the answer to the call itself, with its handle."""
        self.take(held, msgspec.structs.replace(standing, status=_open(standing), brings=b""))
        # An end that comes with the handle is reported, with its content, when the agent looks at the call.
        if standing.status is not Status.WORKING:
            held.stale()
        return self._written(held, standing, created=True)

    def _written(self, held: DeferredCall, standing: DeferredStatus, *, created: bool = False) -> bytes:
        at = timestamp(self._clock.now())
        poll_ms = round(held.poll_s * 1000)
        return standing.written(held.handle, at=at, ttl_ms=held.life_ms, poll_ms=poll_ms, created=created)

    def acknowledged(self, held: DeferredCall) -> None:
        """Note that the upstream has accepted the agent's request to cancel a call."""
        held.stale()
        if held.cancelled or held.settled:
            return
        held.cancelled = True
        held.until_s = min(held.until_s, self._clock.boot_s() + GRACE_S)
        self._late.write(Unit(events=(self._cancelled(held, "agent"),)))

    # Endings.

    def settle(self, held: DeferredCall, outcome: CallOutcome, ended_by: str) -> None:
        """Record how a call ended, once, and release it."""
        if held.settled:
            return
        held.settled = True
        now = self._clock.now()
        events = outcome_events(
            held.request, held.decision, outcome, now, held.result_bytes, ended_by, held.withheld
        )
        done = held.live.worked(held.request.tool.id, outcome)
        counted = self._histories.ended(held.request, held.live, outcome)
        self._late.write(Unit((*counted, *done), events))
        held.live.in_hand.discard(held.call)
        held.live.open_calls -= 1

    def give_up(self, held: DeferredCall, why: str) -> None:
        """Stop looking after a call: its outcome stays unknown, and its upstream is asked to stop it."""
        self._forget(held)
        if held.settled:
            return
        self.settle(held, CallOutcome.UNKNOWN, "cancelled" if held.cancelled else why)
        if not held.cancelled:
            self._late.write(Unit(events=(self._cancelled(held, why),)))
        self._cancel_later(held)

    def _cancel_later(self, held: DeferredCall) -> None:
        if len(self._cancelling) < MAX_CANCELLING:
            task = asyncio.get_running_loop().create_task(self._cancel(held))
            self._cancelling.add(task)
            task.add_done_callback(self._cancelling.discard)

    async def on_end(self, task: str) -> None:
        """Forget what a task that has ended could still ask for."""
        for held in [one for one in self._calls.values() if one.live.task.id == task]:
            self.give_up(held, "fence")

    async def sweep(self) -> int:
        """Give up calls whose time is over; return how many. For a background loop."""
        now_s = self._clock.boot_s()
        over = [one for one in self._calls.values() if now_s >= one.until_s]
        for held in over:
            self.give_up(held, "expired")
        for held in self._calls.values():
            if held.settled and now_s >= held.looked_s + KEPT_S:
                # The upstream can be asked again.
                held.told = b""
        return len(over)

    async def stop(self) -> None:
        """Give up all calls: this process can no longer look after them."""
        for held in list(self._calls.values()):
            self.give_up(held, "restart")
        await asyncio.gather(*self._cancelling, return_exceptions=True)

    def _forget(self, held: DeferredCall) -> None:
        if self._calls.pop(held.handle, None) is not None:
            self._bytes -= held.size_bytes

    def _make_room(self, new: DeferredCall) -> None:
        """Forget calls that have ended, the oldest first: of a task that has many, then of all tasks."""
        ended = [one for one in self._calls.values() if one.settled]
        own = [one for one in ended if one.live is new.live]
        for held in own[: max(0, len(own) - KNOWN_PER_TASK + 1)]:
            self._forget(held)
        for held in ended:
            if len(self._calls) < MAX_IN_ALL and self._bytes + new.size_bytes <= MAX_BYTES:
                return
            self._forget(held)

    async def _cancel(self, held: DeferredCall) -> None:
        lease, headers = (one.lease, one.headers) if (one := held.credential) else ("", {})
        call = Call(
            method=CANCEL,
            params={"taskId": held.upstream_id},
            task=held.request.task.id,
            lease=lease,
            capabilities=CAPABILITY,
        )
        with contextlib.suppress(RemitError, TimeoutError):
            async with asyncio.timeout(CANCEL_S):
                exchange = await self._upstreams[held.upstream].prepare(call, headers)
                try:
                    exchange.send()
                    while not (await exchange.receive()).last:
                        pass
                finally:
                    exchange.release()

    def _cancelled(self, held: DeferredCall, by: str) -> Event:
        request = held.request
        return Event.of(
            CallCancelled(tool=request.tool.id, by=by),
            at=self._clock.now(),
            tenant=request.principal.tenant,
            task=request.task.id,
            agent=request.agent.name,
            subject=request.task.subject,
            call=held.decision.id,
        )


def standing_of(chunk: Chunk, upstream: str, *, expected: bool = True) -> DeferredStatus:
    """Parse the status of a deferred call; raises `UpstreamFault`, also where none was `expected`."""
    try:
        if expected:
            return read_standing(chunk.body)
        raise Malformed("a call was deferred, but its agent does not support that")
    except Malformed as fault:
        raise UpstreamFault(
            f"upstream `{upstream}` did not report the state of a call",
            sent=True,
            remediation="check the outcome at the upstream, and repair it",
            debug=fault.debug,
        ) from fault


def brought_by(standing: DeferredStatus) -> tuple[Chunk, ...]:
    """Return the content of a status in the form in which step 8 takes it in."""
    out: list[Chunk] = []
    told = (
        ("statusMessage", standing.message),
        ("createdAt", standing.created),
        ("lastUpdatedAt", standing.updated),
    )
    if said := {name: text for name, text in told if text}:
        out.append(Chunk(ChunkKind.NOTIFICATION, msgspec.json.encode(said)))
    if standing.status is Status.COMPLETED:
        out.append(Chunk(ChunkKind.RESULT, standing.brings, is_error=standing.is_error))
    elif standing.status is Status.FAILED:
        out.append(Chunk(ChunkKind.ERROR, standing.brings))
    elif standing.brings:
        out.append(Chunk(ChunkKind.NOTIFICATION, b'{"inputRequests":' + standing.brings + b"}"))
    return tuple(out)


def remaining(standing: DeferredStatus, released: Sequence[Chunk | None]) -> DeferredStatus:
    """Return a state of which only this was released. Its message is text that belongs to no field."""
    left = [one for one in released if one is not None]
    result = next((one for one in left if one.kind is not ChunkKind.NOTIFICATION), None)
    if result is None:
        # Questions pass unchanged, or not at all.
        asked = [one for one in left if one.body == b'{"inputRequests":' + standing.brings + b"}"]
        return msgspec.structs.replace(standing, message="", brings=standing.brings if asked else b"")
    return msgspec.structs.replace(standing, message="", brings=result.body)


def _open(standing: DeferredStatus) -> Status:
    return Status.WORKING if standing.status.final else standing.status


def _ending(standing: DeferredStatus) -> str:
    return hashlib.sha256(standing.status.value.encode() + b"\0" + standing.brings).hexdigest()


def _outcome(standing: DeferredStatus) -> tuple[CallOutcome, str]:
    if standing.status is Status.COMPLETED:
        return (CallOutcome.TOOL_ERROR if standing.is_error else CallOutcome.OK), ""
    if standing.status is Status.FAILED:
        return CallOutcome.PROTOCOL_ERROR, ""
    # How far the call had come by then is unknown.
    return CallOutcome.UNKNOWN, "cancelled"


def _lies(held: DeferredCall, what: str) -> UpstreamFault:
    return UpstreamFault(
        f"upstream `{held.upstream}` {what}",
        sent=True,
        remediation="check the outcome at the upstream, and repair it",
    )
