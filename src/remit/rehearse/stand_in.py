# SPDX-License-Identifier: Apache-2.0
"""The stand-in for the upstreams of a rehearsal: a call waits until the test gives the tool's result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision
from remit.core.decisions.mediation import Chunk, ChunkKind, Delivery, End
from remit.core.errors import Malformed, UpstreamUnreachable
from remit.core.json_value import Json
from remit.core.tools.tool import RESERVED_OPERATIONS, RESOURCE_READ
from remit.ports.upstream import Call, Catalogue
from remit.services.mediation.call import RequestedCall
from remit.services.mediation.call_steps import CallSteps
from remit.services.mediation.dependencies import Dependencies, Sink
from remit.services.mediation.steps.decide import RuledCall
from remit.services.mediation.steps.forward import ForwardedCall
from remit.services.mediation.steps.lease import LeasedCall
from remit.services.mediation.steps.record import RecordedCall


class CallRun:
    """One call of a rehearsal, on its way through the nine steps. Also the `Sink` of what is released."""

    def __init__(self, upstream: str, name: str) -> None:
        """Start before step 1; `settled` is done once the call was refused or waits at its upstream."""
        self.upstream = upstream
        self.name = name
        self.request: AccessRequest | None = None
        self.decision: Decision | None = None
        self.sent = False
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.answer: asyncio.Future[Chunk] = asyncio.get_running_loop().create_future()
        self.released: Json = None
        self.driven: asyncio.Task[End] | None = None

    async def release(self, chunk: Delivery) -> None:
        """Keep what the agent would get."""
        if chunk.last:
            self.released = msgspec.json.decode(chunk.body)

    def settle(self) -> None:
        """Mark the call's state as known."""
        if not self.settled.done():
            self.settled.set_result(None)


class RehearsedSteps(CallSteps):
    """The nine steps of a call, which tell its run what they decide and when the call has gone."""

    def __init__(self, run: CallRun, deps: Dependencies, asked: RequestedCall, sink: Sink) -> None:
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
        """Step 7. Tell that the call has gone."""
        forwarded = await super().forward(leased)
        self._run.settle()
        return forwarded


#: The call that the running task of the event loop takes through the steps.
CURRENT: ContextVar[CallRun] = ContextVar("remit_rehearsed_call")


class _StandInExchange:
    """A call at an upstream that does not exist."""

    def __init__(self, run: CallRun) -> None:
        self._run = run

    def send(self) -> None:
        """Record that the call was sent."""
        self._run.sent = True

    async def receive(self) -> Chunk:
        """Return the tool's result, once the test has given it."""
        return await asyncio.shield(self._run.answer)

    def respond(self, request_id: str | int, body: bytes, *, error: bool = False) -> None:
        """Do nothing: no request was made."""

    def cancel(self, reason: str) -> None:
        """End the wait."""
        self.release()

    def release(self) -> None:
        """End the wait: no result will be given any longer."""
        if not self._run.answer.done():
            self._run.answer.set_exception(
                UpstreamUnreachable("the call was cancelled before its result was given", sent=self._run.sent)
            )
            self._run.answer.exception()  # retrieved: the answer may never be awaited


class StandIn:
    """`ports.upstream.Upstream` of a rehearsal. It offers nothing itself: `tools/` describes the tools."""

    def __init__(self, name: str) -> None:
        """Replace the upstream of that name."""
        self.name = name

    async def start(
        self, on_change: Callable[[], None], on_notification: Callable[[str, Json], None]
    ) -> None:
        """Do nothing: there is no connection."""

    async def catalogue(self) -> Catalogue:
        """Return an empty catalogue: `tools/` describes the tools."""
        return Catalogue(protocol="2026-07-28")

    async def prepare(self, call: Call, headers: dict[str, str]) -> _StandInExchange:
        """Return the exchange of the call in progress."""
        return _StandInExchange(CURRENT.get())

    async def end_task(self, task: str) -> None:
        """Do nothing: nothing is stored."""

    async def stop(self) -> None:
        """Do nothing: there is no process."""


def result_chunk(run: CallRun, given: Json, *, error: bool) -> Chunk:
    """Return a result as an MCP server sends it: text as text, structure as `structuredContent`.

    Raises `Malformed` if JSON cannot represent it.
    """
    if run.name in RESERVED_OPERATIONS and isinstance(given, dict):
        result: Json = given
    elif run.name == RESOURCE_READ:
        assert run.request is not None
        result = {"contents": [{"uri": run.request.arguments.get("uri", ""), "text": _text(given)}]}
    elif isinstance(given, dict):
        result = {"content": [], "structuredContent": given}
    else:
        result = {"content": [{"type": "text", "text": _text(given)}]}
    if error:
        result = {**result, "isError": True}
    return Chunk(ChunkKind.RESULT, _encoded(result), is_error=error)


def _text(given: Json) -> str:
    return given if isinstance(given, str) else _encoded(given).decode()


def _encoded(given: Json) -> bytes:
    try:
        return msgspec.json.encode(given)
    except (TypeError, ValueError, UnicodeEncodeError, RecursionError) as fault:
        raise Malformed(
            f"a result is text or what JSON can hold: {fault}", remediation="give a string, or plain values"
        ) from None
