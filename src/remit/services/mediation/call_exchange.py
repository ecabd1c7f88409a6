# SPDX-License-Identifier: Apache-2.0
"""Calls that are made outside remit: by a guarded client itself, or by the test of a rehearsal.

The nine steps tell the call what was decided, and when the other side may go on; the other side brings the
result.
"""

from __future__ import annotations

import asyncio

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision
from remit.core.decisions.mediation import Chunk, End
from remit.core.errors import UpstreamUnreachable
from remit.core.label import Classes, Label
from remit.core.oauth.access_token import AccessClaims
from remit.core.tools.tool import Tool
from remit.ports.runtime import Turns
from remit.services.credentials.scrubbing import NO_SCRUBBER
from remit.services.decisions.authorizer import carries
from remit.services.mediation.call import RequestedCall
from remit.services.mediation.call_steps import CallSteps
from remit.services.mediation.dependencies import Dependencies, Sink
from remit.services.mediation.steps.decide import RuledCall
from remit.services.mediation.steps.forward import ForwardedCall
from remit.services.mediation.steps.lease import LeasedCall
from remit.services.mediation.steps.record import RecordedCall


class ExternalCall:
    """A call in the other side's hands, and its exchange (`ports.upstream.Exchange`): nothing is sent."""

    def __init__(self) -> None:
        """Begin before step 1; `settled` is done once the call was refused or the other side may go on."""
        loop = asyncio.get_running_loop()
        self.settled: asyncio.Future[None] = loop.create_future()
        self.result: asyncio.Future[Chunk] = loop.create_future()
        self.request: AccessRequest | None = None
        self.decision: Decision | None = None
        self.driven: asyncio.Task[End] | None = None
        self.sent = False

    def settle(self) -> None:
        """Mark the call's state as known."""
        if not self.settled.done():
            self.settled.set_result(None)

    def lost(self) -> UpstreamUnreachable:
        """Return the error of a call whose result no one will bring."""
        return UpstreamUnreachable("the call was cancelled before its result was given", sent=self.sent)

    # `ports.upstream.Exchange`

    def send(self) -> None:
        """Record that the other side may go on."""
        self.sent = True

    async def receive(self, turns: Turns | None = None) -> Chunk:
        """Return the result, once the other side has brought it."""
        return await asyncio.shield(self.result)

    def respond(self, request_id: str | int, body: bytes, *, error: bool = False) -> None:
        """Do nothing: no request was made."""

    def cancel(self, reason: str) -> None:
        """End the wait."""
        self.release()

    def release(self) -> None:
        """End the wait: no result is taken any more."""
        if not self.result.done():
            self.result.set_exception(self.lost())
            self.result.exception()  # retrieved: the result may never be awaited


class ExternalSteps(CallSteps):
    """The nine steps of an external call, which tell it what they decide and when it may be made."""

    def __init__(self, run: ExternalCall, deps: Dependencies, asked: RequestedCall, sink: Sink) -> None:
        """Begin before step 1."""
        super().__init__(deps, asked, sink)
        self._run = run

    async def refuse(self, ruled: RuledCall) -> None:
        """Step 5. Tell what was decided."""
        self._run.request, self._run.decision = ruled.request, ruled.decision
        await super().refuse(ruled)

    async def record(self, ruled: RuledCall) -> RecordedCall:
        """Step 5. Tell what was decided."""
        self._run.request, self._run.decision = ruled.request, ruled.decision
        return await super().record(ruled)

    async def forward(self, leased: LeasedCall) -> ForwardedCall:
        """Step 7. Tell that the call may be made."""
        forwarded = await super().forward(leased)
        self._run.settle()
        return forwarded


class ProgramSteps(ExternalSteps):
    """The nine steps of a call that the program itself carries out, for which its endpoint has identified it.

    `claims` are those of the task; the result is awaited for `patience_s` seconds.
    """

    def __init__(
        self,
        run: ExternalCall,
        claims: AccessClaims,
        patience_s: float,
        deps: Dependencies,
        asked: RequestedCall,
        sink: Sink,
    ) -> None:
        """Begin before step 1."""
        super().__init__(run, deps, asked, sink)
        self._claims = claims
        self._patience_s = patience_s

    async def identify(self) -> AccessClaims:
        """Step 1. The endpoint has checked who asks."""
        return self._claims

    def carried(self, tool: Tool, classes: Classes) -> Label:
        """Return the worst that may be released: the program has read it, whatever it reports afterwards."""
        return carries(tool, classes)

    async def lease(self, recorded: RecordedCall) -> LeasedCall:
        """Step 6. A program's own tools take no credential."""
        self.look(recorded.live, recorded.in_flight)
        self.exchange = self._run
        return LeasedCall(recorded, None, NO_SCRUBBER, self._run)

    async def forward(self, leased: LeasedCall) -> ForwardedCall:
        """Step 7. Tell that the program may go on, and give it its time."""
        forwarded = await super().forward(leased)
        return msgspec.structs.replace(forwarded, deadline_s=self.deps.clock.boot_s() + self._patience_s)
