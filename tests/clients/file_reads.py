# SPDX-License-Identifier: Apache-2.0
"""Reads the text of a file with discovery's readers, as a scan does."""

from __future__ import annotations

import json

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import PermissionExport, Read
from remit.core.discovery.discovered import Piece
from remit.core.discovery.sources.readers import read


def reads_of(file: str, content: object, *, line: int = 1, whole: bool = True) -> list[Read]:
    """Return everything that is read in a file; what is neither text nor bytes is written as JSON first."""
    if not isinstance(content, str | bytes):
        content = json.dumps(content)
    data = content.encode() if isinstance(content, str) else content
    return list(read(FileChunk(file=file, content=data, line=line, first=whole, last=whole)))


def pieces_of(file: str, content: object, *, line: int = 1, whole: bool = True) -> list[Piece]:
    """Return the pieces of text of a file."""
    return [one for one in reads_of(file, content, line=line, whole=whole) if isinstance(one, Piece)]


def exports_of(file: str, content: object) -> list[PermissionExport]:
    """Return the permission exports of a file."""
    return [one for one in reads_of(file, content) if isinstance(one, PermissionExport)]


def piece_with(text: str, pieces: list[Piece]) -> Piece:
    """Return the piece that holds a text; there is exactly one."""
    (found,) = [one for one in pieces if text in one.text]
    return found


def line_of(text: str, piece: Piece) -> int:
    """Return the line of a text in its file, as detectors count it."""
    before = 0 if piece.one_line else piece.text.count("\n", 0, piece.text.index(text))
    return piece.place.line + before


def json_lines(*records: object) -> str:
    """Return records as JSON lines, as clients write them."""
    return "".join(json.dumps(one, separators=(",", ":")) + "\n" for one in records)
