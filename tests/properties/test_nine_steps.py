# SPDX-License-Identifier: Apache-2.0
"""What holds of the nine steps, for any answer of an upstream and a fault at any place.

`ScriptedSteps` itself refuses a value that the step before did not return, a chunk that is asked for before
the last one was observed, and any step after the call was let go of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.decisions.decision import Decision, Outcome
from remit.core.decisions.mediation import Answered, Chunk, Refused, Step, answer, mediate, resume
from remit.core.errors import Fenced, RemitError, UpstreamUnreachable
from remit.core.evidence.event import CallOutcome
from tests.samples.scripted_steps import (
    HANDLE,
    NOTE,
    NOW,
    RESULT,
    STEP_OF,
    ScriptedSteps,
    outcome_of,
    taken_in,
)

PATHS: dict[str, Callable[[ScriptedSteps], Coroutine[Any, Any, object]]] = {
    "mediate": mediate, "answer": answer, "resume": resume,
}  # fmt: skip
LAST = st.sampled_from([RESULT, msgspec.structs.replace(RESULT, is_error=True), HANDLE])
FAULTS: st.SearchStrategy[Callable[[], BaseException]] = st.sampled_from([
    lambda: Fenced("ended"), lambda: Fenced("ended", sent=True), asyncio.CancelledError,
    lambda: UpstreamUnreachable("lost", sent=True), ConnectionError, lambda: RuntimeError("a defect"),
])  # fmt: skip
DECISIONS = st.builds(
    Decision,
    id=st.just("dec_1"),
    outcome=st.sampled_from(Outcome),
    observed=st.booleans(),
    valid_until=st.just(NOW),
)
KNOWN = taken_in(msgspec.structs.replace(HANDLE, body=b"known"))


class Script(NamedTuple):
    """A path, the steps that it takes, and what is to fail in them: a method, or the turn of a step."""

    path: str
    steps: ScriptedSteps
    fails: str
    fault: BaseException | None


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """Return a script; what an agent may hold of its chunks differs from one to the next."""
    chunks = [*[NOTE] * draw(st.integers(0, 3)), draw(LAST)]
    chunks = [msgspec.structs.replace(one, body=str(at).encode()) for at, one in enumerate(chunks)]
    fails = draw(st.sampled_from([*STEP_OF, *(f"turn {step.value}" for step in Step)]))
    fault = draw(st.none() | FAULTS.map(lambda make: make()))
    if fault is not None and fails.startswith("turn"):
        # A turn only waits.
        fault = asyncio.CancelledError()
    steps = ScriptedSteps(
        chunks,
        decision=draw(DECISIONS),
        withheld=draw(st.frozensets(st.integers(0, 3))),
        known=draw(st.sampled_from([None, None, KNOWN])),
        fail_at=(fails, draw(st.integers(1, 4))),
        fault=fault,
        waits=draw(st.booleans()),
    )
    return Script(draw(st.sampled_from(list(PATHS))), steps, fails, fault)


def end_of(script: Script) -> object:
    """Return how a call ends: with a value, or with the fault that it raises."""
    try:
        return outcome_of(PATHS[script.path](script.steps))
    except BaseException as fault:  # noqa: BLE001 - it is looked at
        return fault


@given(scripts())
def test_steps_come_in_their_order_each_after_its_turn(script: Script) -> None:
    """The only way back is from a chunk that was taken in to the next one."""
    end_of(script)
    log, asked = script.steps.log, script.steps.asked
    for at, name in enumerate(log):
        if name in STEP_OF:
            assert log[at - 1] == f"turn {STEP_OF[name].value}"
    back = {pair for pair in pairwise(asked) if STEP_OF[pair[1]] < STEP_OF[pair[0]]}
    assert back <= {("release", "receive"), ("observe", "receive")}


@given(scripts())
def test_a_fault_ends_the_call_says_its_step_and_leaves_nothing_in_hand(script: Script) -> None:
    """The fault that was met is the one that is raised; nothing but the close is begun after it."""
    end, steps = end_of(script), script.steps
    assert (steps.begun, steps.gone) == (1, 1)
    if not steps.faults:
        assert not isinstance(end, BaseException)
        return
    assert end is script.fault
    assert set(steps.faults) == {end}
    rest = steps.log[len(steps.log) - 1 - steps.log[::-1].index(script.fails) + 1 :]
    assert rest in ([], ["turn 9", "close"])
    if isinstance(end, RemitError):
        assert end.step == STEP_OF[script.fails]


@given(scripts())
def test_nothing_goes_upstream_or_to_the_agent_before_the_decision_is_recorded(script: Script) -> None:
    """Nor without a permit, nor at an endpoint that only answers. Chunks are released as observed."""
    end, steps = end_of(script), script.steps
    recorded = "find" if script.path == "resume" else "record"
    outside = [name for name in steps.asked if STEP_OF[name] > Step.RECORD]
    if outside:
        assert script.path != "answer"
        assert recorded in steps.done
        assert steps.asked.index(recorded) < steps.asked.index(outside[0])
    assert not {"record", "refuse"} <= set(steps.asked)
    if isinstance(end, Refused):
        assert not end.decision.proceeds
        assert steps.done[-1] == "refuse"
    if "lease" in steps.asked:
        kept = [one for at, one in enumerate(steps.observed) if at not in steps.withheld]
        passed = [taken_in(one) for one in kept]
        assert steps.released in (passed, passed[:-1])
    else:
        assert steps.released in ([], [KNOWN])


@given(scripts())
def test_a_call_on_its_way_upstream_is_closed_once_with_what_is_known(script: Script) -> None:
    """From step 6 on there is one outcome: that of the last chunk, not sent, or unknown."""
    end, steps = end_of(script), script.steps
    on_its_way = "turn 6" in steps.log
    assert steps.log.count("turn 9") == int(on_its_way)
    if not steps.closed:
        assert not on_its_way or script.fails == "turn 9"
        return
    [outcome] = steps.closed
    fault = end if isinstance(end, BaseException) and script.fails not in ("turn 9", "close") else None
    sent, last = getattr(fault, "sent", False), steps.chunks[-1]
    if "forward" not in steps.done:
        expected = CallOutcome.UNKNOWN if sent and "lease" in steps.done else CallOutcome.NOT_SENT
    elif steps.done.count("receive") < len(steps.chunks) or (fault is not None and (sent or last.deferred)):
        expected = CallOutcome.UNKNOWN
    else:
        expected = outcome_told(last)
    assert outcome is expected
    assert not isinstance(end, Answered) or end.outcome is expected


@pytest.mark.parametrize("path", ["mediate", "resume"])
@pytest.mark.parametrize("at", range(1, 40))
def test_a_call_that_is_cancelled_wherever_it_waits_is_closed_and_let_go(path: str, at: int) -> None:
    """From step 6 on each cancellation still closes the call; before, there is nothing to close."""
    steps = ScriptedSteps([NOTE, RESULT], waits=True)
    begun = PATHS[path](steps)
    try:
        for _ in range(at):
            begun.send(None)
    except StopIteration:
        assert (steps.closed, steps.gone) == ([CallOutcome.OK], 1)
        return
    closing = "turn 9" in steps.log
    closed = list(steps.closed)
    with pytest.raises(asyncio.CancelledError):
        outcome_of(begun, asyncio.CancelledError())
    if closing:
        assert steps.closed == closed
    else:
        assert len(steps.closed) == int("turn 6" in steps.log)
    assert steps.gone == 1


def outcome_told(last: Chunk) -> CallOutcome:
    """Return the outcome that a last chunk tells of."""
    if last.deferred:
        return CallOutcome.DEFERRED
    return CallOutcome.TOOL_ERROR if last.is_error else CallOutcome.OK
