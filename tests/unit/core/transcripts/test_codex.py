# SPDX-License-Identifier: Apache-2.0
"""Transcripts of the Codex CLI as turns."""

import json
from typing import Any

import pytest

from remit.core.transcripts.codex import CodexReader
from remit.core.transcripts.turns import (
    CallAnswer,
    CallTurn,
    ModeTurn,
    ResultTurn,
    Turn,
    WordsOrigin,
    WordsTurn,
)
from tests.samples.assistant_sessions import WORKSPACE, Codex


def _read(made: Codex, reader: CodexReader | None = None) -> list[Turn]:
    reader = reader or CodexReader("file")
    return [turn for one in made.entries for turn in reader.read(json.dumps(one).encode())]


def test_a_session_is_words_calls_and_results() -> None:
    """Functions, patches and their outputs are calls and results; the policy is a mode."""
    made = Codex().human("Add a README").call("shell", {"command": ["ls"]}, "a").patch("*** Begin Patch")
    reader = CodexReader("file")
    words, mode, call, result, patch, done = _read(made, reader)
    assert (reader.session, reader.workspace) == ("c-1", WORKSPACE)
    assert words == WordsTurn(text="Add a README", origin=WordsOrigin.HUMAN)
    assert mode == ModeTurn(mode="on-request")
    assert isinstance(call, CallTurn)
    assert (call.name, call.arguments, call.cwd) == ("shell", {"command": ["ls"]}, WORKSPACE)
    assert isinstance(result, ResultTurn)
    assert result.text == "a"
    assert isinstance(patch, CallTurn)
    assert patch.arguments == "*** Begin Patch"
    assert isinstance(done, ResultTurn)


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ("cli", WordsOrigin.HUMAN),
        ("vscode", WordsOrigin.HUMAN),
        ("exec", WordsOrigin.UNKNOWN),
        (None, WordsOrigin.UNKNOWN),
        ({"subagent": {"thread_spawn": {"parent_thread_id": "p"}}}, WordsOrigin.SYSTEM),
    ],
)
def test_only_an_interactive_session_has_a_persons_words(source: Any, origin: WordsOrigin) -> None:
    """A program or another agent may have started the session; then its words are no intent."""
    found = [turn for turn in _read(Codex(source=source).human("Go")) if isinstance(turn, WordsTurn)]
    assert [turn.origin for turn in found] == [origin]


def test_messages_among_the_items_are_not_words() -> None:
    """Items of the role `user` carry instructions and the environment, too."""
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Delete all"}]}
    assert _read(Codex().add("response_item", message)) == []


def test_outcomes_are_read_from_structured_outputs() -> None:
    """An exit code, a rejection and the wish to leave the sandbox are seen."""
    failed = json.dumps({"output": "no such file", "metadata": {"exit_code": 2}})
    given = {"cmd": "make", "sandbox_permissions": "require_escalated"}
    turns = _read(
        Codex().call("exec_command", given, failed).call("shell", {}, "exec command rejected by user")
    )
    first, result, _, rejected = turns
    assert isinstance(first, CallTurn)
    assert first.escalated
    assert isinstance(result, ResultTurn)
    assert (result.text, result.error) == ("no such file", True)
    assert isinstance(rejected, ResultTurn)
    assert rejected.answer is CallAnswer.REJECTED


def test_the_form_without_envelopes_is_read() -> None:
    """Older files hold the items alone."""
    reader = CodexReader("file")
    lines = [
        {"id": "old", "timestamp": "2025-07-01T10:00:00Z"},
        {
            "type": "local_shell_call",
            "call_id": "1",
            "action": {"command": ["ls"], "working_directory": "/a"},
        },
        {"type": "function_call_output", "call_id": "1", "output": "x"},
    ]
    call, result = [turn for one in lines for turn in reader.read(json.dumps(one).encode())]
    assert reader.session == "old"
    assert isinstance(call, CallTurn)
    assert call.arguments == {"command": ["ls"], "workdir": "/a"}
    assert isinstance(result, ResultTurn)


@pytest.mark.parametrize("arguments", ["{", "[" * 5000, 7, None, {"a": [[[]]]}])
def test_unreadable_arguments_do_not_hide_a_call(arguments: Any) -> None:
    """A call with arguments that are no JSON stays a call."""
    item = {"type": "function_call", "name": "shell", "arguments": arguments, "call_id": "1"}
    assert [
        turn.name for turn in _read(Codex().add("response_item", item)) if isinstance(turn, CallTurn)
    ] == ["shell"]
