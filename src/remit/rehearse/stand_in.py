# SPDX-License-Identifier: Apache-2.0
"""What stands in for the upstreams of a rehearsal: a call waits until it is said what the tool gives back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import ContextVar
from typing import Any

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision
from remit.core.decisions.mediation import (
    Chunk,
    ChunkKind,
    Delivery,
    End,
    Forwarded,
    Machine,
    Need,
    Record,
    mediate,
)
from remit.core.errors import Malformed, UpstreamUnreachable
from remit.core.json_value import Json
from remit.core.tools.tool import RESERVED_OPERATIONS, RESOURCE_READ
from remit.ports.upstream import Call, Catalogue


class CallRun:
    """One call of a rehearsal, on its way through the nine steps. Also the `Sink` of what is released."""

    def __init__(self, upstream: str, name: str) -> None:
        """Begin before step 1; `settled` is done once the call was refused or stands at its upstream."""
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
        """Take what the agent would get."""
        if chunk.last:
            self.released = msgspec.json.decode(chunk.body)

    def settle(self) -> None:
        """Say that it is known how the call stands."""
        if not self.settled.done():
            self.settled.set_result(None)


class _Watched(Generator[Need, object, End]):
    """The path of a call, with a look at what is decided on it."""

    def __init__(self, run: CallRun) -> None:
        self._inner = mediate()
        self._run = run

    def send(self, value: object) -> Need:
        """Hand on what was needed."""
        if isinstance(value, Forwarded):
            self._run.settle()
        return self._look(self._inner.send(value))

    def throw(self, *fault: Any) -> Need:
        """Hand on a fault."""
        return self._look(self._inner.throw(*fault))

    def _look(self, need: Need) -> Need:
        if isinstance(need, Record):
            self._run.request, self._run.decision = need.request, need.decision
        return need


def watched(run: CallRun) -> Machine:
    """Return the nine steps, of which `run` is told what they decide and when the call has gone."""
    return _Watched(run)


#: The call that the running task of the event loop takes through the steps.
CURRENT: ContextVar[CallRun] = ContextVar("remit_rehearsed_call")


class _StandInExchange:
    """One call at an upstream that is not there."""

    def __init__(self, run: CallRun) -> None:
        self._run = run

    def send(self) -> None:
        """Take note."""
        self._run.sent = True

    async def receive(self) -> Chunk:
        """Return what was said that the tool gives back, once it was said."""
        return await asyncio.shield(self._run.answer)

    def respond(self, request_id: str | int, body: bytes, *, error: bool = False) -> None:
        """Nothing was asked."""

    def cancel(self, reason: str) -> None:
        """End the wait."""
        self.release()

    def release(self) -> None:
        """End the wait: nobody will say any more what came back."""
        if not self._run.answer.done():
            self._run.answer.set_exception(
                UpstreamUnreachable("the call was cancelled before its result was given", sent=self._run.sent)
            )
            self._run.answer.exception()  # looked at: nobody may be waiting for it


class StandIn:
    """`ports.upstream.Upstream` of a rehearsal. It offers nothing by itself: `tools/` says what there is."""

    def __init__(self, name: str) -> None:
        """Stand in for the upstream of that name."""
        self.name = name

    async def start(
        self, on_change: Callable[[], None], on_notification: Callable[[str, Json], None]
    ) -> None:
        """Nothing to connect to."""

    async def catalogue(self) -> Catalogue:
        """Nothing is offered that `tools/` does not know."""
        return Catalogue(protocol="2026-07-28")

    async def prepare(self, call: Call, headers: dict[str, str]) -> _StandInExchange:
        """Return the exchange of the call that is under way."""
        return _StandInExchange(CURRENT.get())

    async def end_task(self, task: str) -> None:
        """Nothing is kept."""

    async def stop(self) -> None:
        """Nothing to end."""


def result_chunk(run: CallRun, given: Json, *, error: bool) -> Chunk:
    """Return a result as a server of MCP sends it: text as text, structure as `structuredContent`.

    Raises `Malformed` where it is nothing that JSON can hold.
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
