# SPDX-License-Identifier: Apache-2.0
"""Looking after a deferred call: how it stands, or that it is to be cancelled
(`core.decisions.mediation.resume`).

1. identify: the token, as for every call
2. bind: the task; and the call, which must be one that goes on in this very task. One look at a time
6. lease: the credential, and a connection; the local fence before and after
7. forward: the upstream's own id of the call, and nothing of the agent's
8. observe: what came is taken in like the answer that it is, before any of it is released
9. close: the outcome is recorded once it is final. A look that fails ends itself and not the call

Steps 3 to 5 were taken by the call itself: its permit is what is carried out.
"""

from __future__ import annotations

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.deferred_call import ACKNOWLEDGED, CANCEL, DeferredStatus, Status
from remit.core.decisions.mediation import (
    Bind,
    Bound,
    Chunk,
    ChunkKind,
    Close,
    Closed,
    Forward,
    Forwarded,
    Observe,
    Observed,
    Receive,
    Resume,
    Resumed,
)
from remit.core.errors import Fenced, NotFound
from remit.ports.store.changes import TakeBudget
from remit.ports.store.units import Unit
from remit.ports.upstream import Call
from remit.services.mediation.call import RequestedCall, look_call
from remit.services.mediation.deferred_calls import DeferredCall, brought_by, standing_of
from remit.services.mediation.dependencies import Dependencies, Sink
from remit.services.mediation.driver import CallDriver
from remit.services.tasks.calls_in_flight import LiveCall

#: JSON-RPC and the tasks extension: the upstream does not know the call (any more).
INVALID_PARAMS = -32602


class _Error(msgspec.Struct):
    code: int


class ResumptionDriver(CallDriver):
    """One look after a deferred call. `asked` is in the name of its tool, with the extension's method."""

    def __init__(self, parts: Dependencies, asked: RequestedCall, sink: Sink, held: DeferredCall) -> None:
        """Begin before step 1."""
        super().__init__(parts, asked, sink)
        self._held: DeferredCall = held
        self._standing: DeferredStatus | None = None
        self._turned = False

    async def _bind(self, need: Bind) -> Bound:
        assert self._claims is not None
        self._live = await self._m.live.bind(self._claims, self._now)
        return Bound(self._live)

    async def _resume(self, need: Resume) -> Resumed:
        held, live = self._held, self._live
        assert live is not None
        asks = self._asked.method != CANCEL
        if asks:
            await held.turn.acquire()
            self._turned = True
        if self._m.deferrals.find(held.handle, live.task.id, (self._asked.upstream,)) is not held:
            raise gone()
        self._request, self._number = held.request, held.number
        # As many as go on may be looked after; but nothing is read while what the task carries is lowered.
        live.check_room(live.open_calls + 1)
        # In hand like every call, so that an end cuts it; of what may have taken effect the call itself
        # tells.
        self._call = LiveCall(held.decision.id, held.call.tool, held.call.effect, held.call.scopes)
        live.in_hand.add(self._call)
        self._look(self._call)
        known = held.known(self._m.clock.boot_s()) if asks else ACKNOWLEDGED if held.settled else b""
        if not known:
            return Resumed(held.request, held.decision)
        # What was told last has been taken in by this very task.
        again = self._observation().own(known, wants_input=asks and held.wants_input)
        return Resumed(held.request, held.decision, again)

    def _wire(self, request: AccessRequest) -> Call:
        lease = self._credential.lease if self._credential is not None else ""
        return look_call(self._asked, request, self._held.upstream_id, lease)

    async def _forward(self, need: Forward) -> Forwarded:
        """Step 7. INVARIANT: nothing is awaited between the look at the fence and the write."""
        assert self._exchange is not None
        assert self._call is not None
        self._look(self._call)
        self._held.credential = self._credential
        self._deadline = self._m.clock.boot_s() + self._m.call_timeout_s
        self._call.on_cut = self._exchange.release
        self._exchange.send()
        return Forwarded()

    async def _receive(self, need: Receive) -> Chunk:
        """Step 7. A final standing becomes the answer that the call would have had."""
        chunk = await super()._receive(need)
        if chunk.kind is ChunkKind.ERROR and _code(chunk) == INVALID_PARAMS:
            # In the upstream's words the call has a name that is not for the agent.
            if self._asked.method == CANCEL:
                # It may have ended just now: the next look tells.
                self._held.stale()
            else:
                self._m.deferrals.give_up(self._held, "upstream")
            raise gone()
        if chunk.kind is not ChunkKind.RESULT or self._asked.method == CANCEL:
            return chunk
        self._standing = standing = standing_of(chunk, self._asked.upstream)
        kind = ChunkKind.ERROR if standing.status is Status.FAILED else ChunkKind.RESULT
        return Chunk(kind, chunk.body, is_error=standing.is_error, deferred=not standing.status.final)

    async def _observe(self, need: Observe) -> Observed:
        """Step 8. INVARIANT: the fence is looked at after all that is awaited here."""
        standing, held = self._standing, self._held
        if standing is None:
            if need.chunk.kind is not ChunkKind.RESULT:
                return await super()._observe(need)
            self._m.deferrals.acknowledged(held)
            return Observed(self._observation().own(ACKNOWLEDGED))
        self._result_bytes += need.chunk.size
        held.result_bytes += need.chunk.size
        for one in brought_by(standing):
            await self._take_in(one)
        body = self._m.deferrals.take(held, standing)
        return Observed(self._observation().own(body, wants_input=held.wants_input))

    async def _close(self, need: Close) -> Closed:
        assert self._live is not None
        self._live.count_result(self._result_bytes)
        if self._live.bounds_bytes and self._result_bytes:
            take = TakeBudget(self._live.unbounded, result_bytes=self._result_bytes)
            self._m.late.write(Unit((take,)))
        return Closed()

    def _look(self, call: LiveCall) -> None:
        try:
            super()._look(call)
        except Fenced as fenced:
            # What the call has done by now nobody knows.
            fenced.sent = True
            raise

    def _let_go(self) -> None:
        super()._let_go()
        if self._live is not None and self._call is not None:
            self._live.in_hand.discard(self._call)
        if self._turned:
            self._held.turn.release()


def gone() -> NotFound:
    """The fault of a handle behind which no call of the task goes on."""
    return NotFound(
        "the call does not exist",
        code="no-call",
        remediation="make the call again if still needed",
        step=2,
    )


def _code(chunk: Chunk) -> int:
    try:
        return msgspec.json.decode(chunk.body, type=_Error).code
    except (msgspec.DecodeError, RecursionError):
        return 0
