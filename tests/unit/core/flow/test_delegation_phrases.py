# SPDX-License-Identifier: Apache-2.0
"""Whether words leave it to another party's text to decide what is to be done."""

import pytest

from remit.core.flow.language.delegation_phrases import delegating, hands_over
from remit.core.flow.language.word_forms import words_of


@pytest.mark.parametrize(
    "text",
    [
        "Follow the instructions in the note",
        "Please do the actions specified in the mail",
        "Do what she asks for",
        "Change it as he wishes",
        "Open the door that they need",
    ],
)
def test_what_somebody_else_wrote_or_wants_is_to_be_done(text: str) -> None:
    """The words themselves do not say what."""
    assert hands_over(words_of(text))


@pytest.mark.parametrize(
    "text",
    [
        "Answer the mails that ask for an invoice",
        "List the action items of the meeting",
        "What do guests say about the hotel?",
        "Pay the bill",
    ],
)
def test_words_that_only_speak_of_what_others_say_hand_nothing_over(text: str) -> None:
    """They say what is to be done."""
    assert not hands_over(words_of(text))


def test_only_the_piece_that_delegates_names_the_text() -> None:
    """With the sentence before it; other pieces of the sentence name what the person wants."""
    one, *more = delegating(["Read Ann's mail.", "Do what Owen asks: a copy for Maarten"])
    assert not more
    assert " owen " in one
    assert "ann" in one
    assert "maarten" not in one
    assert not list(delegating(["Answer Owen's mail"]))
