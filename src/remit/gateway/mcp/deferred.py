# SPDX-License-Identifier: Apache-2.0
"""Calls that go on after their answer: the tasks extension (`io.modelcontextprotocol/tasks`, 2026-07-28).

`tasks/get` and `tasks/cancel` look after a call that was permitted; token, task and fence are looked at anew,
and what comes is observed like any answer. `tasks/update` brings input to one, and is a call of its own: the
tool and arguments of the first one with the answers as its argument `mcp:input`, and all is decided anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from remit.core.deferred import CAPABILITY, UPDATE
from remit.core.errors import NotFound, RemitError, Unauthenticated
from remit.core.mediation import Step
from remit.core.tool import INPUT
from remit.gateway.mcp.answer import Answer
from remit.gateway.mcp.calls import Calls, Visit, able_of, knows_deferred
from remit.gateway.mcp.rounds import Rounds, read_wanted
from remit.gateway.mcp.wire import (
    INVALID_PARAMS,
    MISSING_CAPABILITY,
    Incoming,
    WireFault,
    bad_params,
    fault_of,
    text_param,
)
from remit.gateway.tracing import travelling
from remit.services.asked import Follows
from remit.services.deferrals import DeferredCall
from remit.services.house import House
from remit.services.mediate import Asked

Json = Any


class DeferredMethods:
    """The methods of the extension."""

    def __init__(self, house: House, calls: Calls, rounds: Rounds) -> None:
        """Take the services, and what reads answers to questions."""
        self._house = house
        self._calls = calls
        self._rounds = rounds

    async def run(self, visit: Visit, message: Incoming) -> None:
        """Answer one request; to a task, no other's calls exist."""
        require(visit, message)
        held = await self.held(visit, text_param(message.params, "taskId"))
        if held is None:
            raise _no_call("there is no such task")
        if message.method == UPDATE:
            await self._update(visit, message, held)
            return
        asked = self.looking(visit, message, held)
        able = asked.capabilities
        answer = Answer(visit.send, message.id, modern=True, pass_on=passing(asked, held), able=able)
        await self._calls.watched(visit, message, answer, self._look(asked, answer, held))

    async def held(self, visit: Visit, handle: str) -> DeferredCall | None:
        """Give the call that a task knows by a handle, at this address."""
        live = await self._house.live.bind(visit.claims, self._house.clock.now())
        return self._house.deferrals.find(handle, live.task.id, visit.place.upstreams)

    def looking(self, visit: Visit, message: Incoming, held: DeferredCall) -> Asked:
        """Give what asks for a call that goes on."""
        tool = held.request.tool
        return Asked(
            token=visit.token,
            proven=visit.proven,
            upstream=tool.upstream,
            name=tool.name,
            arguments={},
            method=message.method,
            meta=travelling(message.meta),
            capabilities=able_of(visit, message.meta),
        )

    async def _look(self, asked: Asked, answer: Answer, held: DeferredCall) -> bool:
        try:
            await self._house.mediator.look(asked, answer, held)
        except RemitError as error:
            if isinstance(error, NotFound) and error.step == Step.BIND:
                error = _no_call(error.message, error.way_out)
            elif not answer.streaming and (isinstance(error, Unauthenticated) or error.step == Step.BIND):
                raise
            await answer.fail(fault_of(error))
            return False
        return True

    async def _update(self, visit: Visit, message: Incoming, held: DeferredCall) -> None:
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


def require(visit: Visit, message: Incoming) -> None:
    """Raise the fault of a client that did not say that it knows the extension."""
    if not knows_deferred(visit, message.meta):
        raise WireFault(
            "the client must declare the tasks extension",
            MISSING_CAPABILITY,
            code="missing-capability",
            way_out="name it in the request's client capabilities",
            data={"requiredCapabilities": CAPABILITY},
        )


def passing(asked: Asked, held: DeferredCall) -> Callable[[bytes], bytes]:
    """Give what passes on the questions of a call that goes on, where the task may answer them and the client
    can; raises `WireFault` for others.
    """
    able = asked.capabilities if held.request.may_take(INPUT) else {}

    def pass_on(body: bytes) -> bytes:
        read_wanted(body, able)
        return body

    return pass_on


def _no_call(message: str, way_out: str = "") -> WireFault:
    return WireFault(message, INVALID_PARAMS, code="unknown-task", way_out=way_out)
