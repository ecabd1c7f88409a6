# SPDX-License-Identifier: Apache-2.0
"""Handles of calls that wait for a person: the tasks extension (2026-07-28) before a call is permitted.

`tasks/get` says how the question stands, and has the call made once a person has answered. It waits for the
answer as long as the header `Remit-Wait` says. `tasks/update` says that the client's person has seen the
question; `tasks/cancel` withdraws it.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec

from remit.core.decisions.approval import Approval
from remit.core.decisions.deferred_call import ACKNOWLEDGED, CANCEL, UPDATE, Status
from remit.core.decisions.mediation import Delivery, Step
from remit.core.decisions.parked_call import ParkedState, parked_end
from remit.core.errors import RemitError, Unauthenticated
from remit.gateway.approval_outcome import page_of, wait_of
from remit.gateway.mcp.call_failures import failed_call
from remit.gateway.mcp.calls import Calls, CallVisit, able_of
from remit.gateway.mcp.headers import WAIT
from remit.gateway.mcp.listing import Listing
from remit.gateway.mcp.messages import REFUSED, Incoming, WireFault, bad_params, fault_of
from remit.gateway.mcp.questions import (
    OWN_KEY,
    POLL_MS,
    SeenQuestions,
    opens_pages,
    parked,
    written,
)
from remit.gateway.mcp.response import Answer
from remit.gateway.tracing import travelling
from remit.ports.runtime import Clock
from remit.services.identity.authenticator import Authenticator
from remit.services.mediation.mediator import RequestedCall
from remit.services.mediation.parked_calls import CallEnd, MadeCall, ParkedCalls
from remit.services.tasks.live_tasks import LiveTask, LiveTasks

#: Seconds in which a call that was just approved can end within one look; else it is still at work.
PATIENCE_S: Final = 2.0


class KeptAnswer(Answer):
    """The answer to a call that is made without a connection: its last message alone is kept."""

    __slots__ = ("end",)

    def __init__(self, calls: Calls, visit: CallVisit) -> None:
        """Begin with nothing kept."""
        super().__init__(visit.send, None, calls.turns, modern=True, as_result=partial(calls.failure, visit))
        self.end: CallEnd | None = None

    async def release(self, chunk: Delivery) -> None:
        """Keep a result or an error; of a call that its upstream defers, nothing: others look after it."""
        if not chunk.deferred:
            await super().release(chunk)

    async def _last(
        self, frame: bytes, body: bytes, status: int, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        self.done = True
        failed = frame.endswith(b'"error":')
        self.end = CallEnd(Status.FAILED if failed else Status.COMPLETED, body)


class ParkedWatch:
    """A parked call that a stream follows; `settled` once nothing changes any more."""

    __slots__ = ("handle", "poll_s", "settled")

    def __init__(self, handle: str) -> None:
        """Begin with a call of which nothing was told."""
        self.handle = handle
        self.poll_s = POLL_MS / 1000
        self.settled = False


class _Told(msgspec.Struct):
    status: Status


class ParkedMethods:
    """The methods of the tasks extension for parked calls."""

    def __init__(
        self,
        *,
        clock: Clock,
        authenticator: Authenticator,
        live: LiveTasks,
        parked_calls: ParkedCalls,
        calls: Calls,
        listing: Listing,
        seen: SeenQuestions,
        public_url: str,
    ) -> None:
        """Keep the services."""
        self._clock = clock
        self._authenticator = authenticator
        self._live = live
        self._parked = parked_calls
        self._calls = calls
        self._listing = listing
        self._public_url = public_url
        self._seen = seen

    async def find(self, visit: CallVisit, handle: str, live: LiveTask) -> Approval | None:
        """Return the question of a task's parked call, at this endpoint path."""
        return await self._parked.find(handle, live, visit.place.upstreams)

    async def run(self, visit: CallVisit, message: Incoming, live: LiveTask, question: Approval) -> None:
        """Answer one request."""
        answer = Answer(visit.send, message.id, self._calls.turns, modern=True)
        await self._calls.watched(
            visit, message, answer, self._answered(visit, message, live, question, answer)
        )

    async def _answered(
        self, visit: CallVisit, message: Incoming, live: LiveTask, question: Approval, answer: Answer
    ) -> bool:
        try:
            body = ACKNOWLEDGED
            if message.method == CANCEL:
                await self._parked.withdraw(question)
            elif message.method == UPDATE:
                self._note(message, question)
            else:
                left_s = visit.claims.expires - self._clock.now().timestamp()
                wait_s = wait_of(visit.head.get(WAIT).decode("latin-1"), left_s)
                body = await self.look(visit, message, live, question, wait_s)
        except RemitError as error:
            if not answer.streaming and (isinstance(error, Unauthenticated) or error.step == Step.BIND):
                raise
            await answer.fail(fault_of(error))
            return False
        await answer.tell(body)
        return True

    async def look(
        self, visit: CallVisit, message: Incoming, live: LiveTask, question: Approval, wait_s: float = 0
    ) -> bytes:
        """Return how a parked call stands; have it made where that is due.

        INVARIANT: after each wait, token, task and fence are looked at again.
        """
        made = self._parked.made(question.id)
        if made is None:
            question, state = await self._parked.state(question, wait_s)
            self._check(visit, live)
            if state is not ParkedState.DUE:
                return self._standing(visit, message, question, state)
            made = self._parked.make(question, live, partial(self._make, visit, message, question))
        await made.seen(max(wait_s, PATIENCE_S))
        self._check(visit, live)
        return self._end(made, question)

    async def follow(self, visit: CallVisit, message: Incoming, live: LiveTask, watch: ParkedWatch) -> bytes:
        """Return how a call stands that a stream follows; nothing where there is none any more."""
        question = await self.find(visit, watch.handle, live)
        body = await self.look(visit, message, live, question) if question is not None else b""
        watch.settled = not body or msgspec.json.decode(body, type=_Told).status.final
        return body

    def _check(self, visit: CallVisit, live: LiveTask) -> None:
        now = self._clock.now()
        self._authenticator.claims(visit.token, now, proven=visit.proven)
        self._live.check(live, now)

    def _end(self, made: MadeCall, question: Approval) -> bytes:
        if (end := made.end) is None:
            return written(question, Status.WORKING, message="A person has answered; the call is being made.")
        self._parked.check(made)
        return written(question, end.status, end.brings, changed=made.done)

    def _standing(self, visit: CallVisit, message: Incoming, question: Approval, state: ParkedState) -> bytes:
        if state is ParkedState.WITHDRAWN:
            return written(question, Status.CANCELLED, changed=question.expires)
        if state is ParkedState.WAITS:
            asks = opens_pages(able_of(visit, message.meta)) and question.id not in self._seen
            return parked(question, page_of(self._public_url, question.id), asks=asks)
        end = parked_end(question)
        fault = WireFault(
            end.text, REFUSED, code=end.code, remediation=end.remediation, data={"approval": question.id}
        )
        shown = visit.place.shown(*question.tool.split("/", 1))
        told = failed_call(fault, shown, modern=True, schema=True)
        return written(question, Status.COMPLETED, told, changed=question.decided or question.expires)

    def _note(self, message: Incoming, question: Approval) -> None:
        """Note that the client's person has seen the question, or does not want to."""
        given = message.params.get("inputResponses")
        if not isinstance(given, dict):
            raise bad_params("`inputResponses` must be an object")
        if OWN_KEY in given:
            self._seen.add(question.id)

    async def _make(self, visit: CallVisit, message: Incoming, question: Approval) -> CallEnd | None:
        """Make the call, as the agent of the look; None where its upstream has deferred it."""
        upstream, name = question.tool.split("/", 1)
        as_call = CallVisit(visit.head, visit.receive, visit.send)
        as_call.token, as_call.claims, as_call.proven = visit.token, visit.claims, visit.proven
        as_call.origin, as_call.place, as_call.modern = visit.origin, visit.place, True
        as_call.tool = visit.place.shown(upstream, name)
        defers = self._listing.defers(upstream)
        # Questions of an upstream come with the state of a call that it defers, and in no other way.
        able = able_of(as_call, message.meta) if defers else {}
        asked = RequestedCall(
            token=visit.token,
            proven=visit.proven,
            upstream=upstream,
            name=name,
            arguments=question.arguments,
            meta=travelling(message.meta),
            capabilities=able,
            origin=visit.origin,
            defers=defers,
            handle=question.id,
        )
        call = Incoming("tools/call", {"name": as_call.tool, "_meta": message.meta}, message.id)
        kept = KeptAnswer(self._calls, as_call)
        await self._calls.made(as_call, call, asked, kept)
        return kept.end
