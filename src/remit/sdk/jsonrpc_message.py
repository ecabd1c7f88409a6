# SPDX-License-Identifier: Apache-2.0
"""What a transport reads of a JSON-RPC message: whether it asks, tells or answers, and to which id."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec

Id = str | int | float | None


class Envelope(msgspec.Struct, frozen=True):
    """What the transport reads of a message."""

    id: Id | msgspec.UnsetType = msgspec.UNSET
    method: str = ""
    params: Any = None

    @property
    def is_request(self) -> bool:
        """Whether an answer is owed."""
        return bool(self.method) and self.id is not msgspec.UNSET

    @property
    def is_answer(self) -> bool:
        """Whether this is a result or an error."""
        return not self.method and self.id is not msgspec.UNSET


class MessageOutline(msgspec.Struct, frozen=True):
    """As `Envelope`, without what may be large."""

    id: Id | msgspec.UnsetType = msgspec.UNSET
    method: str = ""


# A request's id stands before its params or behind them: then nothing but the object's own end follows.
_ID: Final = rb'"id"\s*:\s*(-?[0-9]{1,16}|"(?:[^"\\]|\\.){0,128}")'
_OTHER: Final = rb'"(?:jsonrpc|method)"\s*:\s*"[^"\\]{0,128}"'
_ID_AT_START: Final = re.compile(rb"\s*\{\s*(?:" + _OTHER + rb"\s*,\s*){0,2}" + _ID + rb"\s*[,}]")
_ID_AT_END: Final = re.compile(rb"[,{]\s*" + _ID + rb"\s*(?:,\s*" + _OTHER + rb"\s*){0,2}\}\s*\Z")

_READ = msgspec.json.Decoder(Envelope)
_LOOK = msgspec.json.Decoder(MessageOutline)


def read_message(line: bytes) -> Envelope:
    """Read a message; raises `msgspec.DecodeError` or, for what is no object, `ValidationError`."""
    return _READ.decode(line)


def id_key(id: Id | msgspec.UnsetType) -> Id:
    """Return an id as a key that tells 1 from "1"."""
    return f"s{id}" if isinstance(id, str) else None if id is msgspec.UNSET else id


def look(data: bytes) -> Envelope:
    """Read id and method alone; an empty envelope where there is nothing to read."""
    try:
        shape = _LOOK.decode(data)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        return Envelope()
    return Envelope(id=shape.id, method=shape.method)


def guess_id(head: bytes, tail: bytes) -> Id:
    """Find the id of a message that cannot be read as a whole, from its two ends; None for none."""
    found = _ID_AT_START.match(head) or _ID_AT_END.search(tail)
    if found is None:
        return None
    try:
        return msgspec.json.decode(found[1], type=str | int)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def one_line(data: bytes) -> bytes:
    """Return a JSON text in one line; a line break inside a string is always escaped, so nothing changes."""
    return data.replace(b"\r", b" ").replace(b"\n", b" ")


def next_cursor(body: bytes) -> str:
    """Return where a list goes on; empty at its end."""
    try:
        cursor = json.loads(body)["result"].get("nextCursor")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return cursor if isinstance(cursor, str) else ""
