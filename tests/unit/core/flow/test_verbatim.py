# SPDX-License-Identifier: Apache-2.0
"""What a person's words state, whole, and for what."""

import pytest

from remit.core.flow.language.verbatim import Wording


def said(text: str) -> Wording:
    """Return the words of one message."""
    wording = Wording()
    wording.hear(text)
    return wording


@pytest.mark.parametrize(
    "value", ["notes.md", "NOTES.md", " notes.md ", "#general", "general", "Bob Stone", "C-42"]
)
def test_a_value_is_stated_where_it_stands_whole(value: str) -> None:
    """Between white space and the marks of a sentence, in any case."""
    wording = said("Read `notes.md`, (contract C-42), and tell #general that Bob Stone's mail is there.")
    assert wording.states(value)


@pytest.mark.parametrize(
    "value", ["notes", "notes.md*", "Bob", "Stone", "42", "c-4", "contract  C-42", "otes.md"]
)
def test_a_part_or_another_form_is_not_stated(value: str) -> None:
    """A part of a name matches every person who has it, and a pattern matches more than was stated."""
    wording = said("Read `notes.md`, (contract C-42), and tell #general that Bob Stone's mail is there.")
    assert not wording.states(value)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("post a summary of notes.md in #general", "general"),
        ("send Bob the summary", "Bob"),
        ("send the summary to Bob", "Bob"),
        ("tell Ann and Bob about it", "Ann"),
        ("Spotify raised its prices. Please send them the difference.", "Spotify"),
    ],
)
def test_a_word_that_leads_there_makes_a_destination(words: str, value: str) -> None:
    """A preposition, a verb that addresses, or a pronoun that comes back to a name."""
    assert said(words).addressed(value)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("post a summary of notes.md in #general", "summary"),
        ("post a summary of notes.md in #general", "notes.md"),
        ("send the summary to Bob", "summary"),
        ("read report.txt and write to Ann", "report.txt"),
    ],
)
def test_what_something_is_about_is_no_destination(words: str, value: str) -> None:
    """It is stated, and for something else."""
    wording = said(words)
    assert wording.states(value)
    assert not wording.addressed(value)


def test_a_code_is_stated_letter_by_letter_and_as_a_whole() -> None:
    """Not a part of it, not in another case, and not with the marks that set it off."""
    wording = said("Please run `make report` now")
    assert wording.quotes("make report")
    assert not any(map(wording.quotes, ("make", "MAKE report", "`make report`", "report")))


def test_a_secret_is_called_one() -> None:
    """A plain word beside it is none."""
    wording = said("Log in with the code 471199")
    assert wording.writes("471199")
    assert not wording.writes("code")
