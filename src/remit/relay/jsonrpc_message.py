# SPDX-License-Identifier: Apache-2.0
"""The transport's view of a JSON-RPC message: request, notification or answer, and its ID."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec

Id = str | int | float | None


class Envelope(msgspec.Struct, frozen=True):
    """The members of a message that the transport reads."""

    id: Id | msgspec.UnsetType = msgspec.UNSET
    method: str = ""
    params: Any = None

    @property
    def is_request(self) -> bool:
        """Whether the message needs an answer."""
        return bool(self.method) and self.id is not msgspec.UNSET

    @property
    def is_answer(self) -> bool:
        """Whether the message is a result or an error."""
        return not self.method and self.id is not msgspec.UNSET


class MessageOutline(msgspec.Struct, frozen=True):
    """Like `Envelope`, without potentially large members."""

    id: Id | msgspec.UnsetType = msgspec.UNSET
    method: str = ""


# A request's ID precedes its params, or follows them: then only the end of the object comes after it.
_ID: Final = rb'"id"\s*:\s*(-?[0-9]{1,16}|"(?:[^"\\]|\\.){0,128}")'
_OTHER: Final = rb'"(?:jsonrpc|method)"\s*:\s*"[^"\\]{0,128}"'
_ID_AT_START: Final = re.compile(rb"\s*\{\s*(?:" + _OTHER + rb"\s*,\s*){0,2}" + _ID + rb"\s*[,}]")
_ID_AT_END: Final = re.compile(rb"[,{]\s*" + _ID + rb"\s*(?:,\s*" + _OTHER + rb"\s*){0,2}\}\s*\Z")

_READ = msgspec.json.Decoder(Envelope)
_LOOK = msgspec.json.Decoder(MessageOutline)


def read_message(line: bytes) -> Envelope:
    """Read a message; raise `msgspec.DecodeError` or, for a value that is no object, `ValidationError`."""
    return _READ.decode(line)


def id_key(id: Id | msgspec.UnsetType) -> Id:
    """Return an ID as a key that distinguishes 1 from "1"."""
    return f"s{id}" if isinstance(id, str) else None if id is msgspec.UNSET else id


def look(data: bytes) -> Envelope:
    """Read only ID and method; return an empty envelope for an unreadable message."""
    try:
        shape = _LOOK.decode(data)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        return Envelope()
    return Envelope(id=shape.id, method=shape.method)


def guess_id(head: bytes, tail: bytes) -> Id:
    """Find the ID of a message that is too long to read, from its two ends; None if there is none."""
    found = _ID_AT_START.match(head) or _ID_AT_END.search(tail)
    if found is None:
        return None
    try:
        return msgspec.json.decode(found[1], type=str | int)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def one_line(data: bytes) -> bytes:
    """Return a JSON text in one line; line breaks inside strings are always escaped, so the value is
    unchanged.
    """
    return data.replace(b"\r", b" ").replace(b"\n", b" ")


def next_cursor(body: bytes) -> str:
    """Return the cursor of the next page of a list; empty at its end."""
    try:
        cursor = json.loads(body)["result"].get("nextCursor")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return cursor if isinstance(cursor, str) else ""
