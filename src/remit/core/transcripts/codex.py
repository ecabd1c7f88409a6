# SPDX-License-Identifier: Apache-2.0
"""Transcripts of the Codex CLI: `~/.codex/sessions/YYYY/MM/DD/rollout-*.jsonl`, one item a line.

Each line has a `type` and a `payload`; older files hold the payload alone. `event_msg/user_message` is what
the person sent; `response_item` messages of the role `user` also carry instructions and the environment, so
they are not read as words. Sessions that a program started, or another agent, have no person's words.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import msgspec

from remit.core.coding.calls import CODEX
from remit.core.json_value import Json
from remit.core.transcripts.turns import (
    CallAnswer,
    CallTurn,
    ModeTurn,
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

#: Where a person sits: the terminal, the editor. `exec` is a program's.
_INTERACTIVE: Final = frozenset({"cli", "vscode"})
_REJECTED: Final = (
    "exec command rejected by user",
    "patch rejected by user",
    "rejected by user",
    "aborted by user",
)
_ESCALATED: Final = "require_escalated"


class CodexReader:
    """Reads one transcript."""

    client = CODEX

    def __init__(self, session: str) -> None:
        """Begin with the session's id as the file's name gives it."""
        self.session = session
        self.workspace = ""
        self.parent = ""
        self.counts = ReadCounts()
        self._cwd = ""
        self._source = ""
        self._mode = ""
        self._calls: set[str] = set()

    def read(self, line: bytes) -> list[Turn]:
        """Return the turns of an item."""
        entry = decoded(line, self.counts)
        if entry is None:
            return []
        payload = entry.get("payload")
        kind = entry.get("type")
        if not isinstance(payload, dict):
            # The form before envelopes: the first line names the session, the others are items.
            payload, kind = entry, "session_meta" if "type" not in entry else "response_item"
        if kind == "session_meta":
            self._meta(payload)
        elif kind == "turn_context":
            return self._context(payload)
        elif kind == "event_msg":
            return self._event(payload)
        elif kind == "response_item":
            return self._item(payload)
        return []

    def _meta(self, payload: dict[str, Any]) -> None:
        if found := string(payload.get("id")):
            self.session = found
        self._enter(string(payload.get("cwd")))
        source = payload.get("source")
        self._source = string(source)
        if isinstance(source, dict):
            spawned = source.get("subagent")
            spawned = spawned.get("thread_spawn") if isinstance(spawned, dict) else None
            self.parent = string(spawned.get("parent_thread_id")) if isinstance(spawned, dict) else ""
            self._source = "subagent"

    def _enter(self, cwd: str) -> None:
        if cwd:
            self._cwd = cwd
            self.workspace = self.workspace or cwd

    def _context(self, payload: dict[str, Any]) -> list[Turn]:
        self._enter(string(payload.get("cwd")))
        mode = string(payload.get("approval_policy"))
        if not mode or mode == self._mode:
            return []
        self._mode = mode
        return [ModeTurn(mode=mode)]

    def _event(self, payload: dict[str, Any]) -> list[Turn]:
        if payload.get("type") != "user_message":
            return []
        text = text_of(payload.get("message"), self.counts)
        plain = payload.get("kind") in (None, "plain")
        origin = WordsOrigin.UNKNOWN
        if self._source == "subagent" or not plain:
            origin = WordsOrigin.SYSTEM
        elif self._source in _INTERACTIVE:
            origin = WordsOrigin.HUMAN
        return [WordsTurn(text=text, origin=origin)] if text.strip() else []

    def _item(self, payload: dict[str, Any]) -> list[Turn]:
        kind = string(payload.get("type"))
        number = string(payload.get("call_id")) or string(payload.get("id"))
        if kind in ("function_call", "custom_tool_call"):
            return self._called(number, string(payload.get("name")), payload)
        if kind == "local_shell_call":
            action = payload.get("action")
            given = action if isinstance(action, dict) else {}
            where = string(given.get("working_directory"))
            return self._call(number, "local_shell", {"command": given.get("command"), "workdir": where})
        if kind == "web_search_call":
            action = payload.get("action")
            query = action.get("query") if isinstance(action, dict) else ""
            return self._call(number, "web_search", {"query": string(query)})
        if kind in ("function_call_output", "custom_tool_call_output"):
            return [self._result(number, payload.get("output"))]
        return []

    def _called(self, number: str, name: str, payload: dict[str, Any]) -> list[Turn]:
        space = string(payload.get("namespace"))
        if space and not name.startswith(space):
            name = f"{space.rstrip('_')}__{name}"
        given: Json = payload.get("arguments", payload.get("input"))
        if isinstance(given, str) and payload.get("type") == "function_call":
            try:
                given = msgspec.json.decode(given)
            except (msgspec.DecodeError, RecursionError):
                self.counts.unreadable += 1
                given = {"input": given}
        return self._call(number, name, given)

    def _call(self, number: str, name: str, given: Json) -> list[Turn]:
        if not name or not sound(given):
            self.counts.unreadable += 1
            return []
        if number and number in self._calls:
            return []
        self._calls.add(number)
        escalated = isinstance(given, dict) and (
            given.get("with_escalated_permissions") is True or given.get("sandbox_permissions") == _ESCALATED
        )
        return [CallTurn(id=number, name=name, arguments=given, cwd=self._cwd, escalated=escalated)]

    def _result(self, number: str, output: object) -> ResultTurn:
        error = False
        if isinstance(output, str) and output[:1] == "{":
            # A result that only looks like JSON is a text.
            with suppress(msgspec.DecodeError, RecursionError):
                output = msgspec.json.decode(output)
        if isinstance(output, dict):
            facts = output.get("metadata")
            code = facts.get("exit_code") if isinstance(facts, dict) else None
            error = (isinstance(code, int) and code != 0) or output.get("success") is False
        text = text_of(output, self.counts)
        rejected = text.strip()[:80].lower().startswith(_REJECTED)
        return ResultTurn(
            id=number, text=text, error=error, answer=CallAnswer.REJECTED if rejected else CallAnswer.DONE
        )
