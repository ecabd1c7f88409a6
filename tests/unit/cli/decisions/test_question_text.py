# SPDX-License-Identifier: Apache-2.0
"""Figures of questions in words, and the signs that people do not read what they approve."""

from typing import Any

import pytest

from remit.cli.decisions.question_text import alike_line, show_figures, show_suggestions

Json = Any


def figures(**changes: Json) -> Json:
    """Return figures as the interface gives them."""
    known = {
        "calls": 1200, "questions": 40, "answered": 36, "approved": 30, "narrowed": 2, "denied": 6,
        "overturned": 2,
        "unread": 1, "expired": 3, "withdrawn": 1, "open": 1, "median_s": 12.3, "slowest_tenth_s": 180.0,
        "share_approved": 0.8333, "share_unread": 0.0278, "per_100_calls": 3.33,
        "rules": [
            {"rule": "flow/ask", "questions": 40, "per_100_calls": 3.33, "answered": 36, "approved": 30}
        ],
    }  # fmt: skip
    return known | changes


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that returns what is shown, as one line."""
    monkeypatch.setenv("COLUMNS", "120")

    def page(**changes: Json) -> str:
        show_figures(figures(**changes))
        return " ".join(capsys.readouterr().out.split())

    return page


def test_the_figures_are_told_with_their_shares(shown: Any) -> None:
    """How many, how fast, and by which rule."""
    text = shown()
    assert "questions 40, 3.33 per 100 calls" in text
    assert "answered 36, half within 12 s, nine of ten within 3 min" in text
    assert "approved 30 (83%), 2 of them narrowed" in text
    assert "denied 6, 2 of them approved later" in text
    assert "unread 1 (3%), answered in under 2 seconds" in text
    assert "unanswered 4, 3 of them refused for it" in text
    assert "flow/ask 40 3.33 36 30" in text
    assert "too fast" not in text


def test_signs_of_answers_unread_are_named(shown: Any) -> None:
    """With enough answers to tell; a few prove nothing."""
    assert "too fast to have been read" in shown(share_unread=0.5)
    assert "Almost every question is approved" in shown(share_approved=0.99)
    assert "Almost every" not in shown(share_approved=0.99, share_unread=0.9, answered=5)


def test_where_no_person_was_asked_nothing_else_is_said(shown: Any) -> None:
    """A page without a table of zeros."""
    assert shown(questions=0) == "no person was asked"
    assert "half within" not in shown(answered=0, median_s=None, share_approved=None, share_unread=None)


def test_a_preview_says_what_would_have_passed() -> None:
    """Or that there was nothing like it."""
    found = {"read": 10_000, "questions": 14, "tasks": 6, "passed": 8, "approved": 12, "denied": 1}
    assert alike_line(found) == (
        "In the last 10,000 decisions, 14 questions like it in 6 tasks (12 approved, 1 denied). "
        "Such answers would have let 8 of them pass unasked."
    )
    assert alike_line(found | {"questions": 0}) == "No other question like it in the last 10,000 decisions."


def test_a_suggestion_stands_beside_what_speaks_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What no person will see any more, who approved, what else would have passed, and the change itself."""
    monkeypatch.setenv("COLUMNS", "140")
    evidence = {"answers": 9, "unread": 1, "days": 4, "approvers": ["nora", "omar"], "median_s": 20.0}
    exception = {"agent": "clerk", "tool": "office/mail", "same": {"to": "a\u202e"}, "texts": ["body"]}
    one = {"rule": "flow/ask", "exception": exception, "evidence": evidence, "read": 900, "passed": 12}
    show_suggestions([one | {"unasked": 3, "diff": "+unless { true }\n"}])
    text = " ".join(capsys.readouterr().out.split())
    assert "`flow/ask` need not ask when clerk calls office/mail like this" in text
    assert '{"to":"a\\u{202e}"}' in text
    assert "what it writes in `body`: no person will see it" in text
    assert "approved 9 times, in as many tasks, on 4 days, half within 20 s" in text
    assert "by nora, omar unread 1 more" in text
    assert "of 900 decisions 12 would have passed unasked, 3 of them not approved" in text
    assert "+unless { true }" in text
    assert "Nothing is changed" in text
    show_suggestions([])
    assert "nothing to suggest" in capsys.readouterr().out
