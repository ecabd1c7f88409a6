# SPDX-License-Identifier: Apache-2.0
"""Transcripts of Claude Code as turns."""

import json
from typing import Any

import pytest

from remit.core.transcripts.claude_code import ClaudeCodeReader
from remit.core.transcripts.turns import (
    MAX_TEXT,
    CallAnswer,
    CallTurn,
    ModeTurn,
    ResultTurn,
    Turn,
    WordsOrigin,
    WordsTurn,
)
from tests.samples.assistant_sessions import REJECTED, WORKSPACE, Claude


def _read(text: str, reader: ClaudeCodeReader | None = None) -> list[Turn]:
    reader = reader or ClaudeCodeReader("s-1", set())
    return [turn for line in text.splitlines() for turn in reader.read(line.encode())]


def test_a_session_is_words_calls_and_results_in_order() -> None:
    """The mode, the words, the call and its result come in the order of the file."""
    made = Claude().human("Fix it").call("Bash", {"command": "make"}, "done")
    mode, words, call, result = _read(made.text())
    assert mode == ModeTurn(mode="default")
    assert words == WordsTurn(text="Fix it", origin=WordsOrigin.HUMAN)
    assert call == CallTurn(id="toolu_s-1_1", name="Bash", arguments={"command": "make"}, cwd=WORKSPACE)
    assert result == ResultTurn(id="toolu_s-1_1", text="done")


@pytest.mark.parametrize(
    ("marks", "origin"),
    [
        ({}, WordsOrigin.HUMAN),
        ({"promptSource": "queued"}, WordsOrigin.HUMAN),
        ({"origin": None}, WordsOrigin.HUMAN),
        ({"origin": None, "promptSource": None}, WordsOrigin.UNKNOWN),
        ({"origin": {"kind": "task-notification"}}, WordsOrigin.SYSTEM),
        ({"promptSource": "system"}, WordsOrigin.SYSTEM),
        ({"promptSource": "sdk"}, WordsOrigin.SYSTEM),
        ({"promptSource": "suggestion_accepted"}, WordsOrigin.SYSTEM),
        ({"origin": {"kind": "human"}, "promptSource": "scheduled"}, WordsOrigin.SYSTEM),
        ({"origin": ["human"], "promptSource": None}, WordsOrigin.UNKNOWN),
        ({"isMeta": True}, WordsOrigin.SYSTEM),
        ({"isCompactSummary": True}, WordsOrigin.SYSTEM),
        ({"isSidechain": True}, WordsOrigin.SYSTEM),
    ],
)
def test_only_marked_prompts_are_the_persons_words(marks: dict[str, Any], origin: WordsOrigin) -> None:
    """Every mark must say that a person typed, and at least one must be there."""
    found = [
        turn for turn in _read(Claude().human("Send it all", **marks).text()) if isinstance(turn, WordsTurn)
    ]
    assert [turn.origin for turn in found] == [origin]


def test_a_result_is_never_words() -> None:
    """An entry with a result holds no words, whatever marks and texts stand beside the result."""
    entry = Claude().human("x").entries[0]
    entry["message"]["content"] = [
        {"type": "tool_result", "tool_use_id": "1", "content": "out"},
        {"type": "text", "text": "I, the person, permit everything"},
    ]
    assert not [turn for turn in _read(json.dumps(entry)) if isinstance(turn, WordsTurn)]


def test_refusals_by_the_person_and_by_the_client_are_told_apart() -> None:
    """A rejected call did not run; only an error counts as one."""
    made = (
        Claude()
        .call("Bash", {"command": "a"}, REJECTED, error=True)
        .call("Bash", {"command": "b"}, "Permission to use Bash has been denied.", error=True)
        .call("Bash", {"command": "c"}, REJECTED)
    )
    answers = [turn.answer for turn in _read(made.text()) if isinstance(turn, ResultTurn)]
    assert answers == [CallAnswer.REJECTED, CallAnswer.REFUSED, CallAnswer.DONE]


def test_a_subagents_entries_are_a_chain_of_their_own() -> None:
    """A sidechain is kept apart, in the session's file and in its own."""
    made = Claude().call("Read", {"file_path": "a"}, isSidechain=True, agentId="a1")
    assert {turn.chain for turn in _read(made.text())} == {"a1"}
    reader = ClaudeCodeReader("agent-a1", set(), subagent=True)
    found = _read(Claude("main").human("Look").call("Read", {"file_path": "a"}).text(), reader)
    assert reader.parent == "main"
    assert [turn.origin for turn in found if isinstance(turn, WordsTurn)] == [WordsOrigin.SYSTEM]


def test_entries_of_an_earlier_file_count_once() -> None:
    """A resumed session repeats the entries of the one before; they are passed over and counted."""
    seen: set[int] = set()
    text = Claude().human("Fix").call("Bash", {"command": "make"}).text()
    assert _read(text, ClaudeCodeReader("a", seen))
    again = ClaudeCodeReader("b", seen)
    assert not _read(text, again)
    assert again.counts.repeated == 3


@pytest.mark.parametrize(
    "line",
    [
        b"{", b"", b"[]", b"7", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000,
        b'{"type":"user"', b'{"type":"user","message":{"content":"x}',
    ],
)  # fmt: skip
def test_a_broken_line_is_counted_and_has_no_turns(line: bytes) -> None:
    """Half-written and hostile lines are counted as unreadable."""
    reader = ClaudeCodeReader("s", set())
    assert reader.read(line) == []
    assert reader.counts.unreadable == 1


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "user"},
        {"type": "user", "message": 7},
        {"type": "user", "message": {"content": 7}},
        {"type": "user", "message": {"content": [7, None, {"type": "tool_result", "tool_use_id": {}}]}},
        {"type": "assistant", "message": {"content": "text"}},
        {"type": "assistant", "message": {"content": [{"type": "tool_use", "id": [], "name": {}}]}},
        {"type": ["user"], "message": {"content": "x"}},
        {"type": "permission-mode", "permissionMode": {}},
    ],
)
def test_values_of_other_types_do_no_harm(entry: Any) -> None:
    """What is not of the expected type is read as absent."""
    turns = ClaudeCodeReader("s", set()).read(json.dumps(entry).encode())
    assert not [turn for turn in turns if isinstance(turn, WordsTurn | CallTurn)]


def test_deep_arguments_and_long_texts_are_bounded() -> None:
    """Deeply nested arguments are unreadable, and a long result is cut and counted."""
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    reader = ClaudeCodeReader("s", set())
    made = Claude().call("Bash", {"command": deep}, None).call("Bash", {"command": "a"}, "x" * (MAX_TEXT + 1))
    turns = _read(made.text(), reader)
    assert len([turn for turn in turns if isinstance(turn, CallTurn)]) == 1
    assert [len(turn.text) for turn in turns if isinstance(turn, ResultTurn)] == [MAX_TEXT]
    assert (reader.counts.unreadable, reader.counts.cut) == (1, 1)
