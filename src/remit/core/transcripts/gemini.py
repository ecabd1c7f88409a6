# SPDX-License-Identifier: Apache-2.0
"""Transcripts of the Gemini CLI: `~/.gemini/tmp/PROJECT/chats/session-*`, one JSON object, or one per line.

Messages of the model hold their tool calls together with the results, and are written again as they grow, so
each call counts once, in its last form. Nothing marks who wrote a message of type `user`: its origin is
unknown. A file does not name its folder; the file `.project_root` beside it may.
"""

from __future__ import annotations

from typing import Any

from remit.core.coding.calls import GEMINI
from remit.core.transcripts.turns import (
    CallAnswer,
    CallTurn,
    ReadCounts,
    ResultTurn,
    Turn,
    WordsOrigin,
    WordsTurn,
    decoded,
    sound,
    string,
    text_of,
)


class GeminiReader:
    """Reads one transcript, whole or line by line."""

    client = GEMINI

    def __init__(self, session: str, workspace: str = "") -> None:
        """Begin with what the file's name and folder say."""
        self.session = session
        self.workspace = workspace
        self.parent = ""
        self.counts = ReadCounts()
        self._said: set[str] = set()
        self._called: set[str] = set()

    def read(self, line: bytes) -> list[Turn]:
        """Return the turns of a line, or of a whole session in one object."""
        entry = decoded(line, self.counts)
        if entry is None:
            return []
        if found := string(entry.get("sessionId")):
            self.session = found
        folders = entry.get("directories")
        if not self.workspace and isinstance(folders, list) and folders:
            self.workspace = string(folders[0])
        change = entry.get("$set")
        messages = entry.get("messages")
        if isinstance(change, dict):
            messages = change.get("messages")
        if isinstance(messages, list):
            return [turn for one in messages if isinstance(one, dict) for turn in self._message(one)]
        return self._message(entry) if "type" in entry else []

    def _message(self, message: dict[str, Any]) -> list[Turn]:
        number = string(message.get("id"))
        kind = message.get("type")
        if kind == "user":
            if number and number in self._said:
                return []
            self._said.add(number)
            text = text_of(message.get("content"), self.counts)
            system = text.lstrip().startswith("<session_context>")
            origin = WordsOrigin.SYSTEM if system else WordsOrigin.UNKNOWN
            return [WordsTurn(text=text, origin=origin)] if text.strip() else []
        calls = message.get("toolCalls")
        return [turn for one in calls for turn in self._call(one)] if isinstance(calls, list) else []

    def _call(self, call: object) -> list[Turn]:
        if not isinstance(call, dict):
            return []
        number, name, given = string(call.get("id")), string(call.get("name")), call.get("args")
        status = call.get("status")
        if status not in ("success", "error", "cancelled") or number in self._called:
            return []  # not finished: a later form of the message has the result
        if not name or not sound(given):
            self.counts.unreadable += 1
            return []
        self._called.add(number)
        answer = CallAnswer.REJECTED if status == "cancelled" else CallAnswer.DONE
        text = text_of(call.get("resultDisplay"), self.counts) or self._response(call.get("result"))
        return [
            CallTurn(id=number, name=name, arguments=given, cwd=self.workspace),
            ResultTurn(id=number, text=text, error=status == "error", answer=answer),
        ]

    def _response(self, result: object) -> str:
        """Return the texts of `functionResponse` parts."""
        texts = []
        for part in result if isinstance(result, list) else ():
            response = part.get("functionResponse") if isinstance(part, dict) else None
            inner = response.get("response") if isinstance(response, dict) else None
            if isinstance(inner, dict):
                texts.append(text_of(inner.get("output", inner.get("error")), self.counts))
        return "\n".join(texts)
