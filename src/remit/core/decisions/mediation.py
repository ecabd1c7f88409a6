# SPDX-License-Identifier: Apache-2.0
"""The path of one call, as a machine that refuses disorder.

    agent -> [1 identify] -> [2 bind] -> [3 describe] -> [4 decide] -> [5 record]
                                                            |Deny/Defer: record, answer
          <- [9 close] <- [8 observe] <- [7 forward] <- [6 lease]

`mediate` is a generator without I/O. It yields what it needs next and is sent the answer; a driver
(`services.mediation.mediator`) does the work. Streams, server-initiated requests and deferred outcomes are
transitions of the same machine: while the upstream answers, the machine asks for the next chunk, has it
observed, and only then releases it. A driver cannot skip a step, repeat one, or answer one need with the
answer to another: that is `OutOfOrder`, and the call ends there. `answer` is the same path for doors that
only answer: it stops after step 5. `resume` looks after a call whose outcome its upstream has deferred.
"""

from __future__ import annotations

import enum
from collections.abc import Generator
from typing import Any

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision
from remit.core.errors import OutOfOrder
from remit.core.evidence.event import CallOutcome
from remit.core.identity.principals import Principal
from remit.core.label import Label


class Step(enum.IntEnum):
    """The nine steps; the names in code, docs, traces and error messages."""

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
    """What an upstream sends while it answers. `result` and `error` are the last of a call."""

    NOTIFICATION = "notification"
    REQUEST = "request"
    RESULT = "result"
    ERROR = "error"


# Names of the module, not of the class: a member is found through its metaclass, ten times as slowly.
_RESULT, _ERROR = ChunkKind.RESULT, ChunkKind.ERROR
_OK, _TOOL_ERROR, _PROTOCOL_ERROR = CallOutcome.OK, CallOutcome.TOOL_ERROR, CallOutcome.PROTOCOL_ERROR
_INPUT_REQUIRED, _DEFERRED = CallOutcome.INPUT_REQUIRED, CallOutcome.DEFERRED
_NOT_SENT, _UNKNOWN = CallOutcome.NOT_SENT, CallOutcome.UNKNOWN


class Chunk(msgspec.Struct, frozen=True):
    """One message of an upstream's answer.

    `method` is the JSON-RPC method of a notification or server-initiated request. `body` holds the raw JSON
    of `params`, `result` or `error`, never parsed twice. `is_error` is the tool's own error flag on a result,
    `wants_input` tells that a result completes nothing but asks for input, `deferred` that it completes
    nothing because the call goes on at the upstream. `size` is the count of bytes of `body`.

    The answer of an HTTP API comes in pieces (`core.tools.http_api.ReplyPiece`, in `method`): first its head,
    then its body as it is on the wire.
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
        """Whether the upstream has nothing more to say on this call."""
        return self.kind is _RESULT or self.kind is _ERROR

    @property
    def size(self) -> int:
        """The number of bytes of the body."""
        return len(self.body)


class Delivery(Chunk, frozen=True):
    """What a task may be handed of an upstream's words: they were taken in, and `label` is what they carry.

    INVARIANT: `services.flow.observation` alone makes one, and doors take nothing else of an upstream.
    """

    label: Label = Label()


# What the machine needs, and what it must be sent for it.


class Identify(msgspec.Struct, frozen=True):
    """Step 1. Send a `Principal`."""


class Bind(msgspec.Struct, frozen=True):
    """Step 2. Send any value that stands for the bound task (it is handed on, not looked at)."""

    principal: Principal


class Describe(msgspec.Struct, frozen=True):
    """Step 3. Send an `AccessRequest`."""

    bound: object


class Decide(msgspec.Struct, frozen=True):
    """Step 4. Send a `Decision`."""

    request: AccessRequest


class Record(msgspec.Struct, frozen=True):
    """Step 5. Commit the decision; send `Recorded` once it is durable."""

    request: AccessRequest
    decision: Decision


class Resume(msgspec.Struct, frozen=True):
    """Step 2, for a call that is looked after: find it among the bound task's own; send `Resumed`."""

    bound: object


class Lease(msgspec.Struct, frozen=True):
    """Step 6. Obtain the upstream credential and a connection; send `Leased`."""

    request: AccessRequest
    decision: Decision


class Forward(msgspec.Struct, frozen=True):
    """Step 7. Look at the local fence, then write the call with nothing awaited between; send `Forwarded`."""

    request: AccessRequest
    leased: Leased


class Receive(msgspec.Struct, frozen=True):
    """Steps 7 and 8. Wait for the upstream's next message, re-check the fence; send a `Chunk`."""


class Observe(msgspec.Struct, frozen=True):
    """Step 8. Join labels, index values, apply obligations, commit what raises a label; send `Observed`."""

    chunk: Chunk


class Release(msgspec.Struct, frozen=True):
    """Hand what was taken in to the agent; send `Released`."""

    chunk: Delivery


class Close(msgspec.Struct, frozen=True):
    """Step 9. Record the outcome, release lease and connection; send `Closed`."""

    outcome: CallOutcome


Need = (
    Identify | Bind | Describe | Decide | Record | Resume
    | Lease | Forward | Receive | Observe | Release | Close
)  # fmt: skip


class Bound(msgspec.Struct, frozen=True):
    """Answer to `Bind`: the driver's own handle on the live task."""

    handle: Any


class Recorded(msgspec.Struct, frozen=True):
    """Answer to `Record`."""


class Resumed(msgspec.Struct, frozen=True):
    """Answer to `Resume`: the request and decision of the call that goes on. `known` is what was released of
    it last, where it is too early to ask again.
    """

    request: AccessRequest
    decision: Decision
    known: Delivery | None = None


