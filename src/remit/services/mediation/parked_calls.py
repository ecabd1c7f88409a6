# SPDX-License-Identifier: Apache-2.0
"""Parked calls: those that wait for a person while their agent holds a handle (`core.decisions.parked_call`).

1. a call that waits holds nothing here: its question in the store is the whole of it, so that it survives
   the connection, the token and this process, and ends with its task, whose closure lists the question
2. a look by the agent makes it, once a person has answered: everything is decided again, with the token of
   the look, and the commit that permits it uses up the approval
3. INVARIANT: of one handle there is one call: here by the handle, across processes by the approval
4. a call that is being made outlives the look; what came of it is kept for a while, in memory only
5. an agent that does not want the call any more withdraws the question, also after its answer
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from typing import Final

import msgspec

from remit.core.decisions.approval import Approval, ApprovalState, OvertakenBy
from remit.core.decisions.deferred_call import Status
from remit.core.decisions.parked_call import ParkedState, can_park, parked_state
from remit.core.errors import Busy, Conflict, RemitError
from remit.core.tools.tool import RESERVED_OPERATIONS
from remit.ports.runtime import Clock
from remit.ports.store.approvals import ApprovalStore
from remit.ports.store.changes import PutApproval
from remit.ports.store.units import Unit
from remit.services.decisions.approvals import Approvals, ended_alone
from remit.services.endings.events import EndEvents
from remit.services.mediation.deferred_calls import KEPT_S, MAX_BYTES, MAX_IN_ALL
from remit.services.tasks.calls_in_flight import fenced_by
from remit.services.tasks.live_task import LiveTask
from remit.services.tasks.live_tasks import LiveTasks

#: The most questions of one task that its agent may withdraw within `WITHDRAWN_S`: people were told of each.
MAX_WITHDRAWN: Final = 20
WITHDRAWN_S: Final = 900.0
#: The most characters of a handle.
_MAX_HANDLE: Final = 64
_TRIES: Final = 3
_OPEN: Final = (ApprovalState.PENDING, ApprovalState.APPROVED)


class CallEnd(msgspec.Struct, frozen=True):
    """What came of a parked call: its status, and the raw JSON of its result or error."""

    status: Status
    brings: bytes


class MadeCall:
    """A parked call that is being made, or was. `end` is None as long as it is under way."""

    __slots__ = ("done", "done_s", "end", "fault", "handle", "live", "tool", "work")

    work: asyncio.Task[None]

    def __init__(self, question: Approval, live: LiveTask) -> None:
        """Begin before step 1."""
        self.handle = question.id
        self.tool = question.tool
        self.live = live
        self.end: CallEnd | None = None
        self.fault: RemitError | None = None
        self.done: datetime | None = None
        self.done_s = 0.0

    async def seen(self, wait_s: float) -> None:
        """Wait until the call has ended, or so many seconds; raise what kept it from being decided."""
        await asyncio.wait({self.work}, timeout=wait_s)
        if self.fault is not None:
            raise self.fault


#: Makes the call; None where it continues at its upstream, under the same handle. Raises where it was not
#: decided at all.
Make = Callable[[], Awaitable[CallEnd | None]]


class ParkedCalls:
    """All parked calls; for one event loop."""

    def __init__(
        self,
        *,
        store: ApprovalStore,
        approvals: Approvals,
        live: LiveTasks,
        clock: Clock,
        events: EndEvents,
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._approvals = approvals
        self._live = live
        self._clock = clock
        self._made: OrderedDict[str, MadeCall] = OrderedDict()
        events.ended.append(self.on_end)

    def __len__(self) -> int:
        """Return the number of parked calls that are being made, or whose end is kept."""
        return len(self._made)

    async def find(self, handle: str, live: LiveTask, upstreams: Collection[str]) -> Approval | None:
        """Return the question of a parked call of a task, as it is stored; None where there is none."""
        if len(handle) > _MAX_HANDLE:
            return None
        found = await self._approvals.stored(handle)
        if found is None or (found.task, found.agent) != (live.task.id, live.task.agent):
            return None
        upstream, _, name = found.tool.partition("/")
        known = upstream in upstreams and name not in RESERVED_OPERATIONS
        return found if known and can_park(found) else None

    async def state(self, question: Approval, wait_s: float = 0) -> tuple[Approval, ParkedState]:
        """Return a question and how its call stands; wait for so long where no person has answered."""
        state = parked_state(question, self._clock.now())
        if state is ParkedState.WAITS and wait_s > 0:
            await self._approvals.settled(question.id, wait_s)
            question = await self._approvals.stored(question.id) or question
            state = parked_state(question, self._clock.now())
        return question, state

    # Making.

    def made(self, handle: str) -> MadeCall | None:
        """Return the call of a handle that is being made, or was."""
        return self._made.get(handle)

    def make(self, question: Approval, live: LiveTask, make: Make) -> MadeCall:
        """Have a call made that is due; for a handle whose call is being made, return that call.

        INVARIANT: nothing is awaited here, so that two looks at the same moment make one call.
        """
        known = self._made.get(question.id)
        if known is not None:
            return known
        self._make_room()
        call = self._made[question.id] = MadeCall(question, live)
        call.work = asyncio.get_running_loop().create_task(self._carried_out(call, make))
        return call

    async def _carried_out(self, call: MadeCall, make: Make) -> None:
        try:
            call.end = await make()
        except asyncio.CancelledError:
            call.end = CallEnd(Status.CANCELLED, b"")
        except RemitError as fault:
            call.fault = fault
        finally:
            call.done, call.done_s = self._clock.now(), self._clock.boot_s()
            if call.end is None:
                # It was not decided, or has another keeper: a further look finds out.
                self._made.pop(call.handle, None)

    def check(self, call: MadeCall) -> None:
        """Raise `Fenced` where what came of a call may not be released any more."""
        fenced = self._live.fenced(call.live, call.live.call_scopes(call.tool))
        if fenced or not self._live.holds():
            raise fenced_by(fenced, sent=True)
        call.live.check_room(call.live.open_calls + 1)

    # Endings.

    async def withdraw(self, question: Approval) -> None:
        """Stop a parked call, as far as it can be: one under way is broken off, what is unused withdrawn.

        Raises `Busy` for an agent that asks people and withdraws, again and again.
        """
        if (call := self._made.get(question.id)) is not None:
            call.work.cancel()
            await asyncio.wait({call.work})
            if call.end is None:
                self._made.pop(call.handle, None)
        async with self._approvals.turn(question.task):
            for _ in range(_TRIES):
                found = await self._approvals.stored(question.id)
                if found is None or found.state not in _OPEN or found.used:
                    return
                if self._clock.now() >= found.expires:
                    return
                await self._check_pace(found)
                try:
                    await self._store.commit(self._withdrawn(found))
                except Conflict:
                    continue  # a person has answered, or the call was made, in the meantime
                return

    def _withdrawn(self, found: Approval) -> Unit:
        now = self._clock.now()
        over = msgspec.structs.replace(found.expired(now), overtaken=OvertakenBy.AGENT)
        event = ended_alone(over, "withdrawn", now, over.subject)
        return Unit((PutApproval(over, expected=found.state, revision=found.revision),), (event,))

    async def _check_pace(self, found: Approval) -> None:
        since = self._clock.now() - timedelta(seconds=WITHDRAWN_S)
        gone = await self._store.approvals(
            found.tenant, task=found.task, state=ApprovalState.EXPIRED, limit=10 * MAX_WITHDRAWN
        )
        if sum(one.overtaken is OvertakenBy.AGENT and one.expires > since for one in gone) >= MAX_WITHDRAWN:
            raise Busy(
                f"task `{found.task}` has withdrawn {MAX_WITHDRAWN} questions in the last minutes",
                remediation="let people answer the question, or wait until it expires",
            )

    async def on_end(self, task: str) -> None:
        """Forget what a task that has ended could still ask for; the fence cuts what is under way."""
        for call in [one for one in self._made.values() if one.live.task.id == task]:
            self._forget(call)

    async def sweep(self) -> None:
        """Forget ends that were kept long enough. For a background loop."""
        now_s = self._clock.boot_s()
        for call in [one for one in self._made.values() if one.end and now_s >= one.done_s + KEPT_S]:
            self._forget(call)

    async def stop(self) -> None:
        """Break off what is under way: no agent can ask this process for its end any more."""
        works = [call.work for call in self._made.values()]
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)

    def _forget(self, call: MadeCall) -> None:
        self._made.pop(call.handle, None)
        if call.end is None:
            call.work.cancel()

    def _make_room(self) -> None:
        """Forget the oldest ends; raise `Busy` where all calls are under way."""
        ended = [one for one in self._made.values() if one.end is not None]
        size = sum(len(one.end.brings) for one in ended if one.end is not None)
        for call in ended:
            if len(self._made) < MAX_IN_ALL and size <= MAX_BYTES:
                return
            assert call.end is not None
            size -= len(call.end.brings)
            self._forget(call)
        if len(self._made) >= MAX_IN_ALL:
            raise Busy("too many approved calls are being made", remediation="try again later")
