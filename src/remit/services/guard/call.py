# SPDX-License-Identifier: Apache-2.0
"""One call that a client carries out itself, through all nine steps.

The client's hook before the call takes steps 1 to 7: "written" means that the client was told to go on. Its
hook after the call brings the result, for steps 8 and 9. A call that the client never reports again ends with
an unknown outcome; its label has risen in step 5.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision, Outcome, Reason
from remit.core.decisions.mediation import Chunk, ChunkKind, Delivery
from remit.core.errors import RemitError, UpstreamUnreachable
from remit.core.label import Classes, Label, Trust
from remit.core.oauth.access_token import AccessClaims
from remit.core.tools.tool import Tool
from remit.ports.store.units import Unit
from remit.services.decisions.authorizer import carries
from remit.services.mediation.call import RequestedCall
from remit.services.mediation.call_exchange import ExternalCall, ProgramSteps
from remit.services.mediation.dependencies import Dependencies, Sink
from remit.services.mediation.steps.bind import BoundTask
from remit.services.mediation.steps.decide import RuledCall, decide_call
from remit.services.mediation.steps.describe import DescribedCall
from remit.services.mediation.steps.forward import ForwardedCall
from remit.services.tasks.live_tasks import LiveTask

#: The longest that a client may take for one call: subagents work for hours.
PATIENCE_S: Final = 86_400.0
#: Tools that report what the session itself has done: subagents, commands in the background, notices.
LATER: Final = "later"
_OWN_WORK: Final = frozenset({"agent", LATER})


class HookedCall(ExternalCall):
    """A call in a client's hands."""

    def lost(self) -> UpstreamUnreachable:
        """Return the error of a call that the client does not report any more."""
        return UpstreamUnreachable("the client reported no result", sent=self.sent, code="no-result")

    @property
    def refusal(self) -> Decision | None:
        """Why the client may not simply go on; `None` for a permit. A fault is a refusal."""
        fault = self._fault()
        if fault is None:
            assert self.decision is not None
            return None if self.decision.outcome is Outcome.PERMIT else self.decision
        reason = Reason(
            code=fault.code, text=fault.message, remediation=fault.remediation, step=fault.step or 0
        )
        name = self.decision.id if self.decision else ""
        return Decision(id=name, outcome=Outcome.DENY, reasons=(reason,))

    def _fault(self) -> RemitError | None:
        """Return what ended the call before the client was told to go on; a defect is raised."""
        driven = self.driven
        if self.sent or driven is None or not driven.done() or driven.cancelled():
            return None
        fault = driven.exception()
        if fault is not None and not isinstance(fault, RemitError):
            raise fault
        return fault

    async def close(self, text: str, *, error: bool) -> None:
        """Bring the result, and wait until its values and its label are known to the task."""
        if not self.result.done():
            self.result.set_result(result_of(text, error=error))
        if self.driven is not None:
            await asyncio.wait({self.driven})


def result_of(text: str, *, error: bool) -> Chunk:
    """Return what a client reports of a call as the result of a tool."""
    told = {"content": [{"type": "text", "text": text}], "isError": error}
    return Chunk(ChunkKind.RESULT, msgspec.json.encode(told), is_error=error)


class _NoSink:
    async def release(self, chunk: Delivery) -> None:
        """Do nothing: the client has the result already."""


NO_SINK: Final[Sink] = _NoSink()


def inheriting(request: AccessRequest, live: LiveTask) -> AccessRequest:
    """Return a request for a report of the session's own work with the label that the work has.

    INVARIANT: what a subagent or a command in the background reads has raised the label of this task before.
    """
    if request.tool.name not in _OWN_WORK:
        return request
    return msgspec.structs.replace(request, tool=msgspec.structs.replace(request.tool, label=live.label))


class HookedSteps(ProgramSteps):
    """The nine steps of a call that the client carries out. `claims` are those of the session's task."""

    def __init__(
        self,
        run: HookedCall,
        claims: AccessClaims,
        forbidden: Reason | None,
        deps: Dependencies,
        asked: RequestedCall,
        sink: Sink,
    ) -> None:
        """Begin before step 1; `forbidden` refuses the call whatever the rules say."""
        super().__init__(run, claims, PATIENCE_S, deps, asked, sink)
        self._forbidden = forbidden

    def carried(self, tool: Tool, classes: Classes) -> Label:
        """Return the worst that the client can read, which gets the withheld fields, too."""
        return carries(tool, classes, withheld=True)

    async def describe(self, bound: BoundTask) -> DescribedCall:
        """Step 3. Return the access request of a call of the client's own tool."""
        asked, deps = self.asked, self.deps
        steps = deps.authorizer.describing(
            bound.claims.principal, bound.live, asked.upstream, asked.name, asked.arguments, self.now
        )
        request = inheriting(await deps.observer.turns.take(steps), bound.live)
        # The client reads the result itself: remit can take nothing out of it.
        request = msgspec.structs.replace(request, carries_out=frozenset())
        request = await deps.surroundings.seen(request, bound.live)
        return DescribedCall(bound, await deps.stored_labels.seen(request))

    async def decide(self, described: DescribedCall) -> RuledCall:
        """Step 4. What is forbidden to every agent is refused in every mode."""
        ruled = await decide_call(self, described)
        if self._forbidden is None:
            return ruled
        before = ruled.decision
        reasons = (self._forbidden, *(before.reasons if before.outcome is not Outcome.PERMIT else ()))
        decision = msgspec.structs.replace(before, outcome=Outcome.DENY, reasons=reasons, observed=False)
        return msgspec.structs.replace(ruled, decision=decision, takes=(), approval=None, asking=Unit())

    async def observe(self, forwarded: ForwardedCall, chunk: Chunk) -> Delivery | None:
        """Step 8. What a subagent or a command in the background brings has the label of now."""
        of = forwarded.observation
        of.request = inheriting(of.request, of.live)
        of.label = of.request.tool.label
        return await super().observe(forwarded, chunk)

    def failed(self, fault: BaseException) -> None:
        """Keep in mind that the model may have read a foreign result that remit has not."""
        super().failed(fault)
        request, live = self._run.request, self.live
        if self._run.sent and request is not None and live is not None:
            live.index.unseen |= request.tool.label.trust is Trust.UNTRUSTED