class Leased(msgspec.Struct, frozen=True):
    """Answer to `Lease`: the driver's own handle on credential and connection."""

    handle: Any


class Forwarded(msgspec.Struct, frozen=True):
    """Answer to `Forward`."""


class Observed(msgspec.Struct, frozen=True):
    """Answer to `Observe`: what may be released of the chunk, or `None` where it must be withheld."""

    chunk: Delivery | None


class Released(msgspec.Struct, frozen=True):
    """Answer to `Release`."""


class Closed(msgspec.Struct, frozen=True):
    """Answer to `Close`."""


class Refused(msgspec.Struct, frozen=True):
    """How a call ends that was denied or deferred."""

    request: AccessRequest
    decision: Decision


class Permitted(msgspec.Struct, frozen=True):
    """How a call ends that somebody else carries out: its permit is durable, and outside the fence from now
    on.
    """

    request: AccessRequest
    decision: Decision


class Answered(msgspec.Struct, frozen=True):
    """How a call ends that went upstream: its last chunk has been released."""

    request: AccessRequest
    decision: Decision
    outcome: CallOutcome


End = Refused | Permitted | Answered
Machine = Generator[Need, object, End]

_ANSWER: dict[type, type] = {
    Identify: Principal,
    Bind: Bound,
    Describe: AccessRequest,
    Decide: Decision,
    Record: Recorded,
    Resume: Resumed,
    Lease: Leased,
    Forward: Forwarded,
    Receive: Chunk,
    Observe: Observed,
    Release: Released,
    Close: Closed,
}


def step_of(need: Need) -> Step:
    """Return the step that a need belongs to."""
    return _STEP[type(need)]


_STEP: dict[type, Step] = {
    Identify: Step.IDENTIFY,
    Bind: Step.BIND,
    Describe: Step.DESCRIBE,
    Decide: Step.DECIDE,
    Record: Step.RECORD,
    Resume: Step.BIND,
    Lease: Step.LEASE,
    Forward: Step.FORWARD,
    Receive: Step.FORWARD,
    Observe: Step.OBSERVE,
    Release: Step.OBSERVE,
    Close: Step.CLOSE,
}


def _expect(need: Need, answer: object) -> Any:
    wanted = _ANSWER[type(need)]
    if type(answer) is not wanted:
        raise OutOfOrder(
            f"step {step_of(need).value} ({step_of(need).name.lower()}) returned {type(answer).__name__}, "
            f"not {wanted.__name__}"
        )
    return answer


def mediate() -> Machine:
    """Take one call through the nine steps.

    A fault is thrown into the generator by the driver at the need that failed. Before `Forward` it simply
    ends the call: nothing has happened. From `Forward` on the machine still closes the call, with the outcome
    that the fault leaves (`unknown` where the upstream may have acted), and then lets the fault go on.
    """
    return _path()


def answer() -> Machine:
    """Take one call through steps 1 to 5, for a door that only answers: somebody else carries it out."""
    return _path(elsewhere=True)


def resume() -> Machine:
    """Look after a call whose outcome its upstream has deferred: how it stands, or that it is to be
    cancelled.

    Nothing is decided again, for nothing more is asked of the upstream than was permitted; but who asks, the
    task and the fence are looked at as for every call, and what comes back is observed before it is released.
    """
    return _path(again=True)


def _path(*, elsewhere: bool = False, again: bool = False) -> Machine:
    """Go the way of one call; in one piece, since every answer would be handed through all pieces above."""
    need: Need = Identify()
    principal: Principal = _expect(need, (yield need))
    need = Bind(principal)
    bound: Bound = _expect(need, (yield need))
    request: AccessRequest
    decision: Decision
    if again:
        need = Resume(bound.handle)
        resumed: Resumed = _expect(need, (yield need))
        request, decision = resumed.request, resumed.decision
        if resumed.known is not None:
            need = Release(resumed.known)
            _expect(need, (yield need))
            return Answered(request, decision, _DEFERRED)
    else:
        need = Describe(bound.handle)
        request = _expect(need, (yield need))
        need = Decide(request)
        decision = _expect(need, (yield need))
        if elsewhere and decision.proceeds and decision.valid_until is None:
            raise OutOfOrder("step 4 (decide) permitted a call for an enforcement point without an expiry")
        need = Record(request, decision)
        _expect(need, (yield need))
        if not decision.proceeds:
            return Refused(request, decision)
        if elsewhere:
            return Permitted(request, decision)
    outcome, leased = _NOT_SENT, None
    try:
        need = Lease(request, decision)
        leased = _expect(need, (yield need))
        need = Forward(request, leased)
        _expect(need, (yield need))
        outcome = _UNKNOWN
        while True:
            need = Receive()
            chunk: Chunk = _expect(need, (yield need))
            last = chunk.last
            if last:
                outcome = _outcome(chunk)
            need = Observe(chunk)
            observed: Observed = _expect(need, (yield need))
            if observed.chunk is not None:
                need = Release(observed.chunk)
                _expect(need, (yield need))
            if last:
                break
    except GeneratorExit:
        raise
    except BaseException as fault:
        lost = leased is not None and (getattr(fault, "sent", False) or outcome is _DEFERRED)
        yield Close(_UNKNOWN if lost else outcome)
        raise
    need = Close(outcome)
    _expect(need, (yield need))
    return Answered(request, decision, outcome)


def _outcome(last: Chunk) -> CallOutcome:
    if last.kind is _ERROR:
        return _PROTOCOL_ERROR
    if last.deferred:
        return _DEFERRED
    if last.wants_input:
        return _INPUT_REQUIRED
    return _TOOL_ERROR if last.is_error else _OK
