# SPDX-License-Identifier: Apache-2.0
"""Calls of functions that an agent's own program carries out, through all nine steps.

1. the program asks: steps 1 to 7 are those of every call, and "written" means that the program may go on
2. it reports the result: step 8 makes the values and their label known to the task, and returns what the
   model may see; step 9 records the outcome
3. a call that is not reported in time ends `unknown`; its label has risen in step 5
4. INVARIANT: only the configured owners of functions are called so. What remit carries out itself, at an
   upstream, is never left to an agent
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import msgspec

from remit.core.decisions.approval import ApprovalState
from remit.core.decisions.decision import Decision, Outcome
from remit.core.decisions.mediation import Chunk, ChunkKind, Delivery
from remit.core.errors import Busy, Conflict, NotFound, RemitError, UpstreamUnreachable
from remit.core.evidence.event import CallOutcome
from remit.core.json_value import Json
from remit.core.oauth.access_token import AccessClaims
from remit.services.mediation.call import RequestedCall
from remit.services.mediation.call_exchange import ExternalCall, ProgramSteps
from remit.services.mediation.dependencies import Dependencies, Sink
from remit.services.mediation.mediator import Mediator
from remit.services.mediation.steps.bind import BoundTask
from remit.services.mediation.steps.describe import DescribedCall, describe_known
from remit.services.mediation.steps.forward import ForwardedCall
from remit.services.mediation.steps.lease import LeasedCall
from remit.services.mediation.steps.record import RecordedCall

#: Calls that may await their results at once, of all tasks; one task has the bound of every call.
MAX_AWAITED: Final = 20_000
#: Those of one agent, so that it leaves room for the others.
MAX_AWAITED_OF_AGENT: Final = 5_000
#: Seconds before the end of a token in which a wait for a person ends.
TOKEN_LEFT_S: Final = 2.0
_WITHOUT_RESULT: Final = (CallOutcome.NOT_SENT, CallOutcome.UNKNOWN)
#: Calls that ended without a report, of which a late report still hears why.
MAX_ENDED: Final = 10_000


class ProgramCall(ExternalCall):
    """A call in a program's hands, and the `Sink` of what may be released of its result."""

    def __init__(self, task: str, agent: str) -> None:
        """Begin before step 1."""
        super().__init__()
        self.task = task
        self.agent = agent
        self.expires: datetime | None = None
        #: Whether the program reported that it did not carry the call out.
        self.withdrawn = False
        self.sink = _Kept()

    def lost(self) -> UpstreamUnreachable:
        """Return the error of a call whose result was not reported."""
        return UpstreamUnreachable("no result was reported", sent=self.sent, code="no-result")

    @property
    def decided(self) -> Decision:
        """The decision; it is there once the call is settled without a fault."""
        assert self.decision is not None
        return self.decision


class _Kept:
    """The `Sink` of one call."""

    def __init__(self) -> None:
        self.delivery: Delivery | None = None

    async def release(self, chunk: Delivery) -> None:
        """Keep what may be released; the endpoint answers with it."""
        self.delivery = chunk


class FunctionSteps(ProgramSteps):
    """The nine steps of a function's call; `functions` are the owners of functions."""

    def __init__(
        self,
        run: ProgramCall,
        claims: AccessClaims,
        functions: Mapping[str, float],
        deps: Dependencies,
        asked: RequestedCall,
        sink: Sink,
    ) -> None:
        """Begin before step 1."""
        super().__init__(run, claims, functions.get(asked.upstream, 0.0), deps, asked, sink)
        self._functions = functions
        self._call = run

    async def describe(self, bound: BoundTask) -> DescribedCall:
        """Step 3. Raises `NotFound` for anything but a function of an agent."""
        if self.asked.upstream not in self._functions:
            raise NotFound(
                f"`{self.asked.upstream[:80]}` is no owner of functions",
                code="no-functions",
                remediation="add it under `functions` in remit.yaml; call tools of upstreams at `/mcp`",
                step=3,
            )
        return await describe_known(self, bound)

    async def forward(self, leased: LeasedCall) -> ForwardedCall:
        """Step 7. From here on, only the program says what became of the call."""
        forwarded = await super().forward(leased)
        self.claimed = True
        return forwarded

    async def close(self, recorded: RecordedCall, outcome: CallOutcome) -> None:
        """Step 9. A call that the program gave back was not made."""
        await super().close(recorded, CallOutcome.NOT_SENT if self._call.withdrawn else outcome)


