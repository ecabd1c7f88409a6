# SPDX-License-Identifier: Apache-2.0
"""Figures of questions: how people answer, how fast, and which rules ask."""

from datetime import timedelta
from typing import Any

from remit.core.decisions.question_report import QuestionCount
from tests.worlds.values import START

Json = Any


def counted(*ends: tuple[str, float], calls: int = 10, rules: tuple[str, ...] = ("ask",)) -> Json:
    """Return the figures of questions that ended so, each after so many seconds."""
    count = QuestionCount()
    for number, (state, seconds) in enumerate(ends):
        facts = {
            "approval": f"apr_{number}",
            "call": str(number),
            "rules": [[rule, "sha256:0"] for rule in rules],
        }
        count.asked(facts, START)
        if state:
            count.ended(facts | {"state": state}, START + timedelta(seconds=seconds))
    for _ in range(calls):
        count.decided({})
    return count.figures()


def test_nothing_is_counted_of_nothing() -> None:
    """No share of no answers, and no time."""
    found = counted(calls=0)
    assert (found.questions, found.answered, found.rules) == (0, 0, ())
    assert (found.median_s, found.share_approved, found.share_unread, found.per_100_calls) == (None,) * 4


def test_answers_are_counted_with_their_times() -> None:
    """The share approved includes what was narrowed; what took under two seconds was not read."""
    found = counted(("approved", 1.9), ("approved", 2.0), ("narrowed", 30), ("denied", 60), ("expired", 900))
    assert (found.questions, found.answered, found.approved, found.narrowed, found.denied) == (5, 4, 3, 1, 1)
    assert (found.unread, found.share_unread, found.share_approved) == (1, 0.25, 0.75)
    assert (found.median_s, found.slowest_tenth_s) == (2.0, 60.0)
    assert (found.expired, found.open) == (1, 0)
    assert found.per_100_calls == 50


def test_an_answer_that_was_withdrawn_stays_an_answer() -> None:
    """A question that remit withdrew has none; one without an end is open."""
    count = QuestionCount()
    for number in range(3):
        count.asked({"approval": f"apr_{number}", "rules": []}, START)
    count.ended({"approval": "apr_0", "call": "0", "state": "approved"}, START + timedelta(seconds=5))
    count.ended({"approval": "apr_0", "call": "0", "state": "withdrawn"}, START + timedelta(seconds=9))
    count.ended({"approval": "apr_1", "call": "1", "state": "withdrawn"}, START + timedelta(seconds=9))
    found = count.figures()
    assert (found.answered, found.approved, found.withdrawn, found.open) == (1, 1, 2, 1)


def test_each_rule_that_asks_is_counted_by_itself() -> None:
    """Per 100 decided calls, refusals that were only counted included; the one that asks most comes first."""
    count = QuestionCount()
    for number, rules in enumerate((["a", "b"], ["b"], ["b", "b"])):
        facts = {
            "approval": f"apr_{number}",
            "call": str(number),
            "rules": [[one, "sha256:0"] for one in rules],
        }
        count.asked(facts, START)
        count.ended(facts | {"state": "denied" if number else "approved"}, START + timedelta(seconds=5))
    count.decided({})
    count.decided({"count": 29})
    shown = [(one.rule, one.questions, one.per_100_calls, one.approved) for one in count.figures().rules]
    assert shown == [("b", 3, 10.0, 1), ("a", 1, 3.33, 1)]


def test_an_answer_whose_question_was_not_read_counts_nothing() -> None:
    """It lies before the part of the log that was read."""
    count = QuestionCount()
    count.ended({"approval": "apr_0", "call": "0", "state": "approved"}, START)
    assert count.figures().answered == 0
