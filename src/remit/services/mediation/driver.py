# SPDX-License-Identifier: Apache-2.0
"""The driver of `core.decisions.mediation`: does the work of each step, in the order that the machine asks
for.

One `CallDriver` takes one call through the nine steps. It holds no rule of its own: who may do what stands in
`authorize`, what an end means in `live` and `revocations`.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial
from typing import Final

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision, Outcome, overtaken
from remit.core.decisions.mediation import (
    Bind,
    Bound,
    Chunk,
    ChunkKind,
    Close,
    Closed,
    Decide,
    Delivery,
    Describe,
    End,
    Forward,
    Forwarded,
    Identify,
    Lease,
    Leased,
    Machine,
    Need,
    Observe,
    Observed,
    Receive,
    Record,
    Recorded,
    Release,
    Released,
    Resume,
    Resumed,
    mediate,
    step_of,
)
from remit.core.errors import Conflict, NotFound, RemitError, UpstreamUnreachable
from remit.core.identity.principals import Principal
from remit.core.label import Classes, Label
from remit.core.oauth.access_token import AccessClaims
from remit.core.tools.tool import Effect, Tool
from remit.ports.broker import UpstreamCredential
from remit.ports.store.changes import Change, UseApproval
from remit.ports.store.units import Unit
from remit.ports.upstream import Call, Exchange
from remit.services.credentials.scrubbing import NO_SCRUBBER
from remit.services.decisions.authorizer import Ruling
from remit.services.decisions.call_events import decision_event, ended_by, outcome_events, sanitized
from remit.services.flow.observation import Observation, rising
from remit.services.mediation.call import RequestedCall, wire_call
from remit.services.mediation.deferred_calls import DeferredCall, brought_by, standing_of
from remit.services.mediation.dependencies import NOT_OFFERED, Dependencies, Driver, Sink
from remit.services.tasks.calls_in_flight import LiveCall, fenced_by
from remit.services.tasks.live_tasks import LiveTask

_NO_UNIT: Final = Unit()
# Names of the module, not of the class: a member is found through its metaclass, ten times as slowly.
_DEFER = Outcome.DEFER
_NONE = Effect.NONE
_REQUEST = ChunkKind.REQUEST


class CallDriver(Driver):
    """One call on its way."""

    def __init__(self, parts: Dependencies, asked: RequestedCall, sink: Sink) -> None:
        """Begin before step 1."""
        self._m = parts
        self._asked = asked
        self._sink = sink
        self._now: datetime = parts.clock.now()
        self._claims: AccessClaims | None = None
        self._live: LiveTask | None = None
        self._ruling: Ruling | None = None
        self._request: AccessRequest | None = None
        self._call: LiveCall | None = None
        self._exchange: Exchange | None = None
        self._credential: UpstreamCredential | None = None
        self._scrubber = NO_SCRUBBER
        self._asking = _NO_UNIT
        self._turn: asyncio.Lock | None = None
        self._number = 0
        self._result_bytes = 0
        self._ended_by = ""
        self._held: DeferredCall | None = None
        self._taking: Observation | None = None
        self._deadline = 0.0
        self._task = parts.alarms.running()

    async def run(self, machine: Machine | None = None) -> End:
        """Do what the machine asks for until it ends."""
        machine = machine or mediate()
        need: Need = next(machine)
        self._m.authorizer.evaluations.calls += 1
        works, precedence, waited = self.works, self._m.precedence, False
        try:
            while True:
                try:
                    if precedence.pause is not None and not (waited or self._ended_by):
                        waited = True
                        await precedence.turn()
                    answer = await works[type(need)](self, need)
                except BaseException as fault:  # noqa: BLE001 - the machine closes the call, then raises it again
                    if isinstance(fault, RemitError) and fault.step is None:
                        fault.step = step_of(need).value
                    self._ended_by = self._ended_by or ended_by(fault)
                    need = machine.throw(fault)
                else:
                    need = machine.send(answer)
        except StopIteration as stop:
            end: End = stop.value
            return end
        finally:
            self._m.authorizer.evaluations.calls -= 1
            self._let_go()

    # The nine steps.

    async def _identify(self, need: Identify) -> Principal:
        self._claims = self._m.authenticator.claims(self._asked.token, self._now, proven=self._asked.proven)
        return self._claims.principal

    async def _bind(self, need: Bind) -> Bound:
        assert self._claims is not None
        live = await self._m.live.bind(self._claims, self._now)
        live.check_room(self._m.max_calls_per_task)
        if self._asked.defers:
            self._m.deferrals.check_room(live)
        live.open_calls += 1
        self._live = live
        return Bound(live)

    async def _describe(self, need: Describe) -> AccessRequest:
        assert self._claims is not None
        assert self._live is not None
        asked = self._asked
        if asked.upstream not in self._m.upstreams:
            raise NotFound(f"upstream `{asked.upstream[:80]}` does not exist", code="no-upstream")
        steps = self._m.authorizer.describing(
            self._claims.principal, self._live, asked.upstream, asked.name, asked.arguments, self._now
        )
        request = await self._m.observer.turns.take(steps)
        if asked.follows is not None:
            request = msgspec.structs.replace(request, follows=asked.follows.decision)
        self._request = await self._m.stored_labels.seen(request)
        return self._request

    async def _decide(self, need: Decide) -> Decision:
        assert self._live is not None
        ruling = await self._m.authorizer.decide(need.request, self._live)
        if ruling.decision.outcome is _DEFER and not ruling.decision.observed:
            turn = self._m.approvals.turn(need.request.task.id)
            await turn.acquire()
            self._turn = turn
            approval, self._asking = await self._m.approvals.asking(need.request, ruling.decision)
            ruling = Ruling(msgspec.structs.replace(ruling.decision, approval=approval.id))
        self._ruling = ruling
        return ruling.decision

    async def _record(self, need: Record) -> Recorded:
        """Step 5: one commit, then the effect."""
        assert self._live is not None
        assert self._ruling is not None
        request, decision = need.request, need.decision
        if not decision.proceeds:
            await self._m.refusals.record(decision_event(request, decision), self._asking)
            self._end_turn()
            return Recorded()
        live, ruling = self._live, self._ruling
        scopes = live.call_scopes(request.tool.id)
        call = LiveCall(decision.id, request.tool.id, request.tool.effect._value_, scopes)
        changes = [
            *self._m.live.checks(live, scopes),
            *self._m.stored_labels.unchanged(request),
            *ruling.takes,
        ]
        if ruling.approval is not None:
            changes.append(UseApproval(ruling.approval.id, request.call_digest, self._now))
        # INVARIANT: the label rises here, before anything that carries it can be released.
        classes = self._m.policies.applied.bundle.classes
        rise = rising(live, self._carried(request.tool, classes), request, classes, self._now)
        label = live.label
        live.calls += 1
        self._number = live.calls
        events = (
            decision_event(request, decision, self._number),
            *rise.events,
            *sanitized(request, decision.id),
        )
        live.in_hand.add(call)
        self._call = call
        try:
            # What the intent states is used up for this purpose, before another call can be described.
            live.spend(request)
            left = self._m.stored_labels.writes(request, decision.id, self._number)
            # A call that is alone has nobody to share a transaction with.
            alone = self._m.authorizer.evaluations.calls == 1
            await self._m.store.commit(Unit((*changes, *rise.changes, *left), events), at_once=alone)
        except BaseException as lost:
            self._settle(taken=False)
            rise.lost()
            if isinstance(lost, Conflict):
                # A fence, an ancestor's budget or another use of the approval came first: that is a fact too.
                await self._m.store.commit(Unit(events=(decision_event(request, overtaken(decision, lost)),)))
            raise
        # Commits answer in the order in which they were handed in, and labels only rise.
        live.kept_label = label
        self._m.stored_labels.kept(left)
        self._settle(taken=True)
        return Recorded()

    async def _resume(self, need: Resume) -> Resumed:
        """Of a call that is new there is nothing to take up (`resume.ResumeDrive`)."""
        raise NotImplementedError

    async def _lease(self, need: Lease) -> Leased:
        assert self._call is not None
        # INVARIANT: nothing is awaited between the look at the fence and the beginning of a lease.
        self._look(self._call)
        self._credential = await self._m.leases.lease(need.request.task, self._asked.upstream)
        self._scrubber = self._m.leases.scrubber(self._credential, self._asked.upstream, need.request.task)
        headers = self._credential.headers if self._credential is not None else {}
        upstream = self._m.upstreams[self._asked.upstream]
        self._exchange = await upstream.prepare(self._wire(need.request), headers)
        return Leased(self._exchange)

    async def _forward(self, need: Forward) -> Forwarded:
        """Step 7. INVARIANT: nothing is awaited between the look at the fence and the write."""
        assert self._live is not None
        assert self._call is not None
        assert self._exchange is not None
        call, exchange = self._call, self._exchange
        self._look(call)
        tool, classes = need.request.tool, self._m.policies.applied.bundle.classes
        if tool.effect is not _NONE and self._live.rose_beside(need.request.label, tool.label, classes):
            # What another call read meanwhile may lie in the upstream, where this call could carry it on.
            raise Conflict(
                "the task has read more data since the decision", code="label-rose", remediation="call again"
            )
        self._deadline = self._m.clock.boot_s() + self._m.call_timeout_s
        call.on_cut = exchange.release
        exchange.send()
        call.sent = True
        return Forwarded()

    async def _receive(self, need: Receive) -> Chunk:
        assert self._call is not None
        assert self._exchange is not None
        left = self._deadline - self._m.clock.boot_s()
        try:
            with self._m.alarms.within(left, self._task):
                chunk = await self._exchange.receive()
        except TimeoutError:
            self._exchange.cancel("timed out")
            raise UpstreamUnreachable(
                f"upstream `{self._asked.upstream}` did not answer in time",
                sent=True,
                code="upstream-timeout",
            ) from None
        except UpstreamUnreachable:
            self._look(self._call)
            raise
        self._look(self._call)
        return await self._m.observer.turns.take(self._scrubber.take(chunk), partial(self._look, self._call))

    async def _observe(self, need: Observe) -> Observed:
        """Step 8. INVARIANT: the fence is looked at after all that is awaited here."""
        chunk = need.chunk
        assert self._exchange is not None
        if chunk.kind is _REQUEST:
            # An answer to the server's own question would be a disclosure that nobody decided: refused.
            if chunk.request_id is not None:
                self._exchange.respond(chunk.request_id, NOT_OFFERED, error=True)
            return Observed(None)
        self._result_bytes += chunk.size
        if chunk.deferred:
            return Observed(await self._defer(chunk))
        return Observed(await self._take_in(chunk))

    async def _release(self, need: Release) -> Released:
        """INVARIANT: nothing more of an answer is handed out once the call is cut, though it has begun."""
        call, running = self._call, self._task
        assert call is not None
        self._look(call)  # an end may have gone first since the chunk was taken in
        on_cut = call.on_cut

        def cut() -> None:
            if on_cut is not None:
                on_cut()
            running.cancel()

        call.on_cut = cut
        try:
            await self._sink.release(need.chunk)
        except asyncio.CancelledError:
            if not call.cut:
                raise
            running.uncancel()
            self._look(call)
        finally:
            call.on_cut = on_cut
        return Released()

    async def _close(self, need: Close) -> Closed:
        """Step 9. The outcome is written behind the answer; until then the call counts as unfinished."""
        assert self._live is not None
        assert self._request is not None
        assert self._ruling is not None
        decision, size = self._ruling.decision, self._result_bytes
        # What came in has come in: it is counted, and the bound refuses the next call.
        take = self._live.count_result(size)
        if (held := self._held) is not None:
            held.result_bytes += size
            if self._ended_by:
                # Nobody has the handle.
                self._m.deferrals.give_up(held, self._ended_by)
        outcome = outcome_events(
            self._request, decision, need.outcome, self._m.clock.now(), size, self._ended_by
        )
        events = outcome if held is None else ()
        changes: tuple[Change, ...] = (take,) if self._live.bounds_bytes else ()
        if changes or events:
            self._m.late.write(Unit(changes, events))
        return Closed()

    # What the steps share.

    def _observation(self) -> Observation:
        """Return what keeps, over all that the call brings, what step 8 must know of it."""
        if self._taking is None:
            live, call, request = self._live, self._call, self._request
            assert live is not None
            assert call is not None
            assert request is not None
            self._taking = Observation(live, request, self._number, call.decision, partial(self._look, call))
        return self._taking

    async def _take_in(self, chunk: Chunk) -> Delivery:
        """Have observed what comes in; raises where the call has been cut meanwhile."""
        return await self._m.observer.observe(self._observation(), chunk)

    def _wire(self, request: AccessRequest) -> Call:
        """Return what goes upstream."""
        return wire_call(self._asked, request, self._credential, self._m.clock.now())

    async def _defer(self, chunk: Chunk) -> Delivery:
        """Keep a call that its upstream goes on with, and give the agent a handle of ours."""
        taking, call, ruling, deferrals = self._observation(), self._call, self._ruling, self._m.deferrals
        assert call is not None
        assert ruling is not None
        standing = standing_of(chunk, self._asked.upstream, expected=self._asked.defers)
        for one in brought_by(standing):
            await self._take_in(one)
        self._held = deferrals.hold(
            taking.live, call, taking.request, ruling.decision,
            number=self._number, standing=standing, credential=self._credential,
        )  # fmt: skip
        return taking.own(deferrals.created(self._held, standing), deferred=True)

    def _carried(self, tool: Tool, classes: Classes) -> Label:
        """Return what the task takes on before the call is sent; what more a result carries, step 8 sees."""
        return tool.label

    def _look(self, call: LiveCall) -> None:
        """Look at the local fence; raises `Fenced` with `sent` set where the upstream may have acted."""
        assert self._live is not None
        fenced = "this call" if call.cut else self._m.live.fenced(self._live, call.scopes)
        if fenced or not self._m.live.holds():
            self._ended_by = "fence"
            raise fenced_by(fenced, sent=call.sent)

    def _settle(self, *, taken: bool) -> None:
        if self._live is not None and self._ruling is not None:
            self._live.settle(self._ruling.takes, taken=taken)

    def _end_turn(self) -> None:
        if (turn := self._turn) is not None:
            self._turn = None
            turn.release()

    def _let_go(self) -> None:
        self._end_turn()
        if self._credential is not None:
            self._m.leases.release(self._credential)
        if self._exchange is not None:
            if self._ended_by in ("agent", "fence", "timeout"):
                self._exchange.cancel(self._ended_by)
            self._exchange.release()
        # A deferred call stays in hand until it has ended.
        if self._live is not None and self._held is None:
            self._live.open_calls -= 1
            if self._call is not None:
                self._live.in_hand.discard(self._call)
