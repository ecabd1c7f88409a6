# SPDX-License-Identifier: Apache-2.0
"""The path of one call: nine steps, in their order.

    agent -> [1 identify] -> [2 bind] -> [3 describe] -> [4 decide] -> [5 record]
                                                            |Deny/Defer: record, answer
          <- [9 close] <- [8 observe] <- [7 forward] <- [6 lease]

`mediate` is the order and nothing else. It does no I/O: the work of each step is a method of `NineSteps`, and
each method takes what the one before returned, so that steps in another order do not pass the type checker.
The services implement the steps (`services.mediation.call_steps`), and can rely on this:

1. a step begins when the one before is over, and none is left out or taken twice
2. a chunk of an upstream's answer is released after it was observed, and the next one is asked for after that
3. a fault ends the call; it says at which step it arose
4. a permit that was recorded is closed, once, with what is known of its outcome
5. `let_go` is called once, at the end, whatever happened

`answer` is the same path for endpoints that only answer: it stops after step 5. `resume` looks after a call
whose outcome its upstream has deferred.
"""

from __future__ import annotations

import enum
from typing import Protocol, TypeVar

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision
from remit.core.errors import OutOfOrder, RemitError
from remit.core.evidence.event import CallOutcome
from remit.core.label import Label


class Step(enum.IntEnum):
    """The nine steps, with the names used in code, docs, traces and error messages."""

    IDENTIFY = 1
    BIND = 2
    DESCRIBE = 3
    DECIDE = 4
    RECORD = 5
    LEASE = 6
    FORWARD = 7
    OBSERVE = 8
    CLOSE = 9


class ChunkKind(enum.StrEnum):
    """The kinds of message in an upstream's answer. `result` and `error` are the last message of a call."""

    NOTIFICATION = "notification"
    REQUEST = "request"
    RESULT = "result"
    ERROR = "error"


# Module-level names: a class lookup finds a member through the metaclass, which is ten times slower.
_IDENTIFY, _BIND, _DESCRIBE, _DECIDE, _RECORD, _LEASE, _FORWARD, _OBSERVE, _CLOSE = Step
_RESULT, _ERROR = ChunkKind.RESULT, ChunkKind.ERROR
_OK, _TOOL_ERROR, _PROTOCOL_ERROR = CallOutcome.OK, CallOutcome.TOOL_ERROR, CallOutcome.PROTOCOL_ERROR
_INPUT_REQUIRED, _DEFERRED = CallOutcome.INPUT_REQUIRED, CallOutcome.DEFERRED
_NOT_SENT, _UNKNOWN = CallOutcome.NOT_SENT, CallOutcome.UNKNOWN


class Chunk(msgspec.Struct, frozen=True):
    """One message of an upstream's answer.

    `method` is the JSON-RPC method of a notification or server-initiated request. `body` holds the raw JSON
    of `params`, `result` or `error`, never parsed twice. `is_error` is the tool's own error flag on a result.
    `wants_input` marks a result that completes nothing and requests input. `deferred` marks a result that
    completes nothing because the call continues at the upstream. `size` is the number of bytes of `body`.

    The answer of an HTTP API comes in pieces (`core.tools.http_api.ReplyPiece`, in `method`): first its head,
    then its body as sent on the wire.
    """

    kind: ChunkKind
    body: bytes
    method: str = ""
    is_error: bool = False
    wants_input: bool = False
    deferred: bool = False
    request_id: str | int | None = None

    @property
    def last(self) -> bool:
        """Whether this is the upstream's last message for this call."""
        return self.kind is _RESULT or self.kind is _ERROR

    @property
    def size(self) -> int:
        """The number of bytes of the body."""
        return len(self.body)


class Delivery(Chunk, frozen=True):
    """An observed chunk, which may be released to the task; `label` is the label of its content.

    INVARIANT: only `services.flow.observation` creates a delivery, and endpoints accept nothing else from an
    upstream.
    """

    label: Label = Label()


# How a call ends.


class DecidedCall(msgspec.Struct, frozen=True):
    """A call that was decided; implementations of the steps add what they need after step 4."""

    request: AccessRequest
    decision: Decision


class Refused(msgspec.Struct, frozen=True):
    """The end of a call that was denied or deferred."""

    request: AccessRequest
    decision: Decision


class Permitted(msgspec.Struct, frozen=True):
    """How a call ends that another program carries out: its permit is durable, and outside the fence."""

    request: AccessRequest
    decision: Decision


class Answered(msgspec.Struct, frozen=True):
    """The end of a call that went upstream: its last chunk has been released."""

    request: AccessRequest
    decision: Decision
    outcome: CallOutcome