class FunctionCalls:
    """Decides calls of functions, and takes in their results. For one event loop."""

    def __init__(self, parts: Dependencies, mediator: Mediator, functions: Mapping[str, float]) -> None:
        """Take the dependencies; `functions` are their owners, each with the seconds for one result."""
        self._parts = parts
        self._mediator = mediator
        self._functions = functions
        self._runs: dict[str, ProgramCall] = {}
        self._of_agent: Counter[str] = Counter()
        self._ended: OrderedDict[str, tuple[str, RemitError]] = OrderedDict()

    async def decide(self, claims: AccessClaims, asked: RequestedCall, *, wait_s: float = 0) -> ProgramCall:
        """Take a call up to step 7; where it waits for a person, wait that long, and decide it again.

        Raises what steps 1 to 7 raise; each of these is a refusal.
        """
        run = await self._decided(claims, asked)
        if run.sent or wait_s <= 0 or run.decided.outcome is not Outcome.DEFER:
            return run
        # The second call must not be decided by a token that has expired meanwhile.
        left_s = claims.expires - self._parts.clock.now().timestamp() - TOKEN_LEFT_S
        found = await self._parts.approvals.settled(run.decided.approval, max(0.0, min(wait_s, left_s)))
        if found is None or found.state is ApprovalState.PENDING:
            return run
        return await self._decided(claims, asked)

    async def _decided(self, claims: AccessClaims, asked: RequestedCall) -> ProgramCall:
        agent = claims.client_id
        if len(self._runs) >= MAX_AWAITED or self._of_agent[agent] >= MAX_AWAITED_OF_AGENT:
            raise Busy(
                "too many calls await their results", remediation="report the results of earlier calls"
            )
        run = ProgramCall(claims.task, agent)
        steps = partial(FunctionSteps, run, claims, self._functions)
        run.driven = asyncio.get_running_loop().create_task(self._mediator.run(asked, run.sink, steps))
        run.driven.add_done_callback(partial(self._over, run))
        try:
            await run.settled
        except asyncio.CancelledError:
            run.driven.cancel()
            raise
        if run.driven.done():
            run.driven.result()  # raises the fault that ended the call
        elif run.request is not None:
            self._runs[run.decided.id] = run
            self._of_agent[agent] += 1
            patience = timedelta(seconds=self._functions[asked.upstream])
            run.expires = min(self._parts.clock.now() + patience, run.request.task.deadline)
        return run

    def _over(self, run: ProgramCall, driven: asyncio.Task[Any]) -> None:
        run.settle()
        fault = None if driven.cancelled() else driven.exception()
        if run.decision is None or self._runs.pop(run.decision.id, None) is None:
            return
        self._of_agent[run.agent] -= 1
        if not self._of_agent[run.agent]:
            del self._of_agent[run.agent]
        if isinstance(fault, RemitError) and not run.withdrawn:
            self._ended[run.decision.id] = (run.task, _bare(fault))
            if len(self._ended) > MAX_ENDED:
                self._ended.popitem(last=False)

    async def report(self, task: str, call: str, outcome: CallOutcome, content: Json) -> Json:
        """Take in the result of a call; return what may be released of it. `outcome` is `ok`, `tool-error`,
        `not-sent` or `unknown`.

        Raises `Fenced` where an end came before the result, `NotFound` for a call that awaits none, and
        `Conflict` for a second or a late report.
        """
        run = self._runs.get(call)
        if run is None or run.task != task or run.driven is None:
            raise self._not_awaited(task, call)
        if run.result.done():
            raise Conflict("the result was reported already", code="reported", remediation="report it once")
        if outcome in _WITHOUT_RESULT:
            run.withdrawn = outcome is CallOutcome.NOT_SENT
            run.result.set_exception(run.lost())
        else:
            run.result.set_result(_result(content, error=outcome is not CallOutcome.OK))
        await asyncio.wait({run.driven})
        if outcome in _WITHOUT_RESULT:
            return None
        try:
            run.driven.result()
        except UpstreamUnreachable as late:
            raise _late(late) from None
        delivery = run.sink.delivery
        return None if delivery is None else _released(delivery, content)

    def _not_awaited(self, task: str, call: str) -> RemitError:
        of, fault = self._ended.get(call, ("", None))
        if of == task and fault is not None:
            return _late(fault) if isinstance(fault, UpstreamUnreachable) else _bare(fault)
        return NotFound(
            f"no result of `{call[:80]}` is expected",
            code="no-call",
            remediation="report each permitted call once, soon after it ended",
        )

    async def close(self) -> None:
        """Stop waiting for results."""
        runs = [one.driven for one in self._runs.values() if one.driven is not None]
        for run in tuple(self._runs.values()):
            run.release()
        if runs:
            await asyncio.wait(runs)


def _bare(fault: RemitError) -> RemitError:
    """Return an error without its traceback, whose frames hold the arguments of the call."""
    bare = type(fault).__new__(type(fault), *fault.args)
    vars(bare).update(vars(fault))
    return bare


def _late(fault: UpstreamUnreachable) -> Conflict:
    return Conflict(
        f"the call has ended without a result: {fault.message}",
        code="call-ended",
        remediation="check whether the call took effect, and raise `report_within_s` if it takes this long",
    )


def _result(content: Json, *, error: bool) -> Chunk:
    """Return a result as an MCP server sends it: structure as it is, anything else as text."""
    told: dict[str, Json]
    if isinstance(content, dict):
        told = {"content": [], "structuredContent": content}
    else:
        text = content if isinstance(content, str) else msgspec.json.encode(content).decode()
        told = {"content": [{"type": "text", "text": text}]}
    if error:
        told["isError"] = True
    return Chunk(ChunkKind.RESULT, msgspec.json.encode(told), is_error=error)


def _released(delivery: Delivery, reported: Json) -> Json:
    """Return what may be released in the form in which it was reported; a note of remit's own is a text."""
    told = msgspec.json.decode(delivery.body)
    if "structuredContent" in told:
        return told["structuredContent"]
    text = "\n".join(block["text"] for block in told.get("content", ()) if "text" in block)
    if isinstance(reported, str):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
