# SPDX-License-Identifier: Apache-2.0
"""What counters keep of calls, and what it comes to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from remit.core.json_value import Json
from remit.core.label import Audience
from remit.core.tasks.history import (
    MAX_ENTRIES,
    MAX_ITEMS,
    MOST,
    SPANS,
    UNCOUNTED,
    CountedCall,
    CountedOutcome,
    CountOf,
    FamilyHistory,
    HistoryCounter,
    HistoryEntry,
    Unreadable,
    entries_of,
    merged,
)
from remit.core.tools.tool import Effect, Tool

SEND = Tool(upstream="mail", name="send", effect=Effect.IRREVERSIBLE, audience=Audience("external"))
PERMITTED = {CountedOutcome.PERMITTED}


def counter(of: CountOf = CountOf.CALLS, **more: Any) -> HistoryCounter:
    """Return a counter of everything."""
    return HistoryCounter(**{"name": "it", "of": of} | more)


def call(at_ms: int = 0, task: str = "one", tool: Tool = SEND, **arguments: Json) -> CountedCall:
    """Return a call of the family."""
    return CountedCall("family", task, tool, arguments, at_ms)


class Told:
    """One counter of one family."""

    def __init__(self, one: HistoryCounter) -> None:
        self.counter = one
        self.history = FamilyHistory("family", [])
        self.entries: list[HistoryEntry] = []

    def make(self, made: CountedCall) -> None:
        """Count a call."""
        entries = entries_of([self.counter], made, PERMITTED)
        self.entries += self.history.bounded(entries, [self.counter], made.at_ms)
        self.history.keep(self.history.bounded(entries, [self.counter], made.at_ms))

    def value(self, asked: CountedCall) -> int | str | None:
        """Return the value, which is the same where the entries are read back."""
        own = entries_of([self.counter], asked, PERMITTED)
        (found,) = self.history.facts([self.counter], asked, own).values()
        rows: dict[tuple[str, str, str, str], tuple[int, int]] = {}
        for one in self.entries:
            rows[one[:4]] = merged(rows.get(one[:4]), one.amount, one.at_ms)
        again = FamilyHistory("family", [HistoryEntry(*key, *kept) for key, kept in rows.items()])
        (other,) = again.facts([self.counter], asked, own).values()
        assert other == found
        return found


@pytest.mark.parametrize("window_s", [1, 60, SPANS, 3600, 86_400, 30 * 86_400])
def test_a_window_counts_what_is_in_it_and_at_most_one_span_more(window_s: int) -> None:
    """A span is a second, or a 2048th of a longer window."""
    told = Told(counter(window_s=window_s))
    span_ms = 1000 * -(-window_s // SPANS)
    told.make(call(at_ms=10_000_000_000))
    assert told.value(call(at_ms=10_000_000_000 + 1000 * window_s)) == 1
    assert told.value(call(at_ms=10_000_000_000 + 1000 * window_s + 2 * span_ms)) == 0


def test_a_window_keeps_a_bounded_number_of_entries() -> None:
    """However many calls there were: entries of spans long ago are overwritten."""
    told = Told(counter(window_s=86_400))
    for hour in range(0, 24 * 40, 3):
        told.make(call(at_ms=hour * 3_600_000))
    assert told.value(call(at_ms=24 * 40 * 3_600_000)) == 8
    assert len({one.part for one in told.entries}) <= 2 * SPANS


def test_equal_arguments_have_a_count_each() -> None:
    """Numbers that are equal are so however they are written; what is missing equals what is missing."""
    told = Told(counter(same=(("to", "to"),)))
    for to in ("a", "a", 1, None):
        told.make(call(to=to))
    told.make(call())
    assert [told.value(call(to=to)) for to in ("a", 1.0, None, "b")] == [2, 1, 2, 0]
    assert told.value(call()) == 2


def test_a_value_is_kept_as_a_digest_of_its_family() -> None:
    """The same value of two families has two digests, and neither is the value."""
    one = counter(CountOf.DISTINCT, argument="to")
    (first,) = entries_of([one], call(to="ana@example.org"), PERMITTED)
    (second,) = entries_of([one], call(to="ana@example.org")._replace(family="other"), PERMITTED)
    assert first.part != second.part
    assert "ana" not in first.part


@pytest.mark.parametrize("amount", ["7", True, [1], {"a": 1}, float(2**62), 10**30])
def test_what_is_no_amount_leaves_a_sum_without_value(amount: Json) -> None:
    """Until its window has passed."""
    told = Told(counter(CountOf.SUM, argument="amount", window_s=60))
    told.make(call(amount=1))
    told.make(call(amount=amount))
    assert isinstance(told.value(call()), Unreadable)
    assert told.value(call(at_ms=120_000)) == 0


def test_a_sum_that_is_too_large_has_no_value() -> None:
    """It does not overflow, and does not begin again."""
    told = Told(counter(CountOf.SUM, argument="amount"))
    for _ in range(4):
        told.make(call(amount=MOST // 1_000_000 // 2))
    assert isinstance(told.value(call()), Unreadable)
    told.make(call(amount=-5))
    assert isinstance(told.value(call()), Unreadable)


def test_values_beyond_the_bound_leave_a_count_without_value() -> None:
    """Those that are known already still pass; a window makes room again."""
    told = Told(counter(CountOf.DISTINCT, argument="to", window_s=60))
    for turn in range(MAX_ENTRIES // 256):
        told.make(call(to=[f"{turn}-{one}" for one in range(256)]))
    assert told.value(call()) == MAX_ENTRIES
    told.make(call(to="0-0"))
    assert told.value(call()) == MAX_ENTRIES
    told.make(call(at_ms=1, to="new"))
    assert isinstance(told.value(call(at_ms=1)), Unreadable)
    told.make(call(at_ms=70_000, to="later"))
    assert told.value(call(at_ms=70_000)) == 1


def test_a_list_that_is_too_long_leaves_a_count_without_value() -> None:
    """Its items are not read one by one."""
    one = counter(CountOf.DISTINCT, argument="to")
    (entry,) = entries_of([one], call(to=list(range(MAX_ITEMS + 1))), PERMITTED)
    assert entry.part == UNCOUNTED


def test_what_cannot_be_written_leaves_a_counter_without_value() -> None:
    """A lone surrogate has no canonical form, so it equals nothing for certain."""
    told = Told(counter(same=(("to", "to"),)))
    assert isinstance(told.value(call(to="\ud800")), Unreadable)
    told.make(call(to="\ud800"))
    assert isinstance(told.value(call(to="a")), Unreadable)


def test_a_held_call_counts_until_it_is_let_go() -> None:
    """So a call that is being decided meets the calls that were decided before it."""
    one = counter(CountOf.SINCE)
    history = FamilyHistory("family", [])
    first = entries_of([one], call(at_ms=1000), PERMITTED)
    second = entries_of([one], call(at_ms=9000), PERMITTED)
    history.hold(first)
    history.hold(second)
    assert history.facts([one], call(at_ms=10_000), ()) == {"it": 1}
    history.settle(second, taken=False)
    assert history.facts([one], call(at_ms=10_000), ()) == {"it": 9}
    history.settle(first, taken=True)
    assert history.facts([one], call(at_ms=10_000), ()) == {"it": 9}
    assert history.facts([one], call(at_ms=500), ()) == {"it": 0}, "the clock was set back"


def test_another_meaning_starts_again() -> None:
    """The key changes with what is counted, and not with whether the value includes the call."""
    one = counter(window_s=60)
    assert one.key == msgspec.structs.replace(one, this_call=True).key
    changed: list[dict[str, Any]] = [
        {"window_s": 61}, {"family": False}, {"tools": ("mail/send",)}, {"effects": (Effect.NONE,)},
        {"outcome": CountedOutcome.REFUSED}, {"of": CountOf.TASKS}, {"same": (("to", "to"),)}, {"name": "x"},
    ]  # fmt: skip
    keys = {one.key, *(msgspec.structs.replace(one, **change).key for change in changed)}
    assert len(keys) == 1 + len(changed)


def test_too_many_stored_entries_leave_everything_without_value() -> None:
    """What was not read may be what a rule looks for."""
    history = FamilyHistory("family", [], complete=False)
    assert isinstance(history.facts([counter()], call(), ())["it"], Unreadable)


def test_tools_and_effects_say_what_counts() -> None:
    """Names of tools, all tools of an upstream, effects; both where both are given."""
    assert counter().covers(SEND)
    assert counter(tools=("mail/*",), effects=(Effect.IRREVERSIBLE,)).covers(SEND)
    assert not counter(tools=("mail/send",), effects=(Effect.NONE,)).covers(SEND)
    assert not counter(tools=("mail/read", "post/*")).covers(SEND)
