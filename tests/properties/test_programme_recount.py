# SPDX-License-Identifier: Apache-2.0
"""The figures of an initiative from SQL are those that counting event by event gives, for any log."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from remit.cli.assess.initiatives import assess_all
from remit.core.controls.programme import Initiative
from remit.core.evidence.event import timestamp
from remit.core.evidence.programme_tally import ProgrammeTally
from remit.core.evidence.selection import SignedLog
from tests.worlds.control_logs import event, tables_of

Json = Any
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
AGENTS = ("clerk", "other", "stray")
TOOLS = ("desk/read", "desk/pay", "remit/plan")
INITIATIVES = (Initiative(name="desk", agents=("clerk",)), Initiative(name="idle", acts=True))
#: Each example makes tables; shrinking one takes minutes.
FAST = (Phase.explicit, Phase.reuse, Phase.generate)
LOG = SignedLog(origin="remit/default", verifier="", size=0, note="")

decisions = st.fixed_dictionaries(
    {
        "tool": st.sampled_from(TOOLS),
        "outcome": st.sampled_from(["permit", "permit", "deny", "defer"]),
        "tier": st.sampled_from(["conversation", "assistant", "operator", "autonomous"]),
        "effect": st.sampled_from(["none", "reversible"]),
        "assurance": st.sampled_from(["key-bound", "attested", "asserted"]),
        "observed": st.booleans(),
    }
)
times = st.sampled_from([-1, 0, 70, 5_000, 900_000])
closures = st.fixed_dictionaries(
    {
        "fence_us": st.sampled_from([0, 40, 1_500]),
        "indeterminate": st.sampled_from([[], [], ["dec_1"]]),
        "closings": st.lists(st.tuples(st.just("token"), st.just("t"), times).map(list), max_size=2),
        "acknowledged": st.lists(st.tuples(st.just("replica"), times).map(list), max_size=1),
        "tasks": st.integers(0, 1),
    }
)
tasks = st.fixed_dictionaries(
    {
        "agent": st.sampled_from(AGENTS),
        "tools": st.lists(st.sampled_from(TOOLS), unique=True, max_size=3),
        "opened": st.integers(0, 20 * 86_400_000),
        "lasts": st.integers(1_000, 3 * 86_400_000),
        "ends": st.booleans(),
        "decisions": st.lists(decisions, max_size=4),
        "counted": st.integers(0, 3),
        "answers": st.lists(st.sampled_from(["approved", "denied", "narrowed", "expired", ""]), max_size=3),
        "closure": st.none() | closures,
        "scope": st.sampled_from(["task", "agent", "person"]),
    }
)


def _events(work: list[Json]) -> list[dict[str, Json]]:
    """Return the events of these tasks in the order of their times."""
    found: list[tuple[int, dict[str, Json]]] = [
        (0, event("agent.registered", agent="other", owner="lena", initiative="helpers")),
        (0, event("agent.registered", agent="clerk", owner="lena", initiative="")),
    ]
    for number, one in enumerate(work):
        at, mine = one["opened"], {"task": f"tsk_{number}", "agent": one["agent"]}
        found.append((at, event("task.opened", tools=one["tools"], **mine)))
        step = one["lasts"] // 20
        for place, decided in enumerate(one["decisions"]):
            found.append((at + place * step, event("decision.made", **decided, **mine)))
        if one["counted"]:
            found.append((at + 5 * step, event("decision.counted", count=one["counted"], **mine)))
        for place, answer in enumerate(one["answers"]):
            approval = {"approval": f"apr_{number}_{place}", "tool": "desk/pay"} | mine
            found.append((at + 6 * step, event("approval.requested", **approval)))
            if answer:
                found.append((at + (7 + place) * step, event("approval.decided", state=answer, **approval)))
        if one["ends"]:
            found.append((at + one["lasts"], event("task.ended", state="completed", **mine)))
        if one["closure"] is not None:
            name = {"task": mine["task"], "agent": one["agent"], "person": "lena"}[one["scope"]]
            closed = event("closure.made", scope=f"{one['scope']}:{name}", **one["closure"])
            found.append((at + one["lasts"] + 1, closed))
    found.sort(key=lambda each: each[0])
    return [one | {"at": timestamp(BEGIN + timedelta(milliseconds=ms))} for ms, one in found]


@settings(deadline=None, max_examples=10, phases=FAST, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(tasks, max_size=6))
def test_each_number_equals_a_recount(work: list[Json]) -> None:
    """Crossing, tier, identity, permissions, ends, hours and friction, of each initiative."""
    events = _events(work)
    tally = ProgrammeTally(INITIATIVES)
    for index, one in enumerate(events):
        record = {**one, "facts": json.loads(json.dumps(one["facts"]))}
        tally.add(index, one["kind"], record)
    with tempfile.TemporaryDirectory() as folder:
        tables = tables_of(Path(folder), *events)
        told = {one.initiative.name: one for one in assess_all(INITIATIVES, tables, LOG, 30 * 86_400).answers}
        tables.close()
    counted = {one.initiative.name: one for one in tally.figures()}
    assert set(told) == set(counted)
    for name, answer in told.items():
        other = counted[name]
        assert set(answer.initiative.agents) == set(other.initiative.agents)
        assert _crossing(answer) == _crossing(other)
        assert (answer.tier, answer.tier_index) == (other.tier, other.tier_index)
        assert answer.proven.measured.count == other.proven
        assert answer.justified.measured.count == other.justified
        assert answer.gone == other.gone
        assert [each.day for each in answer.hours][-30:] == [each.day for each in other.hours]
        hours = [each.hours for each in other.hours]
        assert [each.hours for each in answer.hours][-30:] == pytest.approx(hours)
        mine, theirs = answer.friction, other.friction
        assert (mine.calls, mine.questions, mine.answered, mine.median_s, mine.overturned) == (
            theirs.calls,
            theirs.questions,
            theirs.answered,
            theirs.median_s,
            theirs.overturned,
        )
        assert mine.waited_s == pytest.approx(theirs.waited_s)


def _crossing(one: Json) -> Json:
    at = one.crossing
    return None if at is None else (at.index, at.at[:19], at.agent, at.tool, at.effect, at.observed)
