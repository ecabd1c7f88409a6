# SPDX-License-Identifier: Apache-2.0
"""The nine steps as a machine: their order, what a refusal skips, and what a fault leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision, Outcome
from remit.core.decisions.mediation import (
    Answered,
    Bind,
    Bound,
    Chunk,
    ChunkKind,
    Close,
    Closed,
    Decide,
    Delivery,
    Describe,
    Forward,
    Forwarded,
    Identify,
    Lease,
    Leased,
    Machine,
    Need,
    Observe,
    Observed,
    Permitted,
    Receive,
    Record,
    Recorded,
    Refused,
    Release,
    Released,
    Resume,
    Resumed,
    Step,
    answer,
    mediate,
    resume,
    step_of,
)
from remit.core.errors import Fenced, OutOfOrder, UpstreamUnreachable
from remit.core.evidence.event import CallOutcome
from remit.core.identity.principals import Agent, Principal
from remit.core.label import Label
from remit.core.tasks.task import Intent, Task
from remit.core.tools.tool import Tier, Tool

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PRINCIPAL = Principal(tenant="default", agent="contract-bot")
RESULT = Chunk(ChunkKind.RESULT, b"{}")
NOTE = Chunk(ChunkKind.NOTIFICATION, b"{}", method="notifications/progress")


def taken(chunk: Chunk) -> Delivery:
    """Return a chunk as whoever has taken it in would release it."""
    return Delivery(**{name: getattr(chunk, name) for name in chunk.__struct_fields__})


def request() -> AccessRequest:
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
        principal=PRINCIPAL,
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


def decision(outcome: Outcome = Outcome.PERMIT, *, observed: bool = False) -> Decision:
    """Return a decision with this outcome."""
    return Decision(id="dec_1", outcome=outcome, observed=observed)


ANSWERS: dict[type, Any] = {
    Identify: PRINCIPAL,
    Bind: Bound("live"),
    Describe: request(),
    Decide: decision(),
    Record: Recorded(),
    Resume: Resumed(request(), decision()),
    Lease: Leased("connection"),
    Forward: Forwarded(),
    Receive: RESULT,
    Observe: Observed(taken(RESULT)),
    Release: Released(),
    Close: Closed(),
}


def drive(
    answers: dict[type, Any],
    fail_at: type | None = None,
    fault: BaseException | None = None,
    *,
    begin: Callable[[], Machine] = mediate,
) -> tuple[list[Need], Any]:
    """Drive a machine to its end; gives the needs in order, and how it ended."""
    machine: Generator[Need, object, Any] = begin()
    need = next(machine)
    seen = [need]
    try:
        while True:
            if fail_at is type(need) and fault is not None:
                fail_at = None
                need = machine.throw(fault)
            else:
                given = answers[type(need)]
                need = machine.send(given.pop(0) if isinstance(given, list) else given)
            seen.append(need)
    except StopIteration as stop:
        return seen, stop.value


def kinds(needs: list[Need]) -> list[type]:
    """Return the kinds of needs."""
    return [type(need) for need in needs]


def test_a_permitted_call_takes_the_nine_steps_in_order() -> None:
    """A permitted call goes through steps 1 to 9 without leaving one out or turning back."""
    needs, end = drive(ANSWERS)
    steps = [step_of(need) for need in needs]
    assert steps == sorted(steps)
    assert set(steps) == set(Step)
    assert isinstance(end, Answered)
    assert end.outcome is CallOutcome.OK


@pytest.mark.parametrize("outcome", [Outcome.DENY, Outcome.DEFER])
def test_a_refused_call_is_recorded_and_goes_no_further(outcome: Outcome) -> None:
    """A denied or deferred call ends after step 5: nothing is leased or forwarded."""
    needs, end = drive({**ANSWERS, Decide: decision(outcome)})
    assert kinds(needs) == [Identify, Bind, Describe, Decide, Record]
    assert isinstance(end, Refused)


def test_a_refusal_in_observe_mode_is_recorded_and_goes_on() -> None:
    """Under observe mode the refusal is recorded and the call is forwarded all the same."""
    needs, end = drive({**ANSWERS, Decide: decision(Outcome.DENY, observed=True)})
    assert Forward in kinds(needs)
    assert isinstance(end, Answered)


def test_a_door_that_only_answers_stops_after_step_5() -> None:
    """A permit for somebody else ends once it is recorded: nothing is leased, forwarded or closed."""
    permit = msgspec.structs.replace(decision(), valid_until=NOW)
    needs, end = drive({**ANSWERS, Decide: permit}, begin=answer)
    assert kinds(needs) == [Identify, Bind, Describe, Decide, Record]
    assert isinstance(end, Permitted)
    assert end.decision == permit


def test_a_refusal_of_a_door_that_only_answers_is_recorded() -> None:
    """A refusal needs no end: it is recorded as any other."""
    needs, end = drive({**ANSWERS, Decide: decision(Outcome.DENY)}, begin=answer)
    assert kinds(needs)[-1] is Record
    assert isinstance(end, Refused)


def test_a_permit_for_somebody_else_without_an_end_is_never_recorded() -> None:
    """INVARIANT: whoever carries a call out knows until when its permit counts."""
    with pytest.raises(OutOfOrder):
        drive(ANSWERS, begin=answer)


@pytest.mark.parametrize("kind", list(ANSWERS))
def test_a_need_takes_only_its_own_answer(kind: type) -> None:
    """An answer that belongs to another step is out of order, whatever the step."""
    for other, wrong in ANSWERS.items():
        if type(wrong) is type(ANSWERS[kind]):
            continue
        with pytest.raises(OutOfOrder):
            drive({**ANSWERS, kind: wrong}, begin=resume if kind is Resume else mediate)
        assert other is not kind


def test_every_chunk_is_observed_before_it_is_released() -> None:
    """Nothing is released that was not observed first, and each chunk is observed once."""
    answers = {
        **ANSWERS,
        Receive: [NOTE, NOTE, RESULT],
        Observe: [Observed(taken(NOTE)), Observed(taken(NOTE)), Observed(taken(RESULT))],
    }
    needs, _ = drive(answers)
    tail = kinds(needs)[kinds(needs).index(Receive) :]
    assert tail == [Receive, Observe, Release] * 3 + [Close]


def test_a_withheld_chunk_is_not_released() -> None:
    """A chunk that observation withholds never reaches the agent."""
    needs, _ = drive({**ANSWERS, Receive: [NOTE, RESULT], Observe: [Observed(None), Observed(taken(RESULT))]})
    assert [need.chunk for need in needs if isinstance(need, Release)] == [taken(RESULT)]


@pytest.mark.parametrize("kind", [Identify, Bind, Describe, Decide, Record])
def test_a_fault_before_the_lease_ends_the_call_with_nothing_to_close(kind: type) -> None:
    """A fault in steps 1 to 5 is raised again, and no further step is asked for."""
    with pytest.raises(Fenced):
        drive(ANSWERS, kind, Fenced("ended"))


@pytest.mark.parametrize(
    ("kind", "fault", "outcome"),
    [
        (Lease, UpstreamUnreachable("down"), CallOutcome.NOT_SENT),
        (Forward, Fenced("ended"), CallOutcome.NOT_SENT),
        (Forward, UpstreamUnreachable("lost", sent=True), CallOutcome.UNKNOWN),
        (Receive, UpstreamUnreachable("lost", sent=True), CallOutcome.UNKNOWN),
        (Receive, Fenced("ended", sent=True), CallOutcome.UNKNOWN),
        (Observe, RuntimeError("bug"), CallOutcome.OK),
    ],
)
def test_a_fault_after_the_record_closes_the_call_with_what_is_known(
    kind: type, fault: BaseException, outcome: CallOutcome
) -> None:
    """After step 5 a fault still closes the call: not sent, unknown, or what the upstream had already
    said.
    """
    machine = mediate()
    need = next(machine)
    while type(need) is not kind:
        need = machine.send(ANSWERS[type(need)])
    closing = machine.throw(fault)
    assert closing == Close(outcome)
    with pytest.raises(type(fault)):
        machine.send(Closed())


@pytest.mark.parametrize(
    ("chunk", "outcome"),
    [
        (RESULT, CallOutcome.OK),
        (msgspec.structs.replace(RESULT, is_error=True), CallOutcome.TOOL_ERROR),
        (Chunk(ChunkKind.ERROR, b"{}"), CallOutcome.PROTOCOL_ERROR),
    ],
)
def test_the_last_chunk_decides_the_outcome(chunk: Chunk, outcome: CallOutcome) -> None:
    """A result, a tool's own error and a protocol error are told apart."""
    _, end = drive({**ANSWERS, Receive: chunk, Observe: Observed(taken(chunk))})
    assert end.outcome is outcome


