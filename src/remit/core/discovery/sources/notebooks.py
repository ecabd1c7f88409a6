# SPDX-License-Identifier: Apache-2.0
"""Jupyter notebooks: the sources of cells as code or prose, their outputs as logs. Pictures are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import Read
from remit.core.discovery.discovered import SourceKind
from remit.core.discovery.sources.documents import json_parts
from remit.core.discovery.sources.messages import LocatedText
from remit.core.discovery.sources.taken_values import escaped_values
from remit.core.discovery.sources.text import Taken, pieces, pieces_apart, place_of
from remit.core.json_value import Json

_PICTURES: Final = ("image/", "audio/", "video/", "application/pdf")


def is_notebook(content: bytes) -> bool:
    """Return whether a document may be a notebook."""
    return b'"nbformat"' in content and b'"cells"' in content


def notebook_reads(text: str, chunk: FileChunk) -> Iterator[Read]:
    """Yield the cells of a notebook, one held at a time, then the text around what was read of them.

    `inside` is `cell 3` or `cell 3 output`.
    """
    taken: list[Taken] = []
    number = 0
    for part in json_parts(text, "cells"):
        # The last part is the document; it has the cell that a cut text leaves open.
        left = part.get("cells") if isinstance(part, dict) else None
        for cell in left if isinstance(left, list) else [part]:
            number += 1
            for inside, kind, value in _texts_of(cell):
                lines = value if isinstance(value, list) else [value]
                texts = [one for one in lines if isinstance(one, LocatedText)]
                if not texts:
                    continue
                # One place for all lines; something else between them is not taken.
                apart = [texts] if len(texts) == len(lines) else [[one] for one in texts]
                taken += (Taken(one[0].start, one[-1].end, "", ()) for one in apart)
                if kind is not None:
                    place = place_of(chunk, line=chunk.line + texts[0].line, inside=inside.format(number))
                    yield from pieces("".join(texts), place, kind)
    yield from pieces_apart(text, taken or escaped_values(text), chunk, SourceKind.CONFIG)


def _texts_of(cell: Json) -> Iterator[tuple[str, SourceKind | None, Json]]:
    """Yield the texts of a cell, with where they stand and their kind; pictures have none."""
    if not isinstance(cell, dict):
        return
    code = cell.get("cell_type") == "code"
    yield "cell {}", SourceKind.CODE if code else SourceKind.PROSE, cell.get("source")
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else ():
        if not isinstance(output, dict):
            continue
        for field in ("text", "traceback", "evalue"):
            yield "cell {} output", SourceKind.LOG, output.get(field)
        data = output.get("data")
        for media, one in data.items() if isinstance(data, dict) else ():
            yield "cell {} output", None if media.startswith(_PICTURES) else SourceKind.LOG, one
