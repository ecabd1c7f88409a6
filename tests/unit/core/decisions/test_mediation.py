# SPDX-License-Identifier: Apache-2.0
"""The nine steps: their order, what a refusal skips, and what a fault leaves behind."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from remit.core.decisions.decision import Decision, Outcome
from remit.core.decisions.mediation import (
    Answered,
    Chunk,
    ChunkKind,
    NineSteps,
    Permitted,
    Refused,
    Step,
    answer,
    mediate,
    resume,
)
from remit.core.errors import Fenced, OutOfOrder, UpstreamUnreachable
from remit.core.evidence.event import CallOutcome
from tests.samples.scripted_steps import (
    HANDLE,
    NOTE,
    NOW,
    PERMIT,
    RESULT,
    STEP_OF,
    FromBind,
    FromDecide,
    FromDescribe,
    FromForward,
    FromIdentify,
    FromLease,
    FromRecord,
    ScriptedSteps,
    outcome_of,
    taken_in,
)

ALL = [
    "identify", "bind", "describe", "decide", "record", "lease", "forward", "receive", "observe", "release",
    "close",
]  # fmt: skip
REFUSED = [*ALL[:4], "refuse"]


def decision(outcome: Outcome, *, observed: bool = False) -> Decision:
    """Return a decision with this outcome."""
    return Decision(id="dec_1", outcome=outcome, observed=observed)


def test_a_permitted_call_takes_the_nine_steps_in_order() -> None:
    """A permitted call goes through steps 1 to 9 without leaving one out or turning back."""
    steps = ScriptedSteps()
    end = outcome_of(mediate(steps))
    assert steps.asked == ALL
    assert list(dict.fromkeys(STEP_OF[name] for name in steps.asked)) == list(Step)
    assert isinstance(end, Answered)
    assert end.outcome is CallOutcome.OK


@pytest.mark.parametrize("outcome", [Outcome.DENY, Outcome.DEFER])
def test_a_refused_call_is_recorded_and_goes_no_further(outcome: Outcome) -> None:
    """A denied or deferred call ends after step 5: nothing is leased or forwarded."""
    steps = ScriptedSteps(decision=decision(outcome))
    end = outcome_of(mediate(steps))
    assert steps.asked == REFUSED
    assert isinstance(end, Refused)
    assert end.decision.outcome is outcome


def test_a_refusal_in_observe_mode_is_recorded_and_goes_on() -> None:
    """Under observe mode the refusal is recorded and the call is forwarded all the same."""
    steps = ScriptedSteps(decision=decision(Outcome.DENY, observed=True))
    assert isinstance(outcome_of(mediate(steps)), Answered)
    assert steps.asked == ALL


def test_an_endpoint_that_only_answers_stops_after_step_5() -> None:
    """A permit for another program ends once it is recorded: nothing is leased, forwarded or closed."""
    permit = msgspec.structs.replace(PERMIT, valid_until=NOW)
    steps = ScriptedSteps(decision=permit)
    end = outcome_of(answer(steps))
    assert steps.asked == ALL[:5]
    assert isinstance(end, Permitted)
    assert end.decision == permit
    assert (steps.begun, steps.gone) == (1, 1)


def test_a_refusal_of_an_endpoint_that_only_answers_is_recorded() -> None:
    """A refusal needs no end: it is recorded as any other."""
    steps = ScriptedSteps(decision=decision(Outcome.DENY))
    assert isinstance(outcome_of(answer(steps)), Refused)
    assert steps.asked == REFUSED


def test_a_permit_for_another_program_without_an_end_is_never_recorded() -> None:
    """INVARIANT: the program that carries a call out knows until when its permit counts."""
    steps = ScriptedSteps()
    with pytest.raises(OutOfOrder):
        outcome_of(answer(steps))
    assert steps.asked == ALL[:4]
    assert steps.gone == 1


async def out_of_order(
    steps: NineSteps[FromIdentify, FromBind, FromDescribe, FromDecide, FromRecord, FromLease, FromForward],
) -> None:
    """Hold that the type checker refuses disorder: it reports each of these lines that has no fault."""
    identified = await steps.identify()
    await steps.describe(identified)  # type: ignore[arg-type]
    bound = await steps.bind(identified)
    await steps.decide(bound)  # type: ignore[arg-type]
    described = await steps.describe(bound)
    await steps.record(described)  # type: ignore[arg-type]
    decided = await steps.decide(described)
    await steps.lease(decided)  # type: ignore[arg-type]
    await steps.close(decided, CallOutcome.OK)  # type: ignore[arg-type]
    recorded = await steps.record(decided)
    await steps.forward(recorded)  # type: ignore[arg-type]
    await steps.receive(recorded)  # type: ignore[arg-type]
    leased = await steps.lease(recorded)
    await steps.receive(leased)  # type: ignore[arg-type]
    forwarded = await steps.forward(leased)
    chunk = await steps.receive(forwarded)
    await steps.release(recorded, chunk)  # type: ignore[arg-type]


def test_every_chunk_is_observed_before_it_is_released() -> None:
    """Nothing is released that was not observed first, and each chunk is observed once."""
    steps = ScriptedSteps([NOTE, NOTE, RESULT])
    outcome_of(mediate(steps))
    assert steps.asked[7:] == ["receive", "observe", "release"] * 3 + ["close"]


def test_a_withheld_chunk_is_not_released() -> None:
    """A chunk that observation withholds never reaches the agent."""
    steps = ScriptedSteps([NOTE, RESULT], withheld=frozenset({0}))
    outcome_of(mediate(steps))
    assert steps.released == [taken_in(RESULT)]


@pytest.mark.parametrize("name", ALL[:5])
def test_a_fault_before_the_lease_ends_the_call_with_nothing_to_close(name: str) -> None:
    """A fault in steps 1 to 5 is raised again, and no further step is asked for."""
    steps = ScriptedSteps(fail_at=(name, 1), fault=Fenced("ended"))
    with pytest.raises(Fenced) as told:
        outcome_of(mediate(steps))
    assert steps.asked == ALL[: ALL.index(name) + 1]
    assert told.value.step == STEP_OF[name]
    assert steps.gone == 1


@pytest.mark.parametrize(
    ("name", "fault", "outcome"),
    [
        ("lease", UpstreamUnreachable("down"), CallOutcome.NOT_SENT),
        ("forward", Fenced("ended"), CallOutcome.NOT_SENT),
        ("forward", UpstreamUnreachable("lost", sent=True), CallOutcome.UNKNOWN),
        ("receive", UpstreamUnreachable("lost", sent=True), CallOutcome.UNKNOWN),
        ("receive", Fenced("ended", sent=True), CallOutcome.UNKNOWN),
        ("receive", asyncio.CancelledError(), CallOutcome.UNKNOWN),
        ("observe", RuntimeError("bug"), CallOutcome.OK),
        ("release", ConnectionError("gone"), CallOutcome.OK),
    ],
)
def test_a_fault_after_the_record_closes_the_call_with_what_is_known(
    name: str, fault: BaseException, outcome: CallOutcome
) -> None:
    """After step 5 a fault still closes the call: not sent, unknown, or what the upstream had already
    said.
    """
    steps = ScriptedSteps(fail_at=(name, 1), fault=fault)
    with pytest.raises(type(fault)):
        outcome_of(mediate(steps))
    assert steps.asked == [*ALL[: ALL.index(name) + 1], "close"]
    assert steps.closed == [outcome]


def test_a_fault_is_known_before_the_call_is_closed() -> None:
    """Step 9 can say what ended the call."""

    class Watched(ScriptedSteps):
        async def close(self, recorded: FromRecord, outcome: CallOutcome) -> None:
            known.extend(self.faults)
            await super().close(recorded, outcome)

    known: list[BaseException] = []
    fault = Fenced("ended", sent=True)
    with pytest.raises(Fenced):
        outcome_of(mediate(Watched(fail_at=("receive", 1), fault=fault)))
    assert known == [fault]


def test_a_fault_that_says_its_step_keeps_it() -> None:
    """What arose at another step than the one that was under way is told with that step."""
    steps = ScriptedSteps(fail_at=("describe", 1), fault=Fenced("ended", step=2))
    with pytest.raises(Fenced) as told:
        outcome_of(mediate(steps))
    assert told.value.step == Step.BIND


def test_a_fault_of_the_close_ends_the_call_and_is_not_closed_again() -> None:
    """It is raised with step 9, and all is given back."""
    steps = ScriptedSteps(fail_at=("close", 1), fault=Fenced("ended"))
    with pytest.raises(Fenced) as told:
        outcome_of(mediate(steps))
    assert told.value.step == Step.CLOSE
    assert steps.closed == [CallOutcome.OK]
    assert steps.gone == 1


@pytest.mark.parametrize(
    ("chunk", "outcome"),
    [
        (RESULT, CallOutcome.OK),
        (msgspec.structs.replace(RESULT, is_error=True), CallOutcome.TOOL_ERROR),
        (msgspec.structs.replace(RESULT, wants_input=True), CallOutcome.INPUT_REQUIRED),
        (Chunk(ChunkKind.ERROR, b"{}"), CallOutcome.PROTOCOL_ERROR),
    ],
)
def test_the_last_chunk_decides_the_outcome(chunk: Chunk, outcome: CallOutcome) -> None:
    """A result, a tool's own error, a question and a protocol error are told apart."""
    steps = ScriptedSteps([chunk])
    end = outcome_of(mediate(steps))
    assert isinstance(end, Answered)
    assert end.outcome is outcome
    assert steps.closed == [outcome]


