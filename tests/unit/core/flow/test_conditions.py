# SPDX-License-Identifier: Apache-2.0
"""A main clause after a condition asks, with a comma and without one."""

from __future__ import annotations

import pytest

from remit.core.flow.language.clauses import Clauses
from remit.core.flow.language.phrases import Mood
from remit.core.flow.language.tool_verbs import AskedBy

SENDING = AskedBy(frozenset({"send", "ask", "open", "tick"}), ("send",))


def asks(words: str) -> bool:
    """Return whether a clause of the words asks by a verb."""
    clauses = Clauses()
    clauses.hear(words)
    return any(one.asks_by_verb(SENDING) for one in clauses.of(SENDING.starts))


@pytest.mark.parametrize(
    "words",
    [
        "If it is late, send Ann a note",
        "Did we agree? If yes send Ann the note",
        "If so, send it",
        "If it is stuck somewhere ask the roaster what happened",
        "If there's no issue for it yet open one in firmware with the log, label bug",
        "If Ann's change builds, tick the entry on the list",
    ],
)
def test_a_main_clause_after_a_condition_asks(words: str) -> None:
    """Its verb has no other subject."""
    assert asks(words)


@pytest.mark.parametrize(
    "words",
    [
        "If you send the file, Bob is happy",
        "If the people ask the roaster it is late",
        "Tell me if Bob can send the file",
        "Tell me if it is fine to send the file",
        "If Bob is there and they send the file it is late",
        "If those who are there ask the host, tell me",
        "If he has to send the file that is bad",
        "If it is an open one tell me",
    ],
)
def test_a_verb_inside_a_condition_asks_for_nothing(words: str) -> None:
    """Others do it, or may do it."""
    assert not asks(words)


def test_a_condition_that_there_is_none_rules_nothing_out() -> None:
    """What is not there yet is what is asked for."""
    clauses = Clauses()
    clauses.hear("If there is no issue for T-8, open one for Ann")
    assert not clauses.rule_out("T-8")
    assert [one.mood for one in clauses.of()] == [Mood.TELLS, Mood.ASKS]
