# SPDX-License-Identifier: Apache-2.0
"""Looking after a deferred call: reading its status, or cancelling it (`core.decisions.mediation.resume`).

1. identify: the token, as for every call
2. bind: the task, and the call, which must be a deferred call of this very task. One look at a time
6. lease: the credential, and a connection; the local fence before and after
7. forward: the upstream's id of the call, and no data of the agent
8. observe: the answer is taken in like the answer of any call, before any of it is released
9. close: the outcome is recorded once it is final. A look that fails ends itself and not the call

Steps 3 to 5 were taken by the call itself: the look carries out its permit.
"""

from __future__ import annotations

from functools import partial

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.deferred_call import ACKNOWLEDGED, CANCEL, DeferredStatus, Status
from remit.core.decisions.mediation import Chunk, ChunkKind, Delivery
from remit.core.errors import Fenced, NotFound
from remit.core.evidence.event import CallOutcome
from remit.core.oauth.access_token import AccessClaims
from remit.ports.broker import UpstreamCredential
from remit.ports.store.changes import TakeBudget
from remit.ports.store.units import Unit
from remit.ports.upstream import Call
from remit.services.flow.observation import Observation
from remit.services.mediation.call import RequestedCall, look_call
from remit.services.mediation.deferred_calls import DeferredCall, standing_of
from remit.services.mediation.dependencies import Dependencies, Sink
from remit.services.mediation.steps.bind import BoundTask
from remit.services.mediation.steps.call_state import CallState
from remit.services.mediation.steps.forward import ForwardedCall, receive_chunk
from remit.services.mediation.steps.identify import identify_agent
from remit.services.mediation.steps.lease import LeasedCall, lease_credential
from remit.services.mediation.steps.observe import observe_chunk, release_delivery, take_standing
from remit.services.mediation.steps.record import RecordedCall
from remit.services.tasks.calls_in_flight import LiveCall
from remit.services.tasks.live_tasks import LiveTask

#: JSON-RPC and the tasks extension: the upstream does not know the call, or no longer knows it.
INVALID_PARAMS = -32602


class _Error(msgspec.Struct):
    code: int


