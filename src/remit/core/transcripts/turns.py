# SPDX-License-Identifier: Apache-2.0
"""The turns of a session, in the order of its transcript, and what every reader of transcripts shares."""

from __future__ import annotations

import enum
from typing import Any, Final, Protocol

import msgspec

from remit.core.json_value import Json

MAX_TEXT: Final = 200_000
"""Longest text of a turn, in characters; the rest is left out and the turn is marked as cut."""
MAX_DEPTH: Final = 64
"""Deepest nesting of a call's arguments; deeper ones are unreadable."""


class WordsOrigin(enum.StrEnum):
    """Where words come from, as far as a transcript marks it. Only a person's words are intent."""

    HUMAN = "human"
    SYSTEM = "system"
    UNKNOWN = "unknown"


class CallAnswer(enum.StrEnum):
    """How a call ended: with a result, refused by the person, or refused by the client's own rules."""

    DONE = "done"
    REJECTED = "rejected"
    REFUSED = "refused"


class WordsTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A message to the assistant. `chain` is empty for the session itself, else it names a subagent."""

    text: str
    origin: WordsOrigin
    chain: str = ""


class CallTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a tool, under the client's name for it, made in the folder `cwd`.

    `escalated`: the call itself asks for more than the client's sandbox permits.
    """

    id: str
    name: str
    arguments: Json
    cwd: str = ""
    chain: str = ""
    escalated: bool = False


class ResultTurn(msgspec.Struct, frozen=True, kw_only=True):
    """What came back for a call."""

    id: str
    text: str
    error: bool = False
    answer: CallAnswer = CallAnswer.DONE
    chain: str = ""


class ModeTurn(msgspec.Struct, frozen=True, kw_only=True):
    """The permission mode, or approval policy, of the following turns."""

    mode: str
    chain: str = ""


Turn = WordsTurn | CallTurn | ResultTurn | ModeTurn


class ReadCounts(msgspec.Struct):
    """What a reader has seen of one transcript."""

    lines: int = 0
    unreadable: int = 0
    repeated: int = 0
    cut: int = 0


class TranscriptReader(Protocol):
    """Reads one transcript line by line. It keeps ids alone, so its memory does not grow with texts."""

    client: str
    session: str
    workspace: str
    parent: str
    counts: ReadCounts

    def read(self, line: bytes) -> list[Turn]:
        """Return the turns of a line; an unreadable one is counted and has none."""
        ...


def decoded(line: bytes, counts: ReadCounts) -> dict[str, Any] | None:
    """Return the object of a line; anything else is counted as unreadable."""
    counts.lines += 1
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        counts.unreadable += 1
        return None
    if not isinstance(found, dict):
        counts.unreadable += 1
        return None
    return found


def text_of(value: object, counts: ReadCounts) -> str:
    """Return the text of a content, which is a text or a list of blocks; pictures and the like have none."""
    if isinstance(value, str):
        found = value
    elif isinstance(value, list):
        parts = (
            one if isinstance(one, str) else one.get("text") for one in value if isinstance(one, str | dict)
        )
        found = "\n".join(one for one in parts if isinstance(one, str))
    elif isinstance(value, dict):
        inner = value.get("text", value.get("output", value.get("content")))
        found = text_of(inner, counts) if isinstance(inner, str | list) else ""
    else:
        found = ""
    if len(found) > MAX_TEXT:
        counts.cut += 1
        return found[:MAX_TEXT]
    return found


def sound(value: object, depth: int = 0) -> bool:
    """Return whether a value's nesting is shallow enough for everything that reads it."""
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, dict):
        return all(sound(one, depth + 1) for one in value.values())
    if isinstance(value, list):
        return all(sound(one, depth + 1) for one in value)
    return True


def string(value: object) -> str:
    """Return a value that should be a short text; anything else is empty."""
    return value[:4096] if isinstance(value, str) else ""
