# SPDX-License-Identifier: Apache-2.0
"""The end of Claude Code's transcripts, for the marks of a prompt's author."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from remit.core.tasks.model_usage import MAX_TOKENS, ModelCall

#: A prompt stands at the end: this much of a file is read.
_TAIL_BYTES: Final = 512 * 1024
#: A prompt is compared by its beginning: the client may shorten a long one.
_COMPARED: Final = 2000


_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_TOKENS)]


class _Usage(msgspec.Struct, frozen=True):
    input_tokens: _Count = 0
    output_tokens: _Count = 0
    cache_creation_input_tokens: _Count | None = None
    cache_read_input_tokens: _Count | None = None


class _Message(msgspec.Struct, frozen=True):
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    usage: _Usage
    model: str = ""

    @property
    def call(self) -> ModelCall:
        """The model call that the message answers; what a cache held was read, too."""
        told = self.usage
        cached, written = told.cache_read_input_tokens or 0, told.cache_creation_input_tokens or 0
        return ModelCall(
            span=f"claude-code/{self.id}",
            model=self.model[:80],
            input_tokens=told.input_tokens + cached + written,
            output_tokens=told.output_tokens,
            cached_tokens=cached,
            cache_write_tokens=written,
        )


class _Answered(msgspec.Struct, frozen=True):
    type: str = ""
    message: _Message | None = None


class ClaudeTranscripts:
    """`ports.runtime.Transcripts` for `~/.claude/projects` of this user."""

    def __init__(self, folder: Path | None = None) -> None:
        """Take the client's folder (default: `$CLAUDE_CONFIG_DIR`, else `~/.claude`)."""
        own = folder or Path(os.environ.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude")
        self._folder = os.path.realpath(own / "projects")

    def marks(self, path: str, prompt: str, text: str) -> list[tuple[str, str]]:
        """Return origin and source of each entry of a prompt."""
        found: list[tuple[str, str]] = []
        for line in self._tail(path):
            try:
                entry = msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            if isinstance(entry, dict) and _said(entry, text):
                known = entry.get("promptId")
                if not (isinstance(known, str) and prompt) or known == prompt:
                    found.append(_marks(entry))
        return found

    def usage(self, path: str) -> list[ModelCall]:
        """Return the model calls at the end of a transcript, by the ids of the model's messages.

        A message stands in several lines; the last one has its final counts.
        """
        found: dict[str, ModelCall] = {}
        for line in self._tail(path):
            try:
                entry = msgspec.json.decode(line, type=_Answered)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            if entry.type == "assistant" and entry.message is not None:
                call = entry.message.call
                found[call.span] = call
        return list(found.values())

    def _tail(self, path: str) -> list[bytes]:
        try:
            real = os.path.realpath(path)
            if not real.startswith(self._folder + os.sep):
                return []
            with open(real, "rb", opener=_opener) as opened:
                status = os.fstat(opened.fileno())
                if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                    return []
                start = max(0, status.st_size - _TAIL_BYTES)
                opened.seek(start)
                lines = opened.read(_TAIL_BYTES).split(b"\n")
        except (OSError, ValueError):
            return []
        return lines[1:] if start else lines


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _said(entry: dict[str, Any], text: str) -> bool:
    message = entry.get("message")
    content = message.get("content") if entry.get("type") == "user" and isinstance(message, dict) else None
    if isinstance(content, list):
        parts = [one.get("text") for one in content if isinstance(one, dict) and one.get("type") == "text"]
        content = "\n".join(one for one in parts if isinstance(one, str))
    return isinstance(content, str) and content.strip()[:_COMPARED] == text.strip()[:_COMPARED]


def _marks(entry: dict[str, Any]) -> tuple[str, str]:
    origin, source = entry.get("origin"), entry.get("promptSource")
    kind = origin.get("kind") if isinstance(origin, dict) else None
    if (
        entry.get("isMeta") is True
        or entry.get("isSidechain") is True
        or entry.get("isCompactSummary") is True
    ):
        return "system", "system"
    return kind if isinstance(kind, str) else "", source if isinstance(source, str) else ""
