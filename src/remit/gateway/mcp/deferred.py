# SPDX-License-Identifier: Apache-2.0
"""Calls that go on after their answer: the tasks extension (`io.modelcontextprotocol/tasks`, 2026-07-28).

`tasks/get` and `tasks/cancel` look after a call that was permitted; token, task and fence are looked at
again, and what comes is observed like any answer. `tasks/update` brings input to one, and is a call of its
own: the tool and arguments of the first one with the answers as its argument `mcp:input`, and all is decided
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
from remit.gateway.mcp.response import Answer
from remit.gateway.tracing import travelling
from remit.services.assembly.services import Services
from remit.services.mediation.call import Follows
from remit.services.mediation.deferred_calls import DeferredCall
from remit.services.mediation.mediator import RequestedCall

#: Seconds that an upstream has to say how a call stands that somebody listens for; and between two looks.
LOOK_S: Final = 10.0
MIN_WAIT_S: Final = 0.05
_read_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class DeferredMethods:
    """The methods of the extension."""

    def __init__(self, house: Services, calls: Calls, rounds: Rounds) -> None:
        """Take the services, and what reads answers to questions."""
        self._house = house
        self._calls = calls
        self._rounds = rounds

    async def run(self, visit: CallVisit, message: Incoming) -> None:
        """Answer one request; to a task, no other's calls exist."""
        require(visit, message)
        held = await self.held(visit, text_param(message.params, "taskId"))
        if held is None:
            raise _no_call("the task does not exist")
        if message.method == UPDATE:
            await self._update(visit, message, held)
            return
        asked = self.looking(visit, message, held)
        able = asked.capabilities
        answer = Answer(visit.send, message.id, modern=True, pass_on=passing(asked, held), able=able)
        await self._calls.watched(visit, message, answer, self._look(asked, answer, held))

    async def held(self, visit: CallVisit, handle: str) -> DeferredCall | None:
        """Return the call that a task knows by a handle, at this address."""
        live = await self._house.live.bind(visit.claims, self._house.clock.now())
        return self._house.deferrals.find(handle, live.task.id, visit.place.upstreams)

    def looking(self, visit: CallVisit, message: Incoming, held: DeferredCall) -> RequestedCall:
        """Return what asks for a call that goes on."""
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
        )

    def follow(self, visit: CallVisit, message: Incoming, held: list[DeferredCall]) -> Followed:
        """Return what looks after calls for a stream of the one who listens."""

        async def look(one: DeferredCall) -> bytes:
            asked = msgspec.structs.replace(self.looking(visit, message, one), method=GET)
            kept = _Kept(passing(asked, one))
            async with asyncio.timeout(LOOK_S):
                await self._house.mediator.look(asked, kept, one)
            return kept.body

        return Followed(look, held)

    async def _look(self, asked: RequestedCall, answer: Answer, held: DeferredCall) -> bool:
        try:
            await self._house.mediator.look(asked, answer, held)
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
        await self._calls.carry(visit, message, asked)
        held.stale()


class _Kept:
    """A `Sink` that keeps how a call stands; empty where the upstream did not say it."""

    def __init__(self, pass_on: Callable[[bytes], bytes]) -> None:
        self._pass_on = pass_on
        self.body = b""

    async def release(self, chunk: Delivery) -> None:
        """Keep it; raises for questions that may not be asked."""
        if chunk.kind is ChunkKind.RESULT:
            self.body = self._pass_on(chunk.body) if chunk.wants_input else chunk.body


class Followed:
    """The calls that a stream tells of: each is looked after at its own pace, until it has ended.

    INVARIANT: what is told has been through `resume`, with the token of the one who listens.
    """

    def __init__(
        self, look: Callable[[DeferredCall], Awaitable[bytes]], calls: Iterable[DeferredCall]
    ) -> None:
        """Take what looks, and after what."""
        self._look = look
        self._due = dict.fromkeys(calls, 0.0)
        self._told: dict[DeferredCall, bytes] = {}

    def wait_s(self, now_s: float, most_s: float) -> float:
        """Return how long nothing has to be looked after."""
        return min([most_s, *(max(due - now_s, MIN_WAIT_S) for due in self._due.values())])

    async def changed(self, clock: Callable[[], float]) -> AsyncIterator[dict[str, msgspec.Raw]]:
        """Look after what is due; gives what has changed, each at once, as the params of notifications.

        Raises what ends the right to hear of any: a token that ran out, a task that has ended.
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
                # It has ended, or can be told of no more: who wants to know why asks.
                del self._due[held]
            if body and body != self._told.get(held, b"{}"):
                self._told[held] = body
                params = _read_members(body)
                params.pop("resultType", None)
                yield params


def require(visit: CallVisit, message: Incoming) -> None:
    """Raise the fault of a client that did not say that it knows the extension."""
    if not knows_deferred(visit, message.meta):
        raise WireFault(
            "the client must declare the tasks extension",
            MISSING_CAPABILITY,
            code="missing-capability",
            remediation="declare it in the request's client capabilities",
            data={"requiredCapabilities": CAPABILITY},
        )


def passing(asked: RequestedCall, held: DeferredCall) -> Callable[[bytes], bytes]:
    """Return what passes on the questions of a call that goes on, where the task may answer them and the
    client can; raises `WireFault` for others.
    """
    able = asked.capabilities if held.request.may_take(INPUT) else {}

    def pass_on(body: bytes) -> bytes:
        read_wanted(body, able)
        return body

    return pass_on


def _no_call(message: str, remediation: str = "") -> WireFault:
    return WireFault(message, INVALID_PARAMS, code="unknown-task", remediation=remediation)
