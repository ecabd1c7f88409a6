# SPDX-License-Identifier: Apache-2.0
"""One call on its way: what its steps share, and what is given back at its end."""

from __future__ import annotations

import asyncio

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision
from remit.core.decisions.mediation import Step
from remit.core.label import Classes, Label
from remit.core.tools.tool import Tool
from remit.ports.broker import UpstreamCredential
from remit.ports.store.changes import Take
from remit.ports.upstream import Call, Exchange
from remit.services.decisions.call_events import ended_by
from remit.services.mediation.call import RequestedCall, wire_call
from remit.services.mediation.deferred_calls import DeferredCall
from remit.services.mediation.dependencies import Dependencies, Sink
from remit.services.mediation.step_times import StepTimes
from remit.services.tasks.calls_in_flight import LiveCall, fenced_by
from remit.services.tasks.live_tasks import LiveTask


class CallState:
    """One call. What one step makes for the next is passed on as a value and does not stand here."""

    def __init__(self, deps: Dependencies, asked: RequestedCall, sink: Sink) -> None:
        """Begin before step 1."""
        self.deps = deps
        self.asked = asked
        self.sink = sink
        self.now = deps.clock.now()
        self.running = deps.alarms.running()
        self.result_bytes = 0
        #: The fields of the result that the agent does not get.
        self.withheld: dict[str, None] = {}
        #: Whether only the agent's own program says how the call ended: then it counts as one that may have
        #: worked, whatever it says.
        self.claimed = False
        #: What ended the call, where that was not its answer.
        self.ended_by = ""
        #: What was decided and recorded, for the candidate that is shadowed.
        self.recorded: tuple[AccessRequest, Decision] | None = None
        self._waited = False
        #: Where the times of the steps are kept, if they are.
        self.times: StepTimes | None = None
        # What `let_go` gives back, as far as the call has come.
        self.live: LiveTask | None = None
        self.approval_turn: asyncio.Lock | None = None
        self.reserved: tuple[Take, ...] = ()
        self.in_flight: LiveCall | None = None
        self.credential: UpstreamCredential | None = None
        self.exchange: Exchange | None = None
        self.deferred: DeferredCall | None = None

    # What surrounds the steps.

    def begin(self) -> None:
        """Count the call among those under way."""
        self.deps.authorizer.evaluations.calls += 1

    async def turn(self, step: Step) -> Step:
        """Wait, once in a call, where an end goes first."""
        if self.times is not None:
            self.times.turn(step, self.deps.clock.boot_s())
        precedence = self.deps.precedence
        if precedence.pause is not None and not (self._waited or self.ended_by):
            self._waited = True
            await precedence.turn()
        return step

    def failed(self, fault: BaseException) -> None:
        """Keep what ended the call; the first fault counts."""
        self.ended_by = self.ended_by or ended_by(fault)

    def let_go(self) -> None:
        """Give back what the steps took."""
        self.deps.authorizer.evaluations.calls -= 1
        self.end_approval_turn()
        self.settle(taken=False)
        self.let_go_of_upstream()
        # A deferred call stays pending until it has ended.
        if self.live is not None and self.deferred is None:
            self.live.open_calls -= 1
            if self.in_flight is not None:
                self.live.in_hand.discard(self.in_flight)
        if self.recorded is not None:
            self.deps.shadow.offer(*self.recorded)

    async def take_approval_turn(self, turn: asyncio.Lock) -> None:
        """Wait until no other call of the task asks for an approval, or takes from a bounded one."""
        if self.approval_turn is None:
            await turn.acquire()
            self.approval_turn = turn

    def end_approval_turn(self) -> None:
        """Let the next call of the task ask for an approval."""
        if (turn := self.approval_turn) is not None:
            self.approval_turn = None
            turn.release()

    def settle(self, *, taken: bool) -> None:
        """Turn what step 4 reserved into use, or give it back; once."""
        takes, self.reserved = self.reserved, ()
        if takes and self.live is not None:
            self.live.settle(takes, taken=taken)

    def let_go_of_upstream(self) -> None:
        """Give back credential and connection."""
        if self.credential is not None:
            self.deps.leases.release(self.credential)
        if self.exchange is not None:
            if self.ended_by in ("agent", "fence", "timeout"):
                self.exchange.cancel(self.ended_by)
            self.exchange.release()

    # Helpers shared by the steps.

    def look(self, live: LiveTask, call: LiveCall) -> None:
        """Check the local fence; raises `Fenced` with `sent` set where the upstream may have acted."""
        fenced = "this call" if call.cut else self.deps.live.fenced(live, call.scopes)
        if fenced or not self.deps.live.holds():
            self.ended_by = "fence"
            raise fenced_by(fenced, sent=call.sent)

    def wire(self, request: AccessRequest, credential: UpstreamCredential | None) -> Call:
        """Return the request for the upstream."""
        return wire_call(self.asked, request, credential, self.deps.clock.now())

    def carried(self, tool: Tool, classes: Classes) -> Label:
        """Return the label that the task takes on before the call is sent.

        Step 8 adds what a result carries beyond that.
        """
        return tool.label
