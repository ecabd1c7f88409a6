# SPDX-License-Identifier: Apache-2.0
"""Nine steps that do nothing but what a test says, and keep what was asked of them.

Each step takes the one value that the step before returned, and refuses others. With `waits` each of them
suspends once, as a step that waits for a disk or a server does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine, Generator, Iterable
from datetime import UTC, datetime
from types import coroutine
from typing import Any, TypeVar

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision, Outcome
from remit.core.decisions.mediation import Chunk, ChunkKind, DecidedCall, Delivery, Step
from remit.core.evidence.event import CallOutcome
from remit.core.identity.principals import Agent, Principal
from remit.core.label import Label
from remit.core.tasks.task import Intent, Task
from remit.core.tools.tool import Tier, Tool

Returned = TypeVar("Returned")

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RESULT = Chunk(ChunkKind.RESULT, b"{}")
NOTE = Chunk(ChunkKind.NOTIFICATION, b"{}", method="notifications/progress")
HANDLE = Chunk(ChunkKind.RESULT, b"{}", deferred=True)

#: Which step each method belongs to.
STEP_OF = {
    "identify": Step.IDENTIFY,
    "bind": Step.BIND,
    "find": Step.BIND,
    "describe": Step.DESCRIBE,
    "decide": Step.DECIDE,
    "refuse": Step.RECORD,
    "record": Step.RECORD,
    "lease": Step.LEASE,
    "forward": Step.FORWARD,
    "receive": Step.FORWARD,
    "observe": Step.OBSERVE,
    "release": Step.OBSERVE,
    "close": Step.CLOSE,
}


def a_request() -> AccessRequest:
    """Return a request that is of no further interest."""
    agent = Agent(
        tenant="default", name="contract-bot", owner="legal", purpose="read", created=NOW, created_by="ada"
    )
    task = Task(
        tenant="default",
        id="tsk_1",
        type="t",
        agent="contract-bot",
        owner="legal",
        intent=Intent(goal="g", requested_by="lena", stated_at=NOW),
        grants=(),
        opened=NOW,
        deadline=NOW,
    )
    return AccessRequest(
        principal=Principal(tenant="default", agent="contract-bot"),
        agent=agent,
        task=task,
        tool=Tool(upstream="u", name="t"),
        arguments={},
        grants=(),
        tier=Tier.ASSISTANT,
        label=Label(),
        cleared=True,
        now=NOW,
    )


REQUEST = a_request()
PERMIT = Decision(id="dec_1", outcome=Outcome.PERMIT)


def taken_in(chunk: Chunk) -> Delivery:
    """Return a chunk as a step that has taken it in would release it."""
    return Delivery(**{name: getattr(chunk, name) for name in chunk.__struct_fields__})


class FromIdentify(msgspec.Struct):
    """What step 1 returns."""


class FromBind(msgspec.Struct):
    """What step 2 returns."""


class FromDescribe(msgspec.Struct):
    """What step 3 returns."""


class FromDecide(DecidedCall, frozen=True):
    """What step 4 returns."""


class FromRecord(DecidedCall, frozen=True):
    """What step 5 returns."""


class FromLease(msgspec.Struct):
    """What step 6 returns."""


class FromForward(msgspec.Struct):
    """What step 7 returns."""


class ScriptedSteps:
    """`NineSteps` and `ResumingSteps` by script.

    `fail_at` names a method, or `turn` with a step's number, and which time that it is asked for; `fault` is
    raised there.
    """

    def __init__(
        self,
        chunks: Iterable[Chunk] = (RESULT,),
        *,
        decision: Decision = PERMIT,
        withheld: frozenset[int] = frozenset(),
        known: Delivery | None = None,
        fail_at: tuple[str, int] = ("", 0),
        fault: BaseException | None = None,
        waits: bool = False,
    ) -> None:
        """Begin with nothing asked for; `withheld` counts chunks from 0."""
        self.chunks = list(chunks)
        self._coming = iter(self.chunks)
        self._decision = decision
        self.withheld = withheld
        self._known = known
        self._fail_at = fail_at
        self._fault = fault
        self._waits = waits
        self._times: Counter[str] = Counter()
        self._made: dict[type, Any] = {}
        #: The methods of steps that were asked for, in order, those that failed too.
        self.asked: list[str] = []
        #: Those that came to their end.
        self.done: list[str] = []
        #: Those and the steps that were waited for, as `turn` with the step's number.
        self.log: list[str] = []
        self.observed: list[Chunk] = []
        self.released: list[Delivery] = []
        self.closed: list[CallOutcome] = []
        self.faults: list[BaseException] = []
        self.begun = self.gone = 0

    # What surrounds the steps.

    def begin(self) -> None:
        """Count."""
        self.begun += 1

    async def turn(self, step: Step) -> Step:
        """Take note of the step that comes."""
        assert not self.gone
        self.log.append(f"turn {step.value}")
        await self._meet(f"turn {step.value}")
        return step

    def failed(self, fault: BaseException) -> None:
        """Keep it."""
        assert not self.gone
        self.faults.append(fault)

    def let_go(self) -> None:
        """Count."""
        self.gone += 1

    # The steps.

    async def identify(self) -> FromIdentify:
        """Step 1."""
        await self._step("identify")
        return self._make(FromIdentify())

    async def bind(self, identified: FromIdentify) -> FromBind:
        """Step 2."""
        self._takes(identified)
        await self._step("bind")
        return self._make(FromBind())

    async def find(self, bound: FromBind) -> tuple[FromRecord, Delivery | None]:
        """Step 2 of a look."""
        self._takes(bound)
        await self._step("find")
        return self._make(FromRecord(REQUEST, self._decision)), self._known

    async def describe(self, bound: FromBind) -> FromDescribe:
        """Step 3."""
        self._takes(bound)
        await self._step("describe")
        return self._make(FromDescribe())

    async def decide(self, described: FromDescribe) -> FromDecide:
        """Step 4."""
        self._takes(described)
        await self._step("decide")
        return self._make(FromDecide(REQUEST, self._decision))

    async def refuse(self, decided: FromDecide) -> None:
        """Step 5 of a refusal."""
        self._takes(decided)
        await self._step("refuse")

    async def record(self, decided: FromDecide) -> FromRecord:
        """Step 5 of a permit."""
        self._takes(decided)
        await self._step("record")
        return self._make(FromRecord(REQUEST, self._decision))

    async def lease(self, recorded: FromRecord) -> FromLease:
        """Step 6."""
        self._takes(recorded)
        await self._step("lease")
        return self._make(FromLease())

    async def forward(self, leased: FromLease) -> FromForward:
        """Step 7."""
        self._takes(leased)
        await self._step("forward")
        return self._make(FromForward())

    async def receive(self, forwarded: FromForward) -> Chunk:
        """Step 7, the next chunk of the script."""
        self._takes(forwarded)
        await self._step("receive")
        return next(self._coming)

    async def observe(self, forwarded: FromForward, chunk: Chunk) -> Delivery | None:
        """Step 8. Each chunk is taken in before the next one is asked for."""
        self._takes(forwarded)
        assert chunk is self.chunks[len(self.observed)]
        await self._step("observe")
        self.observed.append(chunk)
        return None if len(self.observed) - 1 in self.withheld else taken_in(chunk)

    async def release(self, recorded: FromRecord, chunk: Delivery) -> None:
        """Step 8, to the agent."""
        self._takes(recorded)
        await self._step("release")
        self.released.append(chunk)

    async def close(self, recorded: FromRecord, outcome: CallOutcome) -> None:
        """Step 9."""
        self._takes(recorded)
        self.closed.append(outcome)
        await self._step("close")

    # How.

    def _make(self, made: Returned) -> Returned:
        self._made[type(made)] = made
        return made

    def _takes(self, given: object) -> None:
        assert given is self._made[type(given)]

    async def _step(self, name: str) -> None:
        assert not self.gone
        self.asked.append(name)
        self.log.append(name)
        await self._meet(name)
        self.done.append(name)

    async def _meet(self, name: str) -> None:
        if self._waits:
            await _suspended()
        self._times[name] += 1
        if self._fault is not None and self._fail_at == (name, self._times[name]):
            raise self._fault


@coroutine
def _suspended() -> Generator[None, None, None]:
    yield


def outcome_of(path: Coroutine[Any, Any, Returned], fault: BaseException | None = None) -> Returned:
    """Return what a path ends with, going on wherever it waits; raises the fault that ends it. `fault` is met
    where it waits now.
    """
    try:
        if fault is not None:
            path.throw(fault)
        while True:
            path.send(None)
    except StopIteration as stop:
        end: Returned = stop.value
        return end