#: How a call ends that goes upstream where it is permitted.
End = Refused | Answered

# The steps, as the services implement them.

Identified = TypeVar("Identified")
Bound = TypeVar("Bound")
Described = TypeVar("Described")
Decided = TypeVar("Decided", bound=DecidedCall)
Recorded = TypeVar("Recorded", bound=DecidedCall)
Recorded_co = TypeVar("Recorded_co", bound=DecidedCall, covariant=True)
Recorded_contra = TypeVar("Recorded_contra", bound=DecidedCall, contravariant=True)
Leased = TypeVar("Leased")
Forwarded = TypeVar("Forwarded")


class AnySteps(Protocol):
    """What surrounds the steps of every call."""

    def begin(self) -> None:
        """Note that the call is under way."""
        ...

    async def turn(self, step: Step) -> Step:
        """Wait until the call may take its next step, and return that step."""
        ...

    def failed(self, fault: BaseException) -> None:
        """Note the fault that ends the call; called before the call is closed."""
        ...

    def let_go(self) -> None:
        """Give back all that the steps took in hand. Nothing of the call happens after this."""
        ...


class DecidingSteps(AnySteps, Protocol[Identified, Bound, Described, Decided, Recorded_co]):
    """Steps 1 to 5."""

    async def identify(self) -> Identified:
        """Step 1. Return who asks, proven."""
        ...

    async def bind(self, identified: Identified) -> Bound:
        """Step 2. Return the live task that the call belongs to."""
        ...

    async def describe(self, bound: Bound) -> Described:
        """Step 3. Return the access request that the call makes."""
        ...

    async def decide(self, described: Described) -> Decided:
        """Step 4. Return the decision."""
        ...

    async def refuse(self, decided: Decided) -> None:
        """Step 5 of a call that does not proceed. Return once the refusal is recorded."""
        ...

    async def record(self, decided: Decided) -> Recorded_co:
        """Step 5 of a call that proceeds. Return once the decision is durable."""
        ...


class ForwardingSteps(AnySteps, Protocol[Recorded_contra, Leased, Forwarded]):
    """Steps 6 to 9."""

    async def lease(self, recorded: Recorded_contra) -> Leased:
        """Step 6. Return the upstream credential, with a connection."""
        ...

    async def forward(self, leased: Leased) -> Forwarded:
        """Step 7. Look at the local fence, then write the call with nothing awaited between."""
        ...

    async def receive(self, forwarded: Forwarded) -> Chunk:
        """Step 7. Return the upstream's next message, after another look at the fence."""
        ...

    async def observe(self, forwarded: Forwarded, chunk: Chunk) -> Delivery | None:
        """Step 8. Take a message in, and return what may be released of it; None where it is withheld."""
        ...

    async def release(self, recorded: Recorded_contra, chunk: Delivery) -> None:
        """Step 8. Hand what was taken in to the agent."""
        ...

    async def close(self, recorded: Recorded_contra, outcome: CallOutcome) -> None:
        """Step 9. Record the outcome."""
        ...


class NineSteps(
    DecidingSteps[Identified, Bound, Described, Decided, Recorded],
    ForwardingSteps[Recorded, Leased, Forwarded],
    Protocol[Identified, Bound, Described, Decided, Recorded, Leased, Forwarded],
):
    """All steps of a call that goes upstream."""


class ResumingSteps(
    ForwardingSteps[Recorded, Leased, Forwarded], Protocol[Identified, Bound, Recorded, Leased, Forwarded]
):
    """The steps of a look after a deferred call: steps 3 to 5 were taken by the call itself."""

    async def identify(self) -> Identified:
        """Step 1. Return who asks, proven."""
        ...

    async def bind(self, identified: Identified) -> Bound:
        """Step 2. Return the live task that the call belongs to."""
        ...

    async def find(self, bound: Bound) -> tuple[Recorded, Delivery | None]:
        """Step 2. Return the deferred call, which is the task's own, with what was released of it last where
        it is too early to ask its upstream again.
        """
        ...


# The paths.


async def mediate(
    steps: NineSteps[Identified, Bound, Described, Decided, Recorded, Leased, Forwarded],
) -> End:
    """Take one call through the nine steps."""
    steps.begin()
    try:
        recorded = await _until_recorded(steps)
        if isinstance(recorded, Refused):
            return recorded
        return await _until_closed(steps, recorded)
    finally:
        steps.let_go()


