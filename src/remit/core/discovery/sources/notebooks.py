# SPDX-License-Identifier: Apache-2.0
"""Jupyter notebooks: the sources of cells as code or prose, their outputs as logs. Pictures are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import Read
from remit.core.discovery.discovered import Piece, SourceKind
from remit.core.discovery.sources.messages import LocatedText
from remit.core.discovery.sources.text import Taken, pieces, place_of
from remit.core.json_value import Json

_PICTURES: Final = ("image/", "audio/", "video/", "application/pdf")


def is_notebook(tree: Json) -> bool:
    """Return whether a document has the form of a notebook."""
    return isinstance(tree, dict) and isinstance(tree.get("cells"), list) and "nbformat" in tree


def notebook_reads(tree: Json, chunk: FileChunk) -> Iterator[Read]:
    """Yield the cells of a notebook: `inside` is `cell 3` or `cell 3 output`."""
    for number, cell in enumerate(tree["cells"], start=1):
        if not isinstance(cell, dict):
            continue
        kind = SourceKind.CODE if cell.get("cell_type") == "code" else SourceKind.PROSE
        yield from _joined(cell.get("source"), chunk, f"cell {number}", kind)
        outputs = cell.get("outputs")
        for output in outputs if isinstance(outputs, list) else ():
            if isinstance(output, dict):
                yield from _output(output, chunk, f"cell {number} output")


def _output(output: dict[str, Json], chunk: FileChunk, inside: str) -> Iterator[Piece]:
    for field in ("text", "traceback", "evalue"):
        yield from _joined(output.get(field), chunk, inside, SourceKind.LOG)
    data = output.get("data")
    for media, one in data.items() if isinstance(data, dict) else ():
        if not media.startswith(_PICTURES):
            yield from _joined(one, chunk, inside, SourceKind.LOG)


def _joined(value: Json, chunk: FileChunk, inside: str, kind: SourceKind) -> Iterator[Piece]:
    """Yield a text that is one, or a list of lines."""
    lines = value if isinstance(value, list) else [value]
    texts = [one for one in lines if isinstance(one, LocatedText)]
    if texts:
        place = place_of(chunk, line=chunk.line + texts[0].line, inside=inside)
        yield from pieces("".join(texts), place, kind)


def cell_places(tree: Json) -> Iterator[Taken]:
    """Yield the places of everything in cells, blank: the rest of a notebook is its metadata."""
    open_values: list[Json] = [tree["cells"]]
    while open_values:
        value = open_values.pop()
        if isinstance(value, dict):
            open_values += value.values()
        elif isinstance(value, list):
            open_values += value
        elif isinstance(value, LocatedText):
            yield Taken(value.start, value.end, "", ())
