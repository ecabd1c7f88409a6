# SPDX-License-Identifier: Apache-2.0
"""Reads code of agents: the whole text as a piece, and what the code declares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import re2

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import Read
from remit.core.discovery.discovered import FilePlace, Piece, SourceKind
from remit.core.discovery.sources.frameworks.framework_forms import PYTHON_IMPORT
from remit.core.discovery.sources.frameworks.python_code import MAX_SOURCE, python_declarations
from remit.core.discovery.sources.frameworks.script_code import script_declarations
from remit.core.discovery.sources.structure import MAX_PIECE

_SCRIPTS: Final = (".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".mts", ".cts")
_PYTHON: Final = (".py", ".pyw")
#: What code of an agent imports, in Python and in JavaScript.
_PYTHON_SIGN: Final = PYTHON_IMPORT
_SCRIPT_SIGN: Final = re2.compile(
    rb"""["'](?:ai|agents|genkit|langchain|llamaindex|@(?:mastra|langchain|openai/agents|anthropic-ai/claude|ai-sdk|google/adk|"""
    rb"""llamaindex|strands-agents|modelcontextprotocol|voltagent))["'/-]"""
)


class AgentCode:
    """Reads Python, JavaScript and TypeScript that use a framework of agents."""

    def fits(self, chunk: FileChunk) -> bool:
        """Return whether the file is code that seems to use a framework."""
        name = chunk.file.lower()
        if not chunk.whole or len(chunk.content) > MAX_SOURCE or not name.endswith((*_PYTHON, *_SCRIPTS)):
            return False
        sign = _PYTHON_SIGN if name.endswith(_PYTHON) else _SCRIPT_SIGN
        return sign.search(chunk.content) is not None

    def read(self, chunk: FileChunk) -> Iterator[Read]:
        """Yield the code as text, and then its agents, tools and servers."""
        text = chunk.content.decode("utf-8-sig", "replace")
        line = chunk.line
        for start in range(0, len(text), MAX_PIECE):
            part = text[start : start + MAX_PIECE]
            place = FilePlace(file=chunk.file, line=line, commit=chunk.commit)
            yield Piece(text=part, place=place, kind=SourceKind.CODE)
            line += part.count("\n")
        first = FilePlace(file=chunk.file, line=chunk.line, commit=chunk.commit)
        python = chunk.file.lower().endswith(_PYTHON)
        yield from python_declarations(text, first) if python else script_declarations(text, first)
