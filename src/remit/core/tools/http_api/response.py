# SPDX-License-Identifier: Apache-2.0
"""The answer of an HTTP API: what of its head is passed on, how its body is cut, and how that is read.

Headers pass by name: those that describe the body, those that a client needs for its next request, and those
that the document declares. Cookies, challenges and whatever else speaks to a client about credentials never
do. A `Location` is passed on where it lies within the API, as an address below it.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urljoin, urlsplit

import msgspec

from remit.core.errors import Malformed
from remit.core.tools.http_api.request_text import segments_of

MAX_VALUE: Final = 4096
#: Of the names of headers that were left out, as many are told.
MAX_TOLD: Final = 16
_ALWAYS: Final = frozenset(
    {
        "allow", "content-disposition", "content-language", "deprecation", "etag", "last-modified",
        "preference-applied", "ratelimit", "ratelimit-limit", "ratelimit-policy", "ratelimit-remaining",
        "ratelimit-reset", "retry-after", "sunset", "x-ratelimit-limit", "x-ratelimit-remaining",
        "x-ratelimit-reset", "x-total-count",
    }
)  # fmt: skip
#: What frames a message or is of one connection: nothing that anybody misses.
_FRAMING: Final = frozenset(
    {
        "accept-ranges", "cache-control", "connection", "content-encoding", "content-length", "date",
        "keep-alive", "server", "transfer-encoding", "vary", "x-content-type-options", "x-powered-by",
    }
)  # fmt: skip
_VALUE = re.compile(r"[\x20-\x7e\xa0-\xff]*")
_MEDIA = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]{1,80}/[A-Za-z0-9!#$&^_.+-]{1,80}"
    r'(?: *; *[A-Za-z0-9!#$&^_.+-]{1,40}=(?:[A-Za-z0-9!#$&^_.:+/-]{1,120}|"[A-Za-z0-9 !#$&^_.:+/-]{0,120}"))*'
)
_CHARSET = re.compile(r'; *charset="?([a-z0-9_:.+-]+)"?')
_READABLE: Final = frozenset(
    {"", "utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1", "windows-1252"}
)
_LINES: Final = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-seq"}
)
_TEXTS: Final = frozenset(
    {
        "application/xml", "application/yaml", "application/x-yaml", "application/javascript",
        "application/x-www-form-urlencoded", "application/graphql",
    }
)  # fmt: skip
_EVENT_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
#: As much of the end of an event may have come before the rest of it.
_END_BYTES: Final = 3
_RUN = re.compile("[^\x00-\x08\x0e-\x1f\x7f\ufffd]{6,}")


class ReplyPiece(enum.StrEnum):
    """What a chunk of an HTTP answer is; the method of the chunk. Values of `Chunk.method`."""

    HEAD = "http/head"
    JSON = "http/json"
    TEXT = "http/text"
    EVENTS = "http/events"
    LINES = "http/lines"
    BYTES = "http/bytes"


class ReplyHead(msgspec.Struct, frozen=True):
    """What of an answer's head is passed on: the JSON of a `ReplyPiece.HEAD`.

    `location` is an address below the API, `left_out` are names of headers that are not passed on.
    """

    status: int
    headers: dict[str, str] = {}
    location: str = ""
    left_out: tuple[str, ...] = ()


class ApiReply(msgspec.Struct, frozen=True):
    """A head, and what its body is to be read as."""

    head: ReplyHead
    piece: ReplyPiece


def read_head(
    status: int, headers: Iterable[tuple[bytes, bytes]], *, base: str, gives: frozenset[str], asked: str
) -> ApiReply:
    """Judge the head of an answer. `base` is the address of the API without a slash at its end, `asked` the
    path that was asked below it, `gives` are the headers that the operation declares.
    """
    given: dict[str, list[str]] = {}
    for raw, value in headers:
        given.setdefault(raw.decode("latin-1").lower()[:64], []).append(value.decode("latin-1").strip())
    media, location = _only(given.pop("content-type", [])), _only(given.pop("location", [""]))
    found: dict[str, str] = {}
    left_out: list[str] = []
    for name, texts in given.items():
        text = _only(texts)
        if (name in _ALWAYS or name in gives) and text is not None:
            found[name] = text
        elif name not in _FRAMING:
            left_out.append(name)
    if media is None or not _MEDIA.fullmatch(media):
        # Without a type a body is taken for anything by some readers.
        media = "application/octet-stream"
    found["content-type"] = media
    below = located(location, base, asked) if location else ""
    if location != below and not below:
        left_out.append("location")
    return ApiReply(ReplyHead(status, found, below, tuple(sorted(left_out))[:MAX_TOLD]), piece_of(media))


def _only(texts: list[str]) -> str | None:
    """Return the one value of a header; None for several (readers would differ) or a strange one."""
    if len(texts) == 1 and len(texts[0]) <= MAX_VALUE and _VALUE.fullmatch(texts[0]):
        return texts[0]
    return None


def located(location: str, base: str, asked: str) -> str:
    """Return the address below the API that a `Location` names, empty where it lies elsewhere or nowhere."""
    if len(location) > MAX_VALUE or not re.fullmatch(r"[\x21-\x7e]+", location) or "\\" in location:
        return ""
    try:
        there = urljoin(base + asked, location)
        parts = urlsplit(there)
        own = urlsplit(base)
        if (parts.scheme, parts.netloc) != (own.scheme, own.netloc) or "@" in parts.netloc:
            return ""
        if own.path and not parts.path.startswith(own.path + "/"):
            return ""
        path = parts.path[len(own.path) :]
        # Read as a request would be: nothing in it may lead elsewhere.
        segments_of(path.encode("ascii"))
    except (ValueError, Malformed):
        return ""
    return path + (f"?{parts.query}" if parts.query else "")


def piece_of(media: str) -> ReplyPiece:
    """Return what a body of this media type is read as. Of a character set that is not read it is bytes."""
    kind, lower = media.partition(";")[0].strip().lower(), media.lower()
    charset = _CHARSET.search(lower)
    if charset is not None and charset[1] not in _READABLE:
        return ReplyPiece.BYTES
    if kind == "application/json" or kind.endswith("+json"):
        return ReplyPiece.JSON
    if kind == "text/event-stream":
        return ReplyPiece.EVENTS
    if kind in _LINES:
        return ReplyPiece.LINES
    if kind.startswith("text/") or kind in _TEXTS or kind.endswith("+xml"):
        return ReplyPiece.TEXT
    return ReplyPiece.BYTES


def complete(piece: ReplyPiece, waiting: bytes | bytearray, seen: int = 0) -> int:
    """Return how many of the bytes that wait make whole events or lines; the others wait for more.

    The first `seen` were looked at before and made none: they are not looked at again, or what comes in many
    small pieces would cost the square of its size.
    """
    if piece is ReplyPiece.EVENTS:
        end = 0
        for found in _EVENT_END.finditer(waiting, max(0, seen - _END_BYTES)):
            end = found.end()
        return end
    if piece is ReplyPiece.BYTES:
        return len(waiting)
    return waiting.rfind(b"\n", seen) + 1


def read_piece(piece: ReplyPiece, body: bytes, before: bytes = b"") -> tuple[list[str], list[str]]:
    """Return the texts of a piece of a body, and what of it stands in no field and may be read as any.

    Each text is JSON, or text. Bytes that are no text are read for the texts in them, and stand in no field:
    what else they hold nobody can tell.
    """
    if piece is ReplyPiece.BYTES:
        return [], ["\n".join(_RUN.findall((before + body).decode("utf-8", "replace")))]
    text = (before + body).decode("utf-8", "replace")
    if piece is ReplyPiece.LINES:
        return [line for line in re.split(r"[\n\x1e]+", text) if line.strip()], []
    if piece is not ReplyPiece.EVENTS:
        return [text], []
    data: list[str] = []
    beside: list[str] = []
    for event in re.split(r"(?>\r\n|\n|\r)(?>\r\n|\n|\r)", text):
        lines = re.split(r"\r\n|\n|\r", event)
        said = [line[5:].removeprefix(" ") for line in lines if line.startswith("data:")]
        if said:
            data.append("\n".join(said))
        beside += [line for line in lines if line and not line.startswith("data:")]
    return [*data, "\n".join(beside)] if beside else data, []
