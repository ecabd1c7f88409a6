# SPDX-License-Identifier: Apache-2.0
"""Rows of tables: CSV and TSV, and what dumps hold. Conversations in their cells are read as messages."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import Read
from remit.core.discovery.discovered import SourceKind
from remit.core.discovery.sources.messages import MessageWalk
from remit.core.discovery.sources.permissions import CREDENTIAL_REPORT, credential_report
from remit.core.discovery.sources.text import (
    TELLING,
    LineBatch,
    extension_of,
    pieces,
    place_of,
    text_of_bytes,
)

#: A cell that is longer stands for itself.
_LONG: Final = 160
_ESCAPE: Final = re.compile(r"\\([0-7]{1,3}|x[0-9A-Fa-f]{1,2}|.)|''", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "", "Z": ""}
_MOST_COLUMNS: Final = 2_000
_ROLES: Final = ("role", "sender", "speaker", "author", "from", "message_type", "type")


class RowReads:
    """Turns rows of one table into pieces: long cells and JSON alone, the others together, line by line."""

    def __init__(self, chunk: FileChunk, table: str = "", columns: Sequence[str] = ()) -> None:
        self._walk = MessageWalk(chunk)
        self._names = (table,) if table else ()
        self._batch = LineBatch(chunk, SourceKind.EXPORT, self._names)
        self._chunk = chunk
        self._table = table
        self._columns = tuple(columns)
        self._labels = [f"{name}: " if TELLING.search(name) else "" for name in columns]
        self._telling = any(self._labels)
        self._role = next(
            (at for name in _ROLES for at, one in enumerate(columns) if one.lower() == name), -1
        )

    def row(self, cells: Sequence[str], line: int) -> Iterator[Read]:
        """Yield what a row holds that is ready. It begins at `line`."""
        plain = "\t".join(cells)
        if len(plain) < _LONG and "{" not in plain and "[" not in plain:
            if self._telling:
                plain = (
                    "\t".join(map(str.__add__, self._labels, cells))
                    if len(cells) <= len(self._labels)
                    else plain
                )
            yield from self._batch.add(line, plain)
            return
        short: list[str] = []
        chat = 0 <= self._role < len(cells)
        value: dict[str, str] = {"role": cells[self._role]} if chat else {}
        for name, cell in zip(itertools.chain(self._columns, itertools.repeat("")), cells, strict=False):
            if len(cell) > _LONG or "\n" in cell or cell[:1] in ("{", "["):
                value[name or f"#{len(value)}"] = cell
            elif cell:
                short.append(f"{name}: {cell}" if name else cell)
        yield from self._batch.add(line, "\t".join(short))
        if len(value) > chat:
            self._walk.walk(value, line, self._table or "row")
            yield from self._walk.found
            self._walk.found.clear()
            for _, text in self._walk.rest:
                yield from self._batch.add(line, text)
            self._walk.rest.clear()

    def plain_row(self, text: str, line: int) -> Iterator[Read] | None:
        """Read a row as it stands, where its columns say nothing about it; nothing if it needs its cells."""
        if self._telling or len(text) >= 2 * _LONG or "{" in text or "\\" in text or "\n" in text:
            return None
        return self._batch.add(line, text)

    def plain_rows(self, text: str, at: int, begin: str = "", ends: tuple[str, ...] = ("",)) -> int:
        """Return where the rows from here end that are one line each, begin and end so, and are plain."""
        plain = not self._telling and self._role < 0
        while plain and text.startswith(begin, at):
            end = text.find("\n", at)
            row = text[at:end]
            if end < 0 or len(row) >= 2 * _LONG or "{" in row or "\\" in row or not row.endswith(ends):
                break
            at = end + 1
        return at

    def lines(self, text: str, line: int) -> Iterator[Read]:
        """Yield whole lines as they stand."""
        yield from self._batch.flush()
        yield from pieces(text, place_of(self._chunk, line=line), SourceKind.EXPORT, names=self._names)

    def end(self) -> Iterator[Read]:
        """Yield what is left."""
        yield from self._batch.flush()


class DelimitedReader:
    """Reads CSV and TSV. The first line of a file names the columns."""

    def fits(self, chunk: FileChunk) -> bool:
        """Return whether the name says so, or it is a credential report."""
        return extension_of(chunk.file) in ("csv", "tsv", "psv") or chunk.content.startswith(
            CREDENTIAL_REPORT
        )

    def read(self, chunk: FileChunk) -> Iterator[Read]:
        """Yield the rows; from the first fault on, the text as it stands."""
        text = text_of_bytes(chunk.content)
        if not text:
            return
        if chunk.whole and chunk.content.startswith(CREDENTIAL_REPORT):
            yield from credential_report(text, chunk)
        first = text[:4_096].partition("\n")[0]
        sign = max(",\t;|", key=first.count)
        lines = text.split("\n")
        # Tabs separate what databases write, with escapes; the others what spreadsheets write, with quotes.
        feed = (f"{line}\n" for line in lines)
        if sign == "\t":
            rows = csv.reader(feed, delimiter=sign, quoting=csv.QUOTE_NONE)
        else:
            rows = csv.reader(feed, delimiter=sign)
        reads, at = RowReads(chunk), 0
        try:
            for number, cells in enumerate(rows):
                line, at = at, rows.line_num
                if number == 0:
                    if chunk.first and len(cells) <= _MOST_COLUMNS:
                        reads = RowReads(chunk, "", [cell.strip("\ufeff ") for cell in cells])
                    if '"' not in text and reads.plain_rows(f"{text}\n", 0) > len(text):
                        yield from reads.lines(text, chunk.line)
                        return
                if cells:
                    escaped = sign == "\t" and "\\" in lines[line]
                    plain = [unescaped_cell(cell) for cell in cells] if escaped else cells
                    yield from reads.row(plain, chunk.line + line)
        except csv.Error:
            rest = "\n".join(lines[at:])
            yield from reads.end()
            yield from pieces(rest, place_of(chunk, line=chunk.line + at), SourceKind.EXPORT)
            return
        yield from reads.end()


def unescaped_cell(text: str) -> str:
    """Return what a cell with the escapes of MySQL, PostgreSQL and ClickHouse stands for."""
    if "\\" not in text and "''" not in text:
        return text
    return _ESCAPE.sub(lambda found: "'" if found[0] == "''" else _ESCAPES.get(found[1], found[1]), text)
