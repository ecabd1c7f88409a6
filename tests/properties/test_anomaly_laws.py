# SPDX-License-Identifier: Apache-2.0
"""Laws of anomalies: bounded, the same in any portions, and no flood hides what is more severe."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from remit.core.findings.anomalies_of_approvals import Questions, after_answer, after_question
from remit.core.findings.anomalies_of_calls import (
    MOST_PLACES,
    MOST_REFUSED,
    MOST_TOOLS,
    Habits,
    WatchedCall,
    anomalies_of,
)
from remit.core.findings.anomaly_rules import MOST_NAMED, AnomalyRules
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.identity.shared_identity import MAX_USES_EACH, PlaceOfUse, PlacesOfUse, overlapping

RULES = AnomalyRules(learning_s=10, learning_calls=5, volume_calls=20)
calls = st.lists(
    st.builds(
        WatchedCall,
        index=st.integers(0, 10**6),
        at=st.floats(0, 10**5),
        agent=st.just("clerk"),
        tool=st.sampled_from([f"desk/{number}" for number in range(30)]),
        permitted=st.booleans(),
        effect=st.sampled_from(["none", "reversible", "irreversible"]),
        external=st.booleans(),
        places=st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), max_size=3).map(tuple),
        times=st.integers(1, 50),
    ),
    max_size=80,
)


def kept(habits: Habits) -> Habits:
    """Return habits as the store gives them back."""
    written = msgspec.json.encode(msgspec.to_builtins(habits, str_keys=True))
    return msgspec.convert(msgspec.json.decode(written), Habits, str_keys=True)


@given(calls)
def test_anomalies_do_not_depend_on_when_habits_are_stored(made: list[WatchedCall]) -> None:
    """Stored after each call, or after all: the same anomalies."""
    once, often = Habits(since=0, last=0), Habits(since=0, last=0)
    for call in made:
        expected = anomalies_of(once, call, RULES)
        often = kept(often)
        assert anomalies_of(often, call, RULES) == expected
    assert kept(often) == kept(once)


@given(calls)
def test_no_agent_gets_more_findings_than_its_share(made: list[WatchedCall]) -> None:
    """For each kind and severity `own_findings` in a week, and one for all others."""
    habits = Habits(since=0, last=0)
    found: dict[tuple[FindingKind, Severity], set[str]] = {}
    for call in made:
        for one in anomalies_of(habits, call, RULES):
            found.setdefault((one.kind, one.severity), set()).add(one.which)
            assert one.says
            assert 0 < len(one.events) <= MOST_NAMED
            assert one.events[-1] == call.index
    assert all(len(which) <= RULES.own_findings + 1 for which in found.values())


@given(calls)
def test_a_refused_call_teaches_nothing(made: list[WatchedCall]) -> None:
    """Neither tools nor places nor volume."""
    habits = Habits(since=0, last=0)
    for call in made:
        anomalies_of(habits, msgspec.structs.replace(call, permitted=False), RULES)
    assert (habits.calls, habits.tools, habits.places, habits.busiest) == (0, {}, {}, {})


def test_an_agent_that_rested_is_not_free_to_flood() -> None:
    """After four weeks without work its usual hours are forgotten, and any number of calls is unusual."""
    habits = Habits(since=0, last=0)
    times = [day * 86_400 + 3_600.0 * hour for day in range(9) for hour in range(20)]
    times += [60 * 86_400 + float(second) for second in range(40)]
    found = [
        one.kind
        for number, at in enumerate(times)
        for one in anomalies_of(
            habits, WatchedCall(index=number, at=at, agent="clerk", tool="desk/1", permitted=True), RULES
        )
    ]
    assert found == [FindingKind.UNUSUAL_VOLUME]


def test_habits_are_bounded_and_what_is_dropped_is_new_again() -> None:
    """A flood of tools, places and refusals does not grow the habits, and unknown means found."""
    habits = Habits(since=0, last=0)
    for number in range(3000):
        call = WatchedCall(
            index=number,
            at=float(number),
            agent="clerk",
            tool=f"desk/{number}",
            permitted=number % 2 == 0,
            places=((f"mark {number}", f"{number}.example"),),
        )
        anomalies_of(habits, call, RULES)
    assert len(habits.tools) == MOST_TOOLS
    assert len(habits.places) == MOST_PLACES
    assert len(habits.refused) <= MOST_REFUSED
    assert len(msgspec.json.encode(msgspec.to_builtins(habits, str_keys=True))) < 100_000
    again = WatchedCall(index=1, at=9e6, agent="clerk", tool="desk/0", permitted=True)
    assert [one.kind for one in anomalies_of(habits, again, RULES)] == [FindingKind.NEW_TOOL]


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.floats(0, 30)), max_size=60))
def test_an_approver_with_a_slow_or_refusing_answer_in_ten_is_not_quick(
    answers: list[tuple[int, bool, float]],
) -> None:
    """Whatever the order of the answers."""
    known, now = Questions(), 0.0
    last: list[bool] = []
    for number, (asked, yes, pause) in enumerate(answers):
        after_question(known, str(asked), "clerk", now, number, RULES)
        now += pause
        last = [*last, yes and pause <= RULES.quick_s][-RULES.quick_answers :]
        found = after_answer(known, str(asked), "omar", yes, now, number, RULES)
        quick = any(one.which == "quick" for one in found)
        # A question may be asked again while it is open, and the answer before may be the shorter look.
        assert not quick or (len(last) == RULES.quick_answers and all(last))


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 900)), max_size=20))
def test_one_place_after_the_other_is_a_move(seen: list[tuple[str, float]]) -> None:
    """Where all uses at one place come before those at the other, whichever process saw them."""
    ordered = sorted(seen, key=lambda one: one[0])
    times = sorted(at for _, at in seen)
    uses = [
        PlaceOfUse("shared-token", "t", "agent:clerk", place, at, at)
        for (place, _), at in zip(ordered, times, strict=True)
    ]
    assert list(overlapping(uses, 0.0)) == []


def test_an_agent_with_many_tokens_displaces_only_its_own() -> None:
    """A flood by one agent hides no token of another."""
    uses = PlacesOfUse()
    uses.note("shared-token", "other's", "agent:other", "address 10.0.0.1", 0.0)
    for number in range(5000):
        uses.note("shared-token", str(number), "agent:clerk", "address 10.0.0.2", 1.0)
    recent = uses.recent(0.0)
    assert len(recent) == 1 + MAX_USES_EACH
    assert any(one.about == "agent:other" for one in recent)


def test_invented_names_do_not_make_a_refused_tool_forgotten() -> None:
    """Refused often, and then permitted: found, whatever names were tried in between."""
    habits, index = Habits(since=0, last=0), 0
    for _ in range(RULES.refusals_before_permit):
        anomalies_of(
            habits, WatchedCall(index=index, at=1, agent="a", tool="desk/pay", permitted=False), RULES
        )
        index += 1
    for number in range(3 * MOST_REFUSED):
        invented = WatchedCall(
            index=index, at=2, agent="a", tool=f"desk/x{number}", permitted=False, described=False
        )
        anomalies_of(habits, invented, RULES)
        index += 1
    assert len(habits.refused) == MOST_REFUSED
    call = WatchedCall(index=index, at=3, agent="a", tool="desk/pay", permitted=True)
    assert FindingKind.REFUSED_RETRIED in {one.kind for one in anomalies_of(habits, call, RULES)}
