# SPDX-License-Identifier: Apache-2.0
"""`remit approvals --watch` on a terminal: an answer counts for the card on the screen alone."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from remit.cli.decisions.question_watch import typed
from remit.cli.exit_codes import UsageFault
from tests.gateways.remit_up import Remit, furnished

Json = Any
QUESTION: Json = {
    "narrowable": {"amount": "lower", "to": "fewer"},
    "offer": {"most": 5},
    "arguments": {"amount": 500, "to": ["a@x.example", "b@x.example"]},
}
PLAIN: Json = {"narrowable": {}, "offer": None, "arguments": {}}


class Screen:
    """A terminal with `remit approvals --watch` in it, as one approver sees it."""

    def __init__(self, services: Remit) -> None:
        self.ours, theirs = pty.openpty()
        self.shown = ""
        self.process = subprocess.Popen(
            services.command("approvals", "--watch", "--as", "omar"),
            cwd=services.folder,
            env=services.env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self.ours, f"{line}\n".encode())

    def until(self, text: str, *, typing: str = "") -> str:
        """Return what is shown until a text appears, while typing a line again and again."""
        start, limit = len(self.shown), time.monotonic() + 120
        while text not in self.shown[start:]:
            assert time.monotonic() < limit, self.shown
            if select.select([self.ours], [], [], 0.5)[0]:
                self.shown += os.read(self.ours, 65_536).decode(errors="replace")
            elif typing:
                self.type(typing)
        return self.shown[start:]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remit]:
    """A remit with people and an agent in it."""
    with furnished(tmp_path_factory.mktemp("watch")) as made:
        yield made


@pytest.fixture
def screen(services: Remit) -> Iterator[Screen]:
    """The terminal of omar."""
    made = Screen(services)
    try:
        made.until("questions appear here")
        yield made
    finally:
        made.process.kill()
        made.process.wait()
        with contextlib.suppress(OSError):
            os.close(made.ours)


def asked(services: Remit, text: str) -> str:
    """Let the agent ask a question; return its approval."""
    task = services.ask("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=shopping", by="ana")[
        "id"
    ]
    services.call(str(task), "write_note", {"name": "shopping", "text": text})
    (one,) = services.ask("approvals", "--task", str(task), by="omar")["items"]
    return str(one["id"])


def state(services: Remit, approval: str) -> Json:
    """Return an approval as it stands."""
    found = services.ask("approvals", "--state", "all", by="omar")["items"]
    return next(one for one in found if one["id"] == approval)


def test_a_question_is_answered_where_it_appears(services: Remit, screen: Screen) -> None:
    """With its reason; what the agent wrote moves no cursor, and an empty line answers nothing."""
    one = asked(services, "\x1b[2Jmilk\u202e")
    card = screen.until("`skip` or `quit`:")
    assert "note-bot asks to call notes/write_note for ana." in card
    assert "\\u{1b}[2Jmilk\\u{202e}" in card
    screen.type("")
    screen.until("denied by omar", typing="n not this one")
    assert state(services, one)["comment"] == "not this one"


def test_what_was_typed_before_a_card_answers_nothing(services: Remit, screen: Screen) -> None:
    """Whole lines and the beginning of one."""
    screen.type("y")
    screen.type("y")
    os.write(screen.ours, b"y")
    one = asked(services, "eggs")
    screen.until("`skip` or `quit`:")
    os.write(screen.ours, b"\n")
    assert state(services, one)["state"] == "pending"
    screen.until("approved by omar, once", typing="y")


def test_a_card_is_gone_once_another_person_has_answered(services: Remit, screen: Screen) -> None:
    """Its answer does not go to the next question."""
    one = asked(services, "bread")
    screen.until("`skip` or `quit`:")
    assert services("deny", one, "--confirm", state(services, one)["call"], by="omar").code == 0
    screen.until("meanwhile")
    screen.type("y")
    other = asked(services, "butter")
    screen.until("`skip` or `quit`:")
    assert state(services, other)["state"] == "pending"
    screen.until("approved by omar, once", typing="y")
    screen.type("quit")
    assert screen.process.wait(60) == 0


@pytest.mark.parametrize(
    ("line", "act", "body"),
    [
        ("y", "approve", {"comment": ""}),
        ("  Y looks right ", "approve", {"comment": "looks right"}),
        ("n wrong payee", "deny", {"comment": "wrong payee"}),
        ("times 3 same list", "approve", {"most": 3, "comment": "same list"}),
        ("narrow amount=200 too much", "approve", {"narrow": {"amount": 200}, "comment": "too much"}),
        (
            "narrow to=a@x.example amount=1",
            "approve",
            {"narrow": {"to": ["a@x.example"], "amount": 1}, "comment": ""},
        ),
        ("skip", "skip", {}),
    ],
)
def test_an_answer_is_a_word_and_a_reason(line: str, act: str, body: Json) -> None:
    """Bounds and narrower values stand between them."""
    assert typed(line, QUESTION) == (act, body)


@pytest.mark.parametrize(
    "line",
    ["yy", "ja", "times", "times 1", "times 6", "times 99999999", "narrow", "narrow to", "narrow x=1"],
)
def test_what_is_no_answer_answers_nothing(line: str) -> None:
    """It says what would be one."""
    for question in (QUESTION, PLAIN):
        with pytest.raises(UsageFault) as refused:
            typed(line, question)
        assert refused.value.remediation
