# SPDX-License-Identifier: Apache-2.0
"""The screen of a question: calls as a whole, what is known of their values, and what several share once."""

from typing import Any

import pytest

from remit.cli.decisions.question_screen import show, together

Json = Any

SOURCE = {
    "call": 2,
    "decision": "dec_1",
    "tool": "mail/read",
    "field": "participants[]",
    "by_others": True,
    "stood": "field",
    "alike": 2,
    "elsewhere": 1,
    "leads": "named",
    "words": ["offsite"],
    "wrote": "",
}


def question(number: int, to: str, **changes: Json) -> Json:
    """Return a pending approval as the interface shows it."""
    value = {"argument": "to", "role": "destination", "value": to, "stated": False, "source": SOURCE}
    known = {
        "id": f"apr_{number}",
        "task": "tsk_1",
        "agent": "clerk",
        "requested_for": "lena",
        "tool": "mail/invite",
        "call": f"sha256:{number}",
        "arguments": {"title": "Offsite", "to": to},
        "rules": [["flow/ask-destination", "sha256:0"]],
        "reasons": ["not stated", "the chain of `to`"],
        "questioned": [value | {"reason": "the chain of `to`"}],
        "state": "pending",
        "requested": "2026-03-02T09:00:00Z",
        "expires": "2026-03-02T09:15:00Z",
        "offer": None,
        "most": 1,
        "used": 0,
        "narrowable": {},
        "instead": "",
        "narrows": "",
        "narrowed": [],
        "overtaken": "",
        "approvers": [],
        "needed": 1,
        "answers": [],
        "agreed_most": 1,
        "agreed_less": {},
        "escalated": [],
        "broken_glass": False,
    }
    return known | changes


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that returns what the screen shows, as one line without frames."""
    monkeypatch.setenv("COLUMNS", "100")

    def screen(*asked: Json) -> str:
        show(asked)
        return " ".join(capsys.readouterr().out.replace("│", " ").split())

    return screen


def test_a_question_says_what_its_source_held(shown: Any) -> None:
    """The person's words, the place, the number of others like it, and who can write there."""
    text = shown(question(1, "mia@ext.example"))
    assert "The person's words name its source (`offsite`), not the value itself." in text
    assert (
        "Call 2, `mail/read`, field `participants[]`: a field for itself, one of 3 values there; "
        "1 more like it elsewhere in the source." in text
    )
    assert "Others can have written it." in text
    assert "the chain of" not in text
    assert "not stated" in text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"source": None}, "Neither the person's words nor the data that this task has read contain it."),
        ({"stated": True}, "The person's words contain it, but not for this call."),
        ({"source": SOURCE | {"leads": ""}}, "The person's words lead neither to it nor to its source."),
        (
            {"source": SOURCE | {"leads": "pointed", "words": []}},
            "The person's words lead to its source, not",
        ),
        (
            {"source": SOURCE | {"stood": "text", "alike": 0}},
            "in the middle of a text, the only one like it.",
        ),
        ({"source": SOURCE | {"stood": "text", "alike": 4}}, "a text, with 4 more like it in the source."),
        ({"source": SOURCE | {"alike": None, "elsewhere": None}}, "`participants[]`: a field for itself."),
        ({"source": SOURCE | {"by_others": False}}, "Outsiders cannot write it."),
        ({"source": SOURCE | {"wrote": "`a`, written by call 1"}}, "That call read `a`, written by call 1."),
    ],
)
def test_each_kind_of_source_has_its_sentence(shown: Any, changes: Json, sentence: str) -> None:
    """What is not known is not said."""
    (value,) = question(1, "x")["questioned"]
    assert sentence in shown(question(1, "mia@ext.example", questioned=[value | changes]))


def test_several_show_once_what_they_share_and_each_its_digest(shown: Any) -> None:
    """Three invitations: one title, one source, three recipients with three digests."""
    text = shown(*(question(number, f"p{number}@ext.example") for number in (1, 2, 3)))
    assert "mail/invite, 3 times" in text
    for once in ("Offsite", "not stated", "flow/ask-destination", "(`offsite`)"):
        assert text.count(once) == 1
    for number in (1, 2, 3):
        assert f"p{number}@ext.example digest sha256:{number}" in text


def test_several_with_different_sources_show_each(shown: Any) -> None:
    """Also an argument that only one of them has, and other rules."""
    (value,) = question(2, "x")["questioned"]
    other = value | {"source": SOURCE | {"field": "body", "stood": "text"}}
    second = question(
        2,
        "eve@evil.example",
        arguments={"title": "Offsite", "to": "eve@evil.example", "cc": "bo@evil.example"},
        rules=[["other", "sha256:1"]],
        questioned=[other],
    )
    text = shown(question(1, "mia@ext.example"), second)
    assert text.count("field `participants[]`") == 1
    assert text.count("field `body`") == 1
    assert "cc bo@evil.example" in text
    assert "waives other" in text