async def answer(
    steps: DecidingSteps[Identified, Bound, Described, Decided, Recorded],
) -> Refused | Permitted:
    """Take one call through steps 1 to 5, for an endpoint that only answers: another program acts."""
    steps.begin()
    try:
        recorded = await _until_recorded(steps, elsewhere=True)
        if isinstance(recorded, Refused):
            return recorded
        return Permitted(recorded.request, recorded.decision)
    finally:
        steps.let_go()


async def resume(steps: ResumingSteps[Identified, Bound, Recorded, Leased, Forwarded]) -> Answered:
    """Follow up a call whose outcome its upstream has deferred: poll its status, or cancel it.

    Nothing is decided again, because the request asks no more of the upstream than was permitted. The caller,
    the task and the fence are checked as for every call, and the upstream's report is observed before it is
    released.
    """
    at = _IDENTIFY
    steps.begin()
    try:
        at = await steps.turn(_IDENTIFY)
        identified = await steps.identify()
        at = await steps.turn(_BIND)
        bound = await steps.bind(identified)
        at = await steps.turn(_BIND)
        recorded, known = await steps.find(bound)
        if known is not None:
            at = await steps.turn(_OBSERVE)
            await steps.release(recorded, known)
            return Answered(recorded.request, recorded.decision, _DEFERRED)
        return await _until_closed(steps, recorded)
    except BaseException as fault:
        _failed(steps, fault, at)
        raise
    finally:
        steps.let_go()


async def _until_recorded(
    steps: DecidingSteps[Identified, Bound, Described, Decided, Recorded], *, elsewhere: bool = False
) -> Refused | Recorded:
    """Take steps 1 to 5. A fault ends the call with nothing to close: nothing has happened."""
    at = _IDENTIFY
    try:
        at = await steps.turn(_IDENTIFY)
        identified = await steps.identify()
        at = await steps.turn(_BIND)
        bound = await steps.bind(identified)
        at = await steps.turn(_DESCRIBE)
        described = await steps.describe(bound)
        at = await steps.turn(_DECIDE)
        decided = await steps.decide(described)
        decision = decided.decision
        if elsewhere and decision.proceeds and decision.valid_until is None:
            raise OutOfOrder("a call that others carry out was permitted without saying until when")
        at = await steps.turn(_RECORD)
        if not decision.proceeds:
            await steps.refuse(decided)
            return Refused(decided.request, decision)
        return await steps.record(decided)
    except BaseException as fault:
        _failed(steps, fault, at)
        raise


async def _until_closed(steps: ForwardingSteps[Recorded, Leased, Forwarded], recorded: Recorded) -> Answered:
    """Take steps 6 to 9. A fault closes the call with the outcome that it leaves: not sent, unknown where the
    upstream may have acted, or what the upstream has said already.
    """
    at, outcome = _LEASE, _NOT_SENT
    leased: Leased | None = None
    try:
        at = await steps.turn(_LEASE)
        leased = await steps.lease(recorded)
        at = await steps.turn(_FORWARD)
        forwarded = await steps.forward(leased)
        outcome, last = _UNKNOWN, False
        while not last:
            at = await steps.turn(_FORWARD)
            chunk = await steps.receive(forwarded)
            if last := chunk.last:
                outcome = _outcome(chunk)
            at = await steps.turn(_OBSERVE)
            delivery = await steps.observe(forwarded, chunk)
            if delivery is not None:
                at = await steps.turn(_OBSERVE)
                await steps.release(recorded, delivery)
    except GeneratorExit:
        raise
    except BaseException as fault:
        _failed(steps, fault, at)
        lost = leased is not None and (getattr(fault, "sent", False) or outcome is _DEFERRED)
        await _close(steps, recorded, _UNKNOWN if lost else outcome)
        raise
    await _close(steps, recorded, outcome)
    return Answered(recorded.request, recorded.decision, outcome)


async def _close(
    steps: ForwardingSteps[Recorded, Leased, Forwarded], recorded: Recorded, outcome: CallOutcome
) -> None:
    """Take step 9."""
    try:
        await steps.turn(_CLOSE)
        await steps.close(recorded, outcome)
    except BaseException as fault:
        _failed(steps, fault, _CLOSE)
        raise


def _failed(steps: AnySteps, fault: BaseException, at: Step) -> None:
    """Say at which step a fault arose, unless it says so itself."""
    if isinstance(fault, RemitError) and fault.step is None:
        fault.step = at.value
    steps.failed(fault)


def _outcome(last: Chunk) -> CallOutcome:
    if last.kind is _ERROR:
        return _PROTOCOL_ERROR
    if last.deferred:
        return _DEFERRED
    if last.wants_input:
        return _INPUT_REQUIRED
    return _TOOL_ERROR if last.is_error else _OK
