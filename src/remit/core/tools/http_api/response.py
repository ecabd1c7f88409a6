# SPDX-License-Identifier: Apache-2.0
"""The answer of an HTTP API: filtering its head, splitting its body into pieces, and reading the pieces.

Headers pass by name: those that describe the body, those that a client needs for its next request, and those
that the document declares. Cookies, challenges and other headers about credentials never pass. A `Location`
passes where it lies within the API, as an address below it.
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
#: The most names of dropped headers that are reported.
MAX_TOLD: Final = 16
_ALWAYS: Final = frozenset(
    {
        "allow", "content-disposition", "content-language", "deprecation", "etag", "last-modified",
        "preference-applied", "ratelimit", "ratelimit-limit", "ratelimit-policy", "ratelimit-remaining",
        "ratelimit-reset", "retry-after", "sunset", "x-ratelimit-limit", "x-ratelimit-remaining",
        "x-ratelimit-reset", "x-total-count",
    }
)  # fmt: skip
#: Headers that frame a message or belong to one connection; they are dropped without a report.
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
#: The most bytes of an event's end mark that may arrive before the rest of it.
_END_BYTES: Final = 3
_RUN = re.compile("[^\x00-\x08\x0e-\x1f\x7f\ufffd]{6,}")


class ReplyPiece(enum.StrEnum):
    """The kind of a chunk of an HTTP answer, stored as `Chunk.method`."""

    HEAD = "http/head"
    JSON = "http/json"
    TEXT = "http/text"
    EVENTS = "http/events"
    LINES = "http/lines"
    BYTES = "http/bytes"


class ReplyHead(msgspec.Struct, frozen=True):
    """The filtered head of an answer: the JSON of a `ReplyPiece.HEAD`.

    `location` is an address below the API, `left_out` are names of dropped headers.
    """

    status: int
    headers: dict[str, str] = {}
    location: str = ""
    left_out: tuple[str, ...] = ()


class ApiReply(msgspec.Struct, frozen=True):
    """A head, and the kind as which its body is read."""

    head: ReplyHead
    piece: ReplyPiece


def read_head(
    status: int, headers: Iterable[tuple[bytes, bytes]], *, base: str, gives: frozenset[str], asked: str
) -> ApiReply:
    """Filter the head of an answer.

    `base` is the address of the API without a trailing slash, `asked` the requested path below it, `gives`
    are the headers that the operation declares.
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
        # Some readers guess the type of a body without one.
        media = "application/octet-stream"
    found["content-type"] = media
    below = located(location, base, asked) if location else ""
    if location != below and not below:
        left_out.append("location")
    return ApiReply(ReplyHead(status, found, below, tuple(sorted(left_out))[:MAX_TOLD]), piece_of(media))


def _only(texts: list[str]) -> str | None:
    """Return the only value of a header; None for several values (readers would differ) or an invalid one."""
    if len(texts) == 1 and len(texts[0]) <= MAX_VALUE and _VALUE.fullmatch(texts[0]):
        return texts[0]
    return None


def located(location: str, base: str, asked: str) -> str:
    """Return the address below the API that a `Location` names, empty where it is elsewhere or invalid."""
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
        # Parsed like a request, so that nothing in it can lead elsewhere.
        segments_of(path.encode("ascii"))
    except (ValueError, Malformed):
        return ""
    return path + (f"?{parts.query}" if parts.query else "")


def piece_of(media: str) -> ReplyPiece:
    """Return the kind as which a body of this media type is read. An unsupported character set is read as
    bytes.
    """
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
    """Return how many of the waiting bytes form whole events or lines; the rest wait for more.

    The first `seen` bytes formed none at an earlier look and are not searched again. Otherwise a body in many
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
    """Return the texts of a piece of a body, and separately the text that is in no field and could be of any.

    Each text is JSON or plain text. Binary data is searched for the texts in it, which are in no field; its
    other content is unknown.
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