def test_a_machine_that_is_dropped_asks_for_nothing_more() -> None:
    """Closing the generator in the middle of a call neither hangs nor asks for a further step."""
    machine = mediate()
    need = next(machine)
    while not isinstance(need, Receive):
        need = machine.send(ANSWERS[type(need)])
    machine.close()


# Calls that go on.

HANDLE = Chunk(ChunkKind.RESULT, b"{}", deferred=True)


def test_a_call_may_end_with_a_handle() -> None:
    """Where the upstream goes on, that is what is closed with, and it is no outcome."""
    needs, end = drive({**ANSWERS, Receive: HANDLE, Observe: Observed(taken(HANDLE))})
    assert kinds(needs)[-3:] == [Observe, Release, Close]
    assert end.outcome is CallOutcome.DEFERRED


@pytest.mark.parametrize("where", [Observe, Release])
def test_a_handle_that_nobody_got_leaves_the_outcome_unknown(where: type) -> None:
    """A call that goes on and whose handle could not be handed out has not simply failed."""
    seen: list[Need] = []

    def watched() -> Machine:
        machine = mediate()
        need = next(machine)
        while True:
            seen.append(need)
            try:
                given = yield need
            except ConnectionError as fault:
                need = machine.throw(fault)
            else:
                need = machine.send(given)

    with pytest.raises(ConnectionError):
        drive(
            {**ANSWERS, Receive: HANDLE, Observe: Observed(taken(HANDLE))},
            where,
            ConnectionError("gone"),
            begin=watched,
        )
    assert seen[-1] == Close(CallOutcome.UNKNOWN)


def test_a_look_decides_nothing_and_skips_no_other_step() -> None:
    """Who asks, the task, the credential, the fence and what comes are looked at; the permit is taken up."""
    needs, end = drive(ANSWERS, begin=resume)
    assert kinds(needs) == [Identify, Bind, Resume, Lease, Forward, Receive, Observe, Release, Close]
    assert isinstance(end, Answered)


def test_a_look_that_comes_too_early_is_told_what_is_known() -> None:
    """The upstream is not asked; who asks and the task are looked at all the same."""
    early = {**ANSWERS, Resume: Resumed(request(), decision(), taken(HANDLE))}
    needs, end = drive(early, begin=resume)
    assert kinds(needs) == [Identify, Bind, Resume, Release]
    assert end.outcome is CallOutcome.DEFERRED
