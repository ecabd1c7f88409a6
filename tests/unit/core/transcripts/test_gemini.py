# SPDX-License-Identifier: Apache-2.0
"""Transcripts of the Gemini CLI as turns."""

import json
from typing import Any

from remit.core.transcripts.gemini import GeminiReader
from remit.core.transcripts.turns import CallAnswer, CallTurn, ResultTurn, Turn, WordsOrigin, WordsTurn

CALL = {
    "id": "1",
    "name": "run_shell_command",
    "args": {"command": "ls"},
    "status": "success",
    "result": [{"functionResponse": {"response": {"output": "a.py"}}}],
}


def _read(*entries: Any, workspace: str = "/home/ada/shop") -> list[Turn]:
    reader = GeminiReader("file", workspace)
    return [turn for one in entries for turn in reader.read(json.dumps(one).encode())]


def test_a_session_in_one_object_is_read() -> None:
    """The form before the lines: one object with all messages."""
    messages = [
        {"id": "m1", "type": "user", "content": "List"},
        {"id": "m2", "type": "gemini", "toolCalls": [CALL]},
    ]
    words, call, result = _read({"sessionId": "s", "projectHash": "h", "messages": messages})
    assert words == WordsTurn(text="List", origin=WordsOrigin.UNKNOWN)
    assert isinstance(call, CallTurn)
    assert call.arguments == {"command": "ls"}
    assert result == ResultTurn(id="1", text="a.py")


def test_a_message_that_is_written_again_counts_once() -> None:
    """Lines repeat a growing message; a call counts when it is finished."""
    waiting = {"id": "m2", "type": "gemini", "toolCalls": [{**CALL, "status": "executing"}]}
    done = {"id": "m2", "type": "gemini", "toolCalls": [CALL]}
    turns = _read(waiting, done, {"$set": {"messages": [done]}}, {"$set": {"summary": "x"}})
    assert [type(turn) for turn in turns] == [CallTurn, ResultTurn]


def test_a_cancelled_call_was_rejected() -> None:
    """The person cancelled it, so it did not run."""
    _, result = _read({"id": "m", "type": "gemini", "toolCalls": [{**CALL, "status": "cancelled"}]})
    assert isinstance(result, ResultTurn)
    assert result.answer is CallAnswer.REJECTED


def test_the_context_of_a_session_is_no_message_of_the_person() -> None:
    """The first message of the role `user` is the client's own."""
    (words,) = _read(
        {"id": "m", "type": "user", "content": [{"text": "<session_context>tree</session_context>"}]}
    )
    assert isinstance(words, WordsTurn)
    assert words.origin is WordsOrigin.SYSTEM
