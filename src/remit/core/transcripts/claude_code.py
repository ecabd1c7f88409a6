# SPDX-License-Identifier: Apache-2.0
"""Transcripts of Claude Code: `~/.claude/projects/FOLDER/SESSION.jsonl`, one entry a line.

The model's messages hold `tool_use` blocks; entries of type `user` hold results, the person's prompts, and
much that neither wrote: notifications, reminders, prompts that the model scheduled. An entry's marks
(`origin`, `promptSource`) tell them apart since 2.1; without a mark the origin is unknown. Entries with
`isSidechain`, and files below `subagents/`, are a subagent's.
"""

from __future__ import annotations

from typing import Any, Final

from remit.core.coding.calls import CLAUDE_CODE
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

#: Sources of a prompt that a person typed. An accepted suggestion is in the model's words.
_TYPED: Final = frozenset({"typed", "queued"})
_REJECTED: Final = (
    "The user doesn't want to proceed with this tool use",
    "The user doesn't want to take this action",
)
_REFUSED: Final = ("Permission to use ", "Claude requested permissions to ", "This command requires approval")
_SUBAGENT: Final = "subagent"


class ClaudeCodeReader:
    """Reads one transcript. `seen` holds the entries of earlier files: resumed sessions repeat them."""

    client = CLAUDE_CODE

    def __init__(self, session: str, seen: set[int], *, subagent: bool = False) -> None:
        """Begin with the session's id as the file's name gives it."""
        self.session = session
        self.workspace = ""
        self.parent = ""
        self.counts = ReadCounts()
        self._seen = seen
        self._subagent = subagent
        self._mode: dict[str, str] = {}
        self._calls: set[str] = set()

    def read(self, line: bytes) -> list[Turn]:
        """Return the turns of an entry."""
        entry = decoded(line, self.counts)
        if entry is None:
            return []
        kind = entry.get("type")
        if kind == "permission-mode":
            return self._moded(entry, "")
        if kind not in ("user", "assistant") or self._repeated(entry):
            return []
        cwd = string(entry.get("cwd"))
        self.workspace = self.workspace or cwd
        if self._subagent:
            self.parent = self.parent or string(entry.get("sessionId"))
        side = entry.get("isSidechain") is True and not self._subagent
        chain = (string(entry.get("agentId")) or _SUBAGENT) if side else ""
        message = entry.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        found = self._moded(entry, chain)
        if kind == "assistant":
            return found + self._called(content, cwd, chain)
        return found + self._answered(entry, content, chain)

    def _repeated(self, entry: dict[str, Any]) -> bool:
        uuid = string(entry.get("uuid"))
        if not uuid:
            return False
        mark = hash(uuid)
        if mark in self._seen:
            self.counts.repeated += 1
            return True
        self._seen.add(mark)
        return False

    def _moded(self, entry: dict[str, Any], chain: str) -> list[Turn]:
        mode = string(entry.get("permissionMode"))
        if not mode or self._mode.get(chain) == mode:
            return []
        self._mode[chain] = mode
        return [ModeTurn(mode=mode, chain=chain)]

    def _called(self, content: object, cwd: str, chain: str) -> list[Turn]:
        found: list[Turn] = []
        for block in content if isinstance(content, list) else ():
            if not isinstance(block, dict) or block.get("type") != "tool_use":
                continue
            number, name, given = string(block.get("id")), string(block.get("name")), block.get("input")
            if not name or number in self._calls or not sound(given):
                self.counts.unreadable += not name or not sound(given)
                continue
            self._calls.add(number)
            found.append(CallTurn(id=number, name=name, arguments=given, cwd=cwd, chain=chain))
        return found

    def _answered(self, entry: dict[str, Any], content: object, chain: str) -> list[Turn]:
        blocks = content if isinstance(content, list) else []
        results: list[Turn] = [
            self._result(one, chain)
            for one in blocks
            if isinstance(one, dict) and one.get("type") == "tool_result"
        ]
        if results:
            return results
        text = text_of(content, self.counts)
        return [WordsTurn(text=text, origin=self._origin(entry, chain), chain=chain)] if text.strip() else []

    def _result(self, block: dict[str, Any], chain: str) -> ResultTurn:
        text = text_of(block.get("content"), self.counts)
        error = block.get("is_error") is True
        answer = CallAnswer.DONE
        if error and text.startswith(_REJECTED):
            answer = CallAnswer.REJECTED
        elif error and text.startswith(_REFUSED):
            answer = CallAnswer.REFUSED
        return ResultTurn(
            id=string(block.get("tool_use_id")), text=text, error=error, answer=answer, chain=chain
        )

    def _origin(self, entry: dict[str, Any], chain: str) -> WordsOrigin:
        """Return whose words an entry holds. Each of its marks must say so, and one mark is needed."""
        if chain or self._subagent or entry.get("isMeta") is True or entry.get("isCompactSummary") is True:
            return WordsOrigin.SYSTEM
        origin, source = entry.get("origin"), entry.get("promptSource")
        kind = origin.get("kind") if isinstance(origin, dict) else None
        if kind is None and source is None:
            return WordsOrigin.UNKNOWN
        if kind not in (None, "human") or source not in (None, *_TYPED):
            return WordsOrigin.SYSTEM
        return WordsOrigin.HUMAN