def test_a_call_that_is_dropped_asks_for_nothing_more() -> None:
    """Closing the coroutine in the middle of a call neither hangs nor asks for a further step."""
    steps = ScriptedSteps(waits=True)
    path = mediate(steps)
    while steps.asked[-1:] != ["receive"]:
        path.send(None)
    path.close()
    assert steps.asked == ALL[:8]
    assert steps.gone == 1


# Calls that go on.


def test_a_call_may_end_with_a_handle() -> None:
    """Where the upstream goes on, that is what is closed with, and it is no outcome."""
    steps = ScriptedSteps([HANDLE])
    end = outcome_of(mediate(steps))
    assert steps.asked == ALL
    assert isinstance(end, Answered)
    assert end.outcome is CallOutcome.DEFERRED


@pytest.mark.parametrize("name", ["observe", "release"])
def test_a_handle_that_the_agent_did_not_get_leaves_the_outcome_unknown(name: str) -> None:
    """A call that goes on and whose handle could not be handed out has not simply failed."""
    steps = ScriptedSteps([HANDLE], fail_at=(name, 1), fault=ConnectionError("gone"))
    with pytest.raises(ConnectionError):
        outcome_of(mediate(steps))
    assert steps.closed == [CallOutcome.UNKNOWN]


def test_a_look_decides_nothing_and_skips_no_other_step() -> None:
    """Who asks, the task, the credential, the fence and what comes are looked at; the permit is taken up."""
    steps = ScriptedSteps()
    end = outcome_of(resume(steps))
    assert steps.asked == ["identify", "bind", "find", *ALL[5:]]
    assert end.outcome is CallOutcome.OK
    assert (steps.begun, steps.gone) == (1, 1)


def test_a_look_that_comes_too_early_is_told_what_is_known() -> None:
    """The upstream is not asked; who asks and the task are looked at all the same."""
    steps = ScriptedSteps(known=taken_in(HANDLE))
    end = outcome_of(resume(steps))
    assert steps.asked == ["identify", "bind", "find", "release"]
    assert end.outcome is CallOutcome.DEFERRED
    assert steps.released == [taken_in(HANDLE)]
