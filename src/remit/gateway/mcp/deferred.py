# SPDX-License-Identifier: Apache-2.0
"""Calls that continue after their answer: the tasks extension (`io.modelcontextprotocol/tasks`, 2026-07-28).

`tasks/get` and `tasks/cancel` concern a call that was permitted: token, task and fence are checked again, and
the answer is observed like any answer. `tasks/update` brings input to such a call, and is a separate call:
the tool and arguments of the first call, with the answers as its argument `mcp:input`. Everything is decided
again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Final

import msgspec

from remit.core.decisions.deferred_call import CAPABILITY, GET, UPDATE
from remit.core.decisions.mediation import ChunkKind, Delivery, Step
from remit.core.errors import Fenced, NotFound, RemitError, Unauthenticated
from remit.core.tools.tool import INPUT
from remit.gateway.mcp.calls import Calls, CallVisit, able_of, knows_deferred
from remit.gateway.mcp.input_rounds import Rounds, read_wanted
from remit.gateway.mcp.messages import (
    INVALID_PARAMS,
    MISSING_CAPABILITY,
    Incoming,
    WireFault,
    bad_params,
    fault_of,
    text_param,
)
from remit.gateway.mcp.parked import ParkedMethods, ParkedWatch
from remit.gateway.mcp.response import Answer
from remit.gateway.tracing import travelling
from remit.ports.runtime import Clock
from remit.services.mediation.assembly import MediationServices
from remit.services.mediation.call import Follows
from remit.services.mediation.deferred_calls import DeferredCall
from remit.services.mediation.mediator import RequestedCall
from remit.services.tasks.live_tasks import LiveTasks

#: Seconds in which an upstream must report the state of a call to a listening stream.
LOOK_S: Final = 10.0
MIN_WAIT_S: Final = 0.05
#: What a stream can follow by a handle.
FollowedCall = DeferredCall | ParkedWatch
_read_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class DeferredMethods:
    """The methods of the tasks extension."""

    def __init__(
        self,
        clock: Clock,
        live: LiveTasks,
        mediation: MediationServices,
        calls: Calls,
        rounds: Rounds,
        parked: ParkedMethods,
    ) -> None:
        """Keep the services, and the reader of answers to questions."""
        self._clock = clock
        self._live = live
        self._mediator = mediation.mediator
        self._deferrals = mediation.deferrals
        self._calls = calls
        self._rounds = rounds
        self._parked = parked

    async def run(self, visit: CallVisit, message: Incoming) -> None:
        """Answer one request; calls of other tasks do not exist for a task."""
        require(visit, message)
        handle = text_param(message.params, "taskId")
        live = await self._live.bind(visit.claims, self._clock.now())
        held = self._deferrals.find(handle, live.task.id, visit.place.upstreams)
        if held is None:
            question = await self._parked.find(visit, handle, live)
            if question is None:
                raise _no_call("the task does not exist")
            await self._parked.run(visit, message, live, question)
            return
        if message.method == UPDATE:
            await self._update(visit, message, held)
            return
        asked = self.looking(visit, message, held)
        able = asked.capabilities
        answer = Answer(
            visit.send, message.id, self._calls.turns, modern=True, pass_on=passing(asked, held), able=able
        )
        await self._calls.watched(visit, message, answer, self._look(asked, answer, held))

    async def followed(self, visit: CallVisit, handle: str) -> FollowedCall | None:
        """Return the call that a task knows by a handle, at this endpoint path, for a stream."""
        live = await self._live.bind(visit.claims, self._clock.now())
        held = self._deferrals.find(handle, live.task.id, visit.place.upstreams)
        if held is not None:
            return held
        return ParkedWatch(handle) if await self._parked.find(visit, handle, live) is not None else None

    def looking(self, visit: CallVisit, message: Incoming, held: DeferredCall) -> RequestedCall:
        """Return the request for the state of a deferred call."""
        tool = held.request.tool
        return RequestedCall(
            token=visit.token,
            proven=visit.proven,
            upstream=tool.upstream,
            name=tool.name,
            arguments={},
            method=message.method,
            meta=travelling(message.meta),
            capabilities=able_of(visit, message.meta),
            origin=visit.origin,
        )

    def follow(self, visit: CallVisit, message: Incoming, held: list[FollowedCall]) -> Followed:
        """Return the watch of deferred and parked calls for a stream of the listening agent."""

        async def either(one: FollowedCall) -> bytes:
            if isinstance(one, DeferredCall):
                return await look(one)
            live = await self._live.bind(visit.claims, self._clock.now())
            sent = self._deferrals.find(one.handle, live.task.id, visit.place.upstreams)
            if sent is None:
                return await self._parked.follow(visit, message, live, one)
            # It was approved, and continues at its upstream.
            body = await look(sent)
            one.poll_s, one.settled = sent.poll_s, sent.settled
            return body

        async def look(one: DeferredCall) -> bytes:
            asked = msgspec.structs.replace(self.looking(visit, message, one), method=GET)
            kept = _Kept(passing(asked, one))
            async with asyncio.timeout(LOOK_S):
                await self._mediator.look(asked, kept, one)
            return kept.body

        return Followed(either, held)

    async def _look(self, asked: RequestedCall, answer: Answer, held: DeferredCall) -> bool:
        try:
            await self._mediator.look(asked, answer, held)
        except RemitError as error:
            if isinstance(error, NotFound) and error.step == Step.BIND:
                error = _no_call(error.message, error.remediation)
            elif not answer.streaming and (isinstance(error, Unauthenticated) or error.step == Step.BIND):
                raise
            await answer.fail(fault_of(error))
            return False
        return True

    async def _update(self, visit: CallVisit, message: Incoming, held: DeferredCall) -> None:
        if held.settled:
            raise _no_call("the task has ended")
        if "inputResponses" not in message.params:
            raise bad_params("`inputResponses` must be an object")
        tool = held.request.tool
        first = {name: value for name, value in held.request.arguments.items() if name != INPUT}
        given = {"inputResponses": message.params["inputResponses"]}
        asked = msgspec.structs.replace(
            self.looking(visit, message, held),
            method="",
            arguments=self._rounds.taken(given, visit.claims.task, tool.id, first),
            follows=Follows(held.upstream_id, held.decision.id),
        )
        await self._calls.run(visit, message, asked)
        held.stale()


class _Kept:
    """A `Sink` that keeps the state of a call; empty if the upstream did not report it."""

    def __init__(self, pass_on: Callable[[bytes], bytes]) -> None:
        self._pass_on = pass_on
        self.body = b""

    async def release(self, chunk: Delivery) -> None:
        """Keep the state; raise an error for questions that are not permitted."""
        if chunk.kind is ChunkKind.RESULT:
            self.body = self._pass_on(chunk.body) if chunk.wants_input else chunk.body


class Followed:
    """The deferred and parked calls of a stream: each is polled at its own interval, until it has ended.

    INVARIANT: every reported state has been through `resume`, with the token of the listening agent.
    """

    def __init__(
        self, look: Callable[[FollowedCall], Awaitable[bytes]], calls: Iterable[FollowedCall]
    ) -> None:
        """Keep the poll function, and the calls."""
        self._look = look
        self._due = dict.fromkeys(calls, 0.0)
        self._told: dict[FollowedCall, bytes] = {}

    def wait_s(self, now_s: float, most_s: float) -> float:
        """Return the seconds until the next poll is due."""
        return min([most_s, *(max(due - now_s, MIN_WAIT_S) for due in self._due.values())])

    async def changed(self, clock: Callable[[], float]) -> AsyncIterator[dict[str, msgspec.Raw]]:
        """Poll the calls that are due; yield each changed state at once, as the params of a notification.

        Raise the error that ends the right to listen: an expired token, an ended task.
        """
        for held in [one for one, due in self._due.items() if clock() >= due]:
            try:
                body = await self._look(held)
            except TimeoutError:
                body = self._told.get(held, b"{}")
            except RemitError as fault:
                if isinstance(fault, Unauthenticated | Fenced):
                    raise
                body = b""
            self._due[held] = clock() + held.poll_s
            if not body or held.settled:
                # It has ended, or its state may no longer be reported; the agent can ask for the reason.
                del self._due[held]
            if body and body != self._told.get(held, b"{}"):
                self._told[held] = body
                params = _read_members(body)
                params.pop("resultType", None)
                yield params


def require(visit: CallVisit, message: Incoming) -> None:
    """Raise an error if the client has not declared the tasks extension."""
    if not knows_deferred(visit, message.meta):
        raise WireFault(
            "the client must declare the tasks extension",
            MISSING_CAPABILITY,
            code="missing-capability",
            remediation="declare it in the request's client capabilities",
            data={"requiredCapabilities": CAPABILITY},
        )


def passing(asked: RequestedCall, held: DeferredCall) -> Callable[[bytes], bytes]:
    """Return a function that passes on the questions of a deferred call.

    It raises `WireFault` unless the task may answer them and the client can.
    """
    able = asked.capabilities if held.request.may_take(INPUT) else {}

    def pass_on(body: bytes) -> bytes:
        read_wanted(body, able)
        return body

    return pass_on


def _no_call(message: str, remediation: str = "") -> WireFault:
    return WireFault(message, INVALID_PARAMS, code="unknown-task", remediation=remediation)
