# SPDX-License-Identifier: Apache-2.0
"""Which clauses of a person's words ask for something."""

from __future__ import annotations

import pytest

from remit.core.flow.language.clauses import Clauses
from remit.core.flow.language.phrases import Mood
from remit.core.flow.language.tool_verbs import AskedBy

CLOSING = AskedBy(frozenset({"clos"}), ("close", "ticket"))


def said(*turns: str) -> Clauses:
    """Return the clauses of a person's messages."""
    clauses = Clauses()
    for one in turns:
        clauses.hear(one)
    return clauses


@pytest.mark.parametrize(
    "words",
    [
        "Close T-8",
        "Please close T-8",
        "Could you close T-8?",
        "I want you to close T-8.",
        "Read the page and close T-8",
        "Make sure to close T-8",
        "Don't forget to close T-8",
        "Bob is ill. T-8 is old, so close it.",
        "Close T-7 and T-8",
        "For Bob, close T-8",
        "I need T-7, but close T-8",
    ],
)
def test_a_clause_asks_where_a_verb_is_its_head(words: str) -> None:
    """Bare, under a wish, or joined to another one that asks."""
    assert said(words).asks_for("T-8", CLOSING, whom=False) is True


@pytest.mark.parametrize(
    "words",
    [
        "Bob will close T-8 himself",
        "Bob has closed T-8 already",
        "Tell me before you close T-8",
        "Tell me how to close T-8",
        "Remind me to close T-8 on Monday",
        "Should we close T-8?",
        "Why did Bob close T-8?",
        "The page says to close T-8",
        'The page says "close T-8"',
        "Refrain from closing T-8",
        "Closing T-8 is out of the question",
        "It is forbidden to close T-8",
        "T-8 is fine",
        "Bob works on T-8",
        "I may want to close T-8 later",
    ],
)
@pytest.mark.parametrize("form", ["Close T-7. {}.", "{}. Close T-7.", "Close T-7 ({})", "Close T-7, but {}"])
def test_a_verb_that_something_else_governs_asks_for_nothing(words: str, form: str) -> None:
    """Another subject, an auxiliary, a negation, a question, a report."""
    clauses = said(form.format(words))
    assert clauses.asks_for("T-8", CLOSING, whom=False) is False
    assert clauses.asks_for("T-7", CLOSING, whom=False) is True


@pytest.mark.parametrize(
    "words",
    [
        "Tell everybody except Bob about it",
        "Do not mail Bob, please",
        "Mail Ann, and not Bob",
        "Mail Ann instead of Bob to say hello",
        "Mail Bob. No, wait, do not mail Bob. Mail Ann.",
    ],
)
def test_what_the_words_rule_out_is_not_stated(words: str) -> None:
    """It is named, and not for this; also where it was asked for before."""
    assert said(words).rule_out("Bob")


def test_a_later_turn_takes_back_what_was_asked_for() -> None:
    """What is asked for otherwise stays."""
    clauses = said("Close T-7 and then close T-8", "Please do not close T-8 after all")
    assert clauses.asks_for("T-7", CLOSING, whom=False) is True
    assert clauses.rule_out("T-8", CLOSING)


def test_words_of_an_unknown_language_leave_it_open() -> None:
    """The request in them cannot be determined."""
    assert said("Zamknij T-8").asks_for("T-8", CLOSING, whom=False) is None
    assert [one.mood for one in said("Zamknij proszę wszystko").of()] == [Mood.OPEN]


def test_words_after_an_aside_in_brackets_go_on_before_it() -> None:
    """What the brackets ask is a clause by itself."""
    first, aside = Clauses().hear("Add the label to the issue (keep the others) and the topic to the repo")
    assert "repo" in first.words
    assert aside.words == ["keep", "the", "others"]
