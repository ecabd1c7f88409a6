# SPDX-License-Identifier: Apache-2.0
"""JSON lines: transcripts of assistants, logs and batches of model APIs, exported rows, logs in JSON.

The transcripts of Claude Code, Codex and Gemini also declare an agent: the client, in its folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec
import re2

from remit.core.coding.calls import CLAUDE_CODE, CODEX, GEMINI
from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import DeclaredAgent, Read
from remit.core.discovery.discovered import SourceKind
from remit.core.discovery.sources.messages import MessageWalk
from remit.core.discovery.sources.text import (
    LineBatch,
    base_name,
    extension_of,
    kind_of,
    pieces,
    place_of,
    text_of_bytes,
)

_EXTENSIONS: Final = frozenset({"jsonl", "ndjson", "jsonlines", "jsonlog", "ldjson"})
#: Formats that hold braces at the ends of lines, and are no JSON lines.
_NOT_LINES: Final = SourceKind.CODE
_MESSAGES: Final = re2.compile(
    rb'"(?:role|messages|sender|prompt|tool_calls?|tool_use|arguments|completion|run_type|gen_ai[.\w]*|attributes|bubbleId)\\?"'
)
_CLIENTS: Final = (
    (CLAUDE_CODE, re.compile(rb'"sessionId":"[^"]{1,80}"'), re.compile(rb'"(?:parentUuid|userType)":')),
    (
        CODEX,
        re.compile(rb'"payload":\{'),
        re.compile(rb'"type":"(?:session_meta|turn_context|response_item)"'),
    ),
    (GEMINI, re.compile(rb'"(?:sessionId|toolCalls)":'), re.compile(rb'"(?:projectHash|resultDisplay)":')),
)
_CWD: Final = re.compile(rb'"cwd":"((?:[^"\\]|\\.){1,400})"')
_MODEL: Final = re.compile(rb'"model":"([\w./:@-]{1,100})"')


class JsonLinesReader:
    """Reads one JSON value a line; a line that is none is read as text."""

    def fits(self, chunk: FileChunk) -> bool:
        """Return whether the name says so, or two of the first lines are objects."""
        extension = extension_of(chunk.file)
        if extension in _EXTENSIONS:
            return True
        if extension == "json" and not chunk.whole:
            # A continued document in one line per record is no different from lines.
            return _objects(chunk.content) > 1
        return kind_of(chunk) is not _NOT_LINES and _objects(chunk.content) > 1

    def read(self, chunk: FileChunk) -> Iterator[Read]:
        """Yield the messages of each line, then what else the lines hold, together."""
        begin = chunk.content[:65_536]
        client = client_of(begin)
        kind = SourceKind.TRANSCRIPT
        plain = not client and not _MESSAGES.search(chunk.content)
        if plain:
            kind = SourceKind.LOG if kind_of(chunk) is SourceKind.LOG else SourceKind.EXPORT
        walk = MessageWalk(chunk, agent=client, kind=kind)
        batch = LineBatch(chunk, kind)
        content = chunk.content
        if content[:3] == b"\xef\xbb\xbf":
            content = content[3:]
        elif content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in content[:64]:
            content = (text_of_bytes(content) or "").encode()
        decoder = msgspec.json.Decoder()
        at, line = 0, chunk.line - 1
        while at < len(content):
            end = content.find(b"\n", at)
            end = len(content) if end < 0 else end
            raw = content[at:end]
            at, line = end + 1, line + 1
            if plain and b"\\" not in raw:
                # Nothing is hidden: the line is as good as its values.
                yield from batch.add(line, raw.decode("utf-8", "replace"))
                continue
            try:
                value = decoder.decode(raw)
            except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError):
                yield from self._unreadable(chunk, raw, line, batch, kind)
                continue
            walk.walk(value, line)
            yield from walk.found
            walk.found.clear()
            if walk.rest:
                yield from batch.add(line, "\t".join([text for _, text in walk.rest]))
                walk.rest.clear()
        yield from batch.flush()
        yield from agents_of(walk, chunk, client, begin)

    def _unreadable(
        self, chunk: FileChunk, raw: bytes, line: int, batch: LineBatch, kind: SourceKind
    ) -> Iterator[Read]:
        text = text_of_bytes(raw)
        if not text or text.isspace():
            return
        if len(text) > 4_096:
            yield from pieces(text, place_of(chunk, line=line), kind)
        else:
            yield from batch.add(line, text)


def _objects(content: bytes) -> int:
    """Return how many of the first lines are JSON objects, as far as their ends tell."""
    found = at = 0
    for _ in range(4):
        end = content.find(b"\n", at)
        last = end < 0
        end = len(content) if last else end
        if content[at : at + 1] == b"{" and content[max(at, end - 3) : end].rstrip().endswith(b"}"):
            found += 1
        if last:
            break
        at = end + 1
    return found


def client_of(begin: bytes) -> str:
    """Return the assistant whose transcript begins so, or empty."""
    for client, *marks in _CLIENTS:
        if all(mark.search(begin) for mark in marks):
            return client
    return ""


def agents_of(walk: MessageWalk, chunk: FileChunk, client: str, begin: bytes) -> Iterator[DeclaredAgent]:
    """Yield the agents that a transcript, or the attributes of its spans, name."""
    place = place_of(chunk)
    model = _MODEL.search(begin)
    if client:
        folder = _CWD.search(begin)
        where = folder[1].decode("utf-8", "replace").replace("\\\\", "/") if folder else ""
        yield DeclaredAgent(
            name=f"{client}:{base_name(where)}" if where else client,
            place=place,
            framework=client,
            model=model[1].decode() if model else "",
            tools=tuple(sorted(walk.tools)),
        )
    for name, used in sorted(walk.agents.items()):
        yield DeclaredAgent(name=name, place=place, framework="opentelemetry", model=used)