def test_no_argument_imitates_what_remit_says(shown: Any) -> None:
    """Hidden characters are visible, and a sentence in an argument stays beside the argument's name."""
    text = "fine\n\x1b[1mThe person's words contain it."
    screen = shown(question(1, "mia@ext.example", arguments={"body": text}, questioned=[]))
    assert "body fine \\u{1b}[1mThe person's words" in screen
    assert "asks about" not in screen


def test_questions_of_one_task_and_tool_are_a_group() -> None:
    """In the order of their first; another tool, task or state is another group."""
    items = [
        question(1, "a"),
        question(2, "b", tool="mail/send"),
        question(3, "c"),
        question(4, "d", task="tsk_2"),
        question(5, "e", state="denied"),
    ]
    assert [[one["id"] for one in group] for group in together(items)] == [
        ["apr_1", "apr_3"],
        ["apr_2"],
        ["apr_4"],
        ["apr_5"],
    ]


def test_what_an_answer_may_permit_beyond_the_call_is_shown_with_its_bounds(shown: Any) -> None:
    """How many, until when, what stays as shown, and what the approver will not see."""
    label = {"class": "internal", "trust": "untrusted", "categories": ["pii"], "zones": ["web"]}
    offer = {"most": 10, "until": "2026-03-02T09:30:00Z", "same": ["to"], "texts": ["title"], "label": label}
    told = shown(question(1, "tom@ext.example", offer=offer))
    assert "or more --times 10: up to 10 calls like it" in told
    assert "The same `to`; other texts in `title`, which you will not see." in told
    assert "The task holds internal, pii, from web, untrusted data, and later calls pass on no more." in told
    assert "--times" not in shown(question(1, "tom@ext.example"))
    given = question(1, "tom@ext.example", offer=offer, state="approved", most=4, used=3)
    assert "permits 4 calls, 3 made." in shown(given)


def test_a_question_shows_how_to_permit_less(shown: Any) -> None:
    """One line for each argument that can be narrowed; afterwards what was narrowed, and where."""
    text = shown(
        question(1, "mia@ext.example", narrowable={"amount": "lower", "to": "fewer", "dir": "below"})
    )
    assert "or less --narrow amount=LESS --narrow to=ONE --narrow dir=PATH/BELOW" in text
    assert "or less" not in shown(question(1, "mia@ext.example"))
    text = shown(question(1, "mia@ext.example", state="narrowed", instead="apr_2"))
    assert "permits only the narrower call of apr_2" in text
    text = shown(question(2, "mia@ext.example", state="approved", narrows="apr_1", narrowed=["amount"]))
    assert "narrows `amount` of the call that apr_1 asked about" in text


OMAR = {"by": "omar", "instead_of": "ada", "at": "2026-03-02T09:02:00Z", "comment": "fits", "until": None}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"escalated": ["leads"]}, "escalated to group leads"),
        ({"approvers": [{"group": "payments", "count": 1}]}, "needs 1 approver of group `payments`"),
        (
            {"approvers": [{"group": "", "count": 2}], "needed": 2, "answers": [OMAR]},
            "needs 2 approvers: 1 of 2 approved by omar for ada, 2026-03-02 09:02",
        ),
        (
            {"approvers": [{"group": "payments", "count": 2}], "needed": 2, "escalated": ["leads"]},
            "needs 2 approvers of group `payments`, or of `leads`: 0 of 2",
        ),
        (
            {
                "approvers": [{"group": "", "count": 2}],
                "needed": 2,
                "answers": [OMAR | {"comment": "\x1b[31mfits"}],
                "agreed_less": {"to": ["mia@ext.example"]},
            },
            '\\u{1b}[31mfits only with --narrow to=["mia@ext.example"]',
        ),
        (
            {
                "approvers": [{"group": "", "count": 2}],
                "needed": 2,
                "state": "approved",
                "decided_by": "gil",
                "broken_glass": True,
            },
            "glass broken by gil, in place of 2 approvers",
        ),
    ],
)
def test_a_question_says_who_must_answer_and_who_has(shown: Any, changes: Json, sentence: str) -> None:
    """Where one approver of any group is enough, nothing is said."""
    assert sentence in shown(question(1, "mia@ext.example", **changes))
    assert "needs" not in shown(question(1, "mia@ext.example"))
