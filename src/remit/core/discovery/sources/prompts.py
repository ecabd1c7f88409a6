# SPDX-License-Identifier: Apache-2.0
"""Prompts in code: literals under a name for one are prose, all else is code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import re2

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import Read
from remit.core.discovery.discovered import SourceKind
from remit.core.discovery.sources.text import Taken, kind_of, pieces_apart, text_of_bytes

#: Names of fields and variables that hold prompts.
PROMPT: Final = re.compile(
    r"(?i)prompt|instruction|persona|backstory|system_?message|^(?:system|content|goal|template)$"
)
_MARKED: Final = re2.compile(rb"(?i)prompt|instruction|persona|backstory|system_?message")
_WORD: Final = re2.compile(r"(?i)prompt|instruction|persona|backstory|system_?message")
_BEGUN: Final = re.compile(
    r"(?i)(?:prompt|instruction|persona|backstory|system_?message)\w{0,40}[\"']?\s{0,8}(?::\s{0,8}[\w.]{1,40}\s{0,8})?"
    r"[=:(,]\s{0,200}\(?\s{0,200}[frbu]{0,2}(?=[\"'`])"
)
_LITERAL: Final = re.compile(
    r"\"\"\"(.*?)\"\"\"|'''(.*?)'''|`([^`]*+)`"
    r"|\"((?:[^\"\\\n]++|\\.)*+)\"|'((?:[^'\\\n]++|\\.)*+)'",
    re.DOTALL,
)
_BETWEEN: Final = re.compile(r"[ \t\r\n\\+]{0,200}[frbu]{0,2}(?=[\"'`])")
_MOST_PARTS: Final = 1_000


class CodeReader:
    """Reads code as it stands, but for its prompts."""

    def fits(self, chunk: FileChunk) -> bool:
        """Return whether it is code that speaks of prompts."""
        return kind_of(chunk) is SourceKind.CODE and _MARKED.search(chunk.content) is not None

    def read(self, chunk: FileChunk) -> Iterator[Read]:
        """Yield the prompts, then the code around them."""
        text = text_of_bytes(chunk.content)
        if text:
            yield from pieces_apart(text, _prompts(text), chunk, SourceKind.CODE)


def is_prompt(name: str, text: str) -> bool:
    """Return whether a text under a name is prose for a model, and not a word or an identifier."""
    return len(text) > 24 and text.count(" ", 0, 400) > 2 and PROMPT.search(name) is not None


def _prompts(text: str) -> Iterator[Taken]:
    at = 0
    for marked in _WORD.finditer(text):
        begun = _BEGUN.match(text, marked.start()) if marked.start() >= at else None
        if begun is None:
            continue
        at = begun.end()
        name = re.split("[=:(,]", begun[0])[0].strip(" :(,\"'`\n")[:60]
        for _ in range(_MOST_PARTS):
            literal = _LITERAL.match(text, at)
            if literal is None:
                at += 1
                break
            at = literal.end()
            part = literal.lastindex or 0
            if literal[part].count(" ", 0, 400) > 2:
                yield Taken(*literal.span(part), literal[part], (name,), name, SourceKind.PROSE)
            between = _BETWEEN.match(text, at)
            if between is None:
                break
            at = between.end()