class ResumptionSteps(CallState):
    """One look at a deferred call. `asked` has the name of the call's tool, with the extension's method."""

    identify = identify_agent
    lease = lease_credential
    release = release_delivery

    def __init__(self, deps: Dependencies, asked: RequestedCall, sink: Sink, held: DeferredCall) -> None:
        """Begin before step 1."""
        super().__init__(deps, asked, sink)
        self._held = held
        self._standing: DeferredStatus | None = None
        self._turned = False

    async def bind(self, claims: AccessClaims) -> BoundTask:
        """Return the task of a token. A look counts as no further call of it."""
        return BoundTask(claims, await self.deps.live.bind(claims, self.now))

    async def find(self, bound: BoundTask) -> tuple[RecordedCall, Delivery | None]:
        """Return the deferred call, with what was released of it last where it is too early to ask again."""
        held, live = self._held, bound.live
        asks = self.asked.method != CANCEL
        if asks:
            await held.turn.acquire()
            self._turned = True
        if self.deps.deferrals.find(held.handle, live.task.id, (self.asked.upstream,)) is not held:
            raise gone()
        # All deferred calls may be looked after, but nothing is read while the task's label is being lowered.
        live.check_room(live.open_calls + 1)
        # Pending like every call, so that an end cuts it. The call itself accounts for what may have taken
        # effect.
        in_flight = LiveCall(held.decision.id, held.call.tool, held.call.effect, held.call.scopes)
        live.in_hand.add(in_flight)
        self.live, self.in_flight = live, in_flight
        self.look(live, in_flight)
        recorded = RecordedCall(held.request, held.decision, live, in_flight, held.number)
        known = held.known(self.deps.clock.boot_s()) if asks else ACKNOWLEDGED if held.settled else b""
        if not known:
            return recorded, None
        # What was last reported has already been taken in by this very task.
        again = self._observation(recorded).own(known, wants_input=asks and held.wants_input)
        return recorded, again

    async def forward(self, leased: LeasedCall) -> ForwardedCall:
        """Do step 7. INVARIANT: nothing is awaited between the check of the fence and the write."""
        recorded, exchange = leased.recorded, leased.exchange
        self.look(recorded.live, recorded.in_flight)
        self._held.credential = leased.credential
        deadline_s = self.deps.clock.boot_s() + self.deps.call_timeout_s
        recorded.in_flight.on_cut = exchange.release
        exchange.send()
        return ForwardedCall(leased, deadline_s, self._observation(recorded))

    async def receive(self, forwarded: ForwardedCall) -> Chunk:
        """Do step 7. A final status becomes the answer that the call would have had."""
        chunk = await receive_chunk(self, forwarded)
        if chunk.kind is ChunkKind.ERROR and _code(chunk) == INVALID_PARAMS:
            # The upstream's text contains its id of the call, which the agent must not see.
            if self.asked.method == CANCEL:
                # The call may have ended just now: the next look finds out.
                self._held.stale()
            else:
                self.deps.deferrals.give_up(self._held, "upstream")
            raise gone()
        if chunk.kind is not ChunkKind.RESULT or self.asked.method == CANCEL:
            return chunk
        self._standing = standing = standing_of(chunk, self.asked.upstream)
        kind = ChunkKind.ERROR if standing.status is Status.FAILED else ChunkKind.RESULT
        return Chunk(kind, chunk.body, is_error=standing.is_error, deferred=not standing.status.final)

    async def observe(self, forwarded: ForwardedCall, chunk: Chunk) -> Delivery | None:
        """Do step 8. INVARIANT: the fence is checked after everything that is awaited here."""
        standing, held, observation = self._standing, self._held, forwarded.observation
        if standing is None:
            if chunk.kind is not ChunkKind.RESULT:
                return await observe_chunk(self, forwarded, chunk)
            self.deps.deferrals.acknowledged(held)
            return observation.own(ACKNOWLEDGED)
        self.result_bytes += chunk.size
        held.result_bytes += chunk.size
        standing = await take_standing(self, observation, standing)
        held.withheld |= self.withheld
        body = self.deps.deferrals.take(held, standing)
        return observation.own(body, wants_input=held.wants_input)

    async def close(self, recorded: RecordedCall, outcome: CallOutcome) -> None:
        """Step 9. Count what came; the outcome of the call itself is recorded once it is final."""
        live, size = recorded.live, self.result_bytes
        live.count_result(size)
        if live.bounds_bytes and size:
            self.deps.late.write(Unit((TakeBudget(live.unbounded, result_bytes=size),)))

    def let_go(self) -> None:
        """Give back what the look took; the call itself stays in hand."""
        self.deps.authorizer.evaluations.calls -= 1
        self.let_go_of_upstream()
        if self.live is not None and self.in_flight is not None:
            self.live.in_hand.discard(self.in_flight)
        if self._turned:
            self._held.turn.release()

    def look(self, live: LiveTask, call: LiveCall) -> None:
        """Look at the local fence; raises `Fenced` with `sent` set."""
        try:
            super().look(live, call)
        except Fenced as fenced:
            # What the call has done by now is unknown.
            fenced.sent = True
            raise

    def wire(self, request: AccessRequest, credential: UpstreamCredential | None) -> Call:
        """Return the question about the call, with the upstream's own id of it."""
        lease = credential.lease if credential is not None else ""
        return look_call(self.asked, request, self._held.upstream_id, lease)

    def _observation(self, recorded: RecordedCall) -> Observation:
        look = partial(self.look, recorded.live, recorded.in_flight)
        return Observation(recorded.live, recorded.request, recorded.number, recorded.decision.id, look)


def gone() -> NotFound:
    """Return the error for a handle that belongs to no deferred call of the task."""
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
