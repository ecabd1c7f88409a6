# SPDX-License-Identifier: Apache-2.0
"""Dumps of databases in SQL: `pg_dump`, `mysqldump` and SQLite's `.dump`, row by row, and what is between."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import Read
from remit.core.discovery.discovered import SourceKind
from remit.core.discovery.sources.tables import RowReads, unescaped_cell
from remit.core.discovery.sources.text import extension_of, pieces, place_of, text_of_bytes

_NAME: Final = r"(?:[\w$.]++|\"[^\"\n]{1,200}\"|`[^`\n]{1,200}`|\[[^\]\n]{1,200}\])+"
_COPY: Final = re.compile(
    rf"^COPY ({_NAME})\s*(?:\(([^)\n]{{0,20000}})\))? FROM std?in\b[^\n]*;\s*$", re.IGNORECASE
)
_INSERT: Final = re.compile(
    rf"\s*(?:INSERT|REPLACE)\s+(?:IGNORE\s+|OR\s+\w+\s+)?INTO\s+({_NAME})\s*(?:\(([^)]{{0,20000}})\)\s*)?VALUES\s*",
    re.IGNORECASE,
)
_CREATE: Final = re.compile(rf"\s*CREATE TABLE\s+(?:IF NOT EXISTS\s+)?({_NAME})\s*\(", re.IGNORECASE)
_COLUMN: Final = re.compile(r"\s+([`\"\[]?)(\w{1,128})[`\"\]]?\s+\w")
_NOT_COLUMNS: Final = frozenset(
    {"primary", "key", "unique", "constraint", "foreign", "index", "check", "fulltext"}
)
#: A value of a row: a quoted text, or a word; then what ends it.
_VALUES: Final = {
    backslashes: re.compile(
        rf"\s*+(?:[A-Za-z_]{{0,10}}'((?:{quoted})*+)'(?:::[\w ]{{1,40}})?+"
        r"|([^,()'\s][^,()'\n]*+)|(\())?\s*+([,)]|$)",
        re.DOTALL,
    )
    for backslashes, quoted in ((True, r"[^'\\]++|''|\\."), (False, r"[^']++|''"))
}
#: A row of short plain values, to its end.
_ROW: Final = re.compile(r"(?:'[^'\\\n]*+'|[^'()\n]++){1,500}+\)")
_OPEN: Final = re.compile(r"[\s,]*+\(")
_DUMP: Final = re.compile(
    rb"(?mi)^(?:-- (?:PostgreSQL database dump|MySQL dump|MariaDB dump|Dump completed)"
    rb"|PRAGMA foreign_keys=OFF;|COPY [^\n]{1,20000} FROM stdin;|INSERT INTO )"
)
#: Tables of a chunk whose columns are kept, and characters of one that are looked at.
_MOST_TABLES: Final = 2_000
_MOST_CREATE: Final = 20_000


class SqlReader:
    """Reads rows with the names of their table and columns, and other statements as they stand.

    A chunk that begins inside a table's rows does not know the table; its rows are read as text.
    """

    def fits(self, chunk: FileChunk) -> bool:
        """Return whether it is a dump: a file of statements that holds rows."""
        extension = extension_of(chunk.file)
        if extension not in ("sql", "dump", "psql", "mysql", "pgsql", "bak", "backup", ""):
            return False
        return extension == "sql" or _DUMP.search(chunk.content[:65_536]) is not None

    def read(self, chunk: FileChunk) -> Iterator[Read]:
        """Yield rows and statements in the order of the file."""
        text = text_of_bytes(chunk.content)
        if text:
            yield from _Dump(chunk, text).read()


class _Dump:
    def __init__(self, chunk: FileChunk, text: str) -> None:
        self._chunk, self._text = chunk, text
        self._columns: dict[str, list[str]] = {}
        self._tables = 0
        self._at, self._line = 0, chunk.line
        # Where the text that is no row began.
        self._since, self._since_line = 0, chunk.line
        # Statements of one row each, for one table, are read as the rows of one.
        self._rows: tuple[str, str | None, RowReads] | None = None

    def read(self) -> Iterator[Read]:
        while self._at < len(self._text):
            end = self._text.find("\n", self._at)
            end = len(self._text) if end < 0 else end
            begin = self._text[self._at : self._at + 8].lstrip().upper()
            if begin.startswith("COPY") and (copy := _COPY.match(self._text[self._at : end])):
                yield from self._statements(end + 1)
                yield from self._copied(copy)
            elif begin.startswith(("INSERT", "REPLACE")) and (insert := _INSERT.match(self._text, self._at)):
                yield from self._statements(self._at)
                yield from self._inserted(insert)
            else:
                if begin.startswith("CREATE") and (create := _CREATE.match(self._text, self._at)):
                    self._created(create)
                self._at, self._line = end + 1, self._line + 1
        yield from self._statements(len(self._text))
        if self._rows is not None:
            yield from self._rows[2].end()

    def _statements(self, end: int) -> Iterator[Read]:
        """Yield the text up to here that is no row."""
        place = place_of(self._chunk, line=self._since_line)
        between = self._text[self._since : end]
        if between.strip(" \t\r\n;"):
            yield from pieces(between, place, SourceKind.CODE)
        self._line += self._text.count("\n", self._at, end)
        self._at = self._since = max(end, self._at)
        self._since_line = self._line

    def _created(self, create: re.Match[str]) -> None:
        """Keep the columns of a table, for rows that do not name them."""
        self._tables += 1
        if self._tables > _MOST_TABLES:
            return
        body = self._text[create.end() : create.end() + _MOST_CREATE].partition(");")[0]
        lines = body.split("\n")[:400] if "\n" in body else body.split(",")
        found = [match[2] for line in lines if (match := _COLUMN.match(f" {line.strip()} x"))]
        self._columns[_bare(create[1])] = [one for one in found if one.lower() not in _NOT_COLUMNS]

    def _copied(self, copy: re.Match[str]) -> Iterator[Read]:
        table = _bare(copy[1])
        reads = RowReads(self._chunk, table, _names(copy[2]) or self._columns.get(table, []))
        while self._at < len(self._text):
            yield from self._plain(reads)
            end = self._text.find("\n", self._at)
            end = len(self._text) if end < 0 else end
            row, line = self._text[self._at : end], self._line
            self._at, self._line = end + 1, self._line + 1
            if row.rstrip("\r") == "\\.":
                break
            if (plain := reads.plain_row(row, line)) is not None:
                yield from plain
                continue
            cells = [unescaped_cell(cell) for cell in row.rstrip("\r").split("\t")]
            yield from reads.row([cell if cell != "N" else "" for cell in cells], line)
        yield from reads.end()
        self._since, self._since_line = self._at, self._line

    def _inserted(self, insert: re.Match[str]) -> Iterator[Read]:
        """Read the rows of one statement; it ends where a row does not follow."""
        table = _bare(insert[1])
        if self._rows is None or self._rows[:2] != (table, insert[2]):
            if self._rows is not None:
                yield from self._rows[2].end()
            columns = _names(insert[2]) or self._columns.get(table, [])
            self._rows = table, insert[2], RowReads(self._chunk, table, columns)
        reads = self._rows[2]
        at = insert.end()
        begun = self._at
        yield from self._plain(reads, self._text[begun:at], (");", "),", ");\r", "),\r"))
        if self._at > begun:
            self._since, self._since_line = self._at, self._line
            return
        # Only MySQL reads a backslash in a plain text as an escape; it also quotes names its own way.
        backslashes = "`" in insert[1]
        self._line += self._text.count("\n", self._at, at)
        while opened := _OPEN.match(self._text, at):
            line = self._line + self._text.count("\n", at, opened.end())
            if (row := _ROW.match(self._text, opened.end())) is not None:
                plain = reads.plain_row(row[0], line)
                if plain is not None:
                    yield from plain
                    self._line, at = line, row.end()
                    continue
            cells, end = self._row(opened.end(), backslashes=backslashes)
            yield from reads.row(cells, line)
            self._line += self._text.count("\n", at, end)
            at = end
        self._at = self._since = max(at, self._at + 1)
        self._since_line = self._line

    def _plain(self, reads: RowReads, begin: str = "", ends: tuple[str, ...] = ("",)) -> Iterator[Read]:
        """Read the rows up to one that is not plain, as they stand."""
        end = reads.plain_rows(self._text, self._at, begin, ends)
        if end > self._at:
            yield from reads.lines(self._text[self._at : end], self._line)
            self._line += self._text.count("\n", self._at, end)
            self._at = end

    def _row(self, at: int, *, backslashes: bool) -> tuple[list[str], int]:
        """Return the values of a row, and where it ends."""
        cells: list[str] = []
        depth = 0
        value = _VALUES[backslashes]
        while (found := value.match(self._text, at)) is not None and found.end() > at:
            quoted, word, opened, sign = found.groups()
            at = found.end()
            if quoted is not None:
                cells.append(unescaped_cell(quoted) if backslashes else quoted.replace("''", "'"))
            elif word is not None and word != "NULL":
                cells.append(word.strip())
            elif not opened:
                cells.append("")
            depth += bool(opened)
            if sign == ")":
                if depth == 0:
                    break
                depth -= 1
            elif not sign:
                break
        return cells, at


def _bare(name: str) -> str:
    return re.sub(r"[\"`\[\]]", "", name).rpartition(".")[2]


def _names(columns: str | None) -> list[str]:
    return [one.strip(' \t\r\n"`[]') for one in columns.split(",")] if columns else []
