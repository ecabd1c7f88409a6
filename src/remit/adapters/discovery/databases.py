# SPDX-License-Identifier: Apache-2.0
"""Files of databases as rows: SQLite, and Parquet where the extra `query` is installed.

Each table becomes a file `DATABASE!/TABLE.jsonl` of JSON lines, with the number of the row as its line.
Nothing is written, no lock is taken, and nothing that the file defines is run: views, triggers, virtual
tables and functions in its schema are left out.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import quote

from remit.adapters.discovery.streams import row_chunks
from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.scan import SkipReason
from remit.core.discovery.sources.text import TELLING
from remit.core.safe_text import plain

SQLITE_HEAD: Final = b"SQLite format 3\0"
PARQUET_HEAD: Final = b"PAR1"

#: Bounds of one file: bytes of its rows, bytes of a cell, tables.
MAX_BYTES: Final = 1 << 30
MAX_CELL: Final = 1 << 20
MAX_TABLES: Final = 1_000
_MAX_VALUE: Final = 16 << 20
#: Steps of SQLite's machine between two rows: a file cannot make it search for long.
_MOST_STEPS: Final = 20_000_000
_STEPS: Final = 1_000_000
_LIMITS: Final = {
    sqlite3.SQLITE_LIMIT_LENGTH: _MAX_VALUE,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 2_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 50,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 100_000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_SETTINGS: Final = ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON", "mmap_size = 0")
_TABLES: Final = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY rootpage"
_READING: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ})


def database_chunks(path: str, file: str, head: bytes, missed: set[SkipReason]) -> Iterator[FileChunk] | None:
    """Return the rows of a file that begins with `head`, or nothing if it is no database that can be read.

    Why something was left out is added to `missed`.
    """
    if head.startswith(SQLITE_HEAD):
        return sqlite_chunks(path, file, missed)
    if head.startswith(PARQUET_HEAD) and find_spec("duckdb") is not None:
        return parquet_chunks(path, file, missed)
    return None


def sqlite_chunks(path: str, file: str, missed: set[SkipReason]) -> Iterator[FileChunk]:
    """Yield the rows of each table. A broken one ends where it breaks; its journal is not read."""
    with _told(missed), contextlib.closing(_opened(path)) as connection:
        found = connection.execute(_TABLES).fetchmany(MAX_TABLES + 1)
        if len(found) > MAX_TABLES:
            missed.add(SkipReason.MANY)
        budget = _Budget(missed)
        for table in [name for (name,) in found[:MAX_TABLES] if isinstance(name, str)]:
            yield from row_chunks(_rows(connection, table, budget), f"{file}!/{plain(table)}.jsonl")


class _Budget:
    """What one file may still yield; what is more is told."""

    def __init__(self, missed: set[SkipReason]) -> None:
        self.missed, self._left = missed, MAX_BYTES

    def spend(self, size: int) -> bool:
        """Return whether a row of so many bytes is within the bound."""
        if self._left >= 0 > self._left - size:
            self.missed.add(SkipReason.LARGE)
        self._left -= size
        return self._left >= 0

    def cell(self, text: str) -> str:
        """Return a cell up to the bound of one."""
        if len(text) > MAX_CELL:
            self.missed.add(SkipReason.LARGE)
        return text[:MAX_CELL]


@contextlib.contextmanager
def _told(missed: set[SkipReason]) -> Iterator[None]:
    """Tell a fault of SQLite instead of raising it."""
    try:
        yield
    except sqlite3.Error as fault:
        code = getattr(fault, "sqlite_errorcode", 0) & 0xFF
        damaged = code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        bound = code in (sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_TOOBIG)
        missed.add(SkipReason.DAMAGED if damaged else SkipReason.LARGE if bound else SkipReason.FAULTY)


def _opened(path: str) -> sqlite3.Connection:
    # `immutable`: no lock, no journal and no shared memory beside the file are opened or made.
    connection = sqlite3.connect(f"file:{quote(path)}?mode=ro&immutable=1", uri=True, cached_statements=0)
    try:
        for limit, value in _LIMITS.items():
            connection.setlimit(limit, value)
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}").fetchall()
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        connection.set_authorizer(
            lambda action, *_: sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY
        )
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _rows(
    connection: sqlite3.Connection, table: str, budget: _Budget
) -> Iterator[tuple[int, dict[str, object]]]:
    steps = 0

    def stop() -> bool:
        nonlocal steps
        steps += _STEPS
        return steps > _MOST_STEPS

    connection.set_progress_handler(stop, _STEPS)
    # What is broken in the middle of a table keeps the rows before it.
    with _told(budget.missed):
        quoted = table.replace('"', '""')
        cursor = connection.execute(f'SELECT * FROM "{quoted}"')  # noqa: S608 - a name that the file gives, quoted
        columns = [column[0] for column in cursor.description]
        for number, row in enumerate(cursor, start=1):
            steps = 0
            cells: dict[str, object] = {
                name: cell
                for name, value in zip(columns, row, strict=True)
                if (cell := _cell(name, value, budget))
            }
            if not cells:
                continue
            if not budget.spend(sum(len(str(cell)) for cell in cells.values()) + 16):
                return
            yield number, cells


def _cell(name: str, value: Any, budget: _Budget) -> str:
    """Return a cell as text; numbers only under a telling name, bytes only if they are text."""
    if isinstance(value, str):
        return budget.cell(value)
    if isinstance(value, bytes):
        with contextlib.suppress(UnicodeDecodeError):
            return "" if b"\0" in value[:1024] else budget.cell(value.decode("utf-8"))
        return ""
    return str(value) if isinstance(value, int) and TELLING.search(name) else ""


#: Types of columns that hold no text.
_NUMBERS: Final = (
    "BOOL", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
    "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL", "DATE", "TIME", "INTERVAL",
)  # fmt: skip
_PARQUET: Final[dict[str, str | bool | int | float | list[str]]] = {
    "threads": "1",
    "memory_limit": "400MB",
    "max_temp_directory_size": "0KB",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_scan_all_frames": "false",
    "python_enable_replacements": "false",
}


def parquet_chunks(path: str, file: str, missed: set[SkipReason]) -> Iterator[FileChunk]:
    """Yield the rows of a Parquet file. Needs DuckDB, which reads this one file and nothing else."""
    import duckdb

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    # A path of ours: any other may hold signs of a pattern, which DuckDB would look up.
    place = f"/dev/fd/{descriptor}"
    try:
        yield from _parquet(place, file, _Budget(missed))
    except duckdb.Error as fault:
        # What was read before counts.
        memory = isinstance(fault, duckdb.OutOfMemoryException)
        missed.add(SkipReason.LARGE if memory else SkipReason.DAMAGED)
    finally:
        os.close(descriptor)


def _parquet(place: str, file: str, budget: _Budget) -> Iterator[FileChunk]:
    import duckdb

    with duckdb.connect(config=_PARQUET) as connection:
        connection.execute(f"SET allowed_paths = ['{place}']")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        source = f"read_parquet('{place}')"
        described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchmany(2_000)  # noqa: S608 - a path, quoted
        names = [name for name, kind, *_ in described if not kind.startswith(_NUMBERS)]
        yield from row_chunks(_parquet_rows(connection, source, names, budget), f"{file}!/rows.jsonl")


def _parquet_rows(
    connection: Any, source: str, names: list[str], budget: _Budget
) -> Iterator[tuple[int, dict[str, object]]]:
    if not names:
        return
    # No function shortens a cell: it would make every cell of a batch at once, which a dictionary repeats.
    quoted = [name.replace('"', '""') for name in names]
    cells = ", ".join(f'try_cast("{name}" AS VARCHAR)' for name in quoted)
    cursor = connection.execute(f"SELECT {cells} FROM {source}")  # noqa: S608 - names that the file gives, quoted
    number, count, within = 0, 8, True
    while within and (rows := cursor.fetchmany(count)):
        size = 0
        for row in rows:
            number += 1
            kept: dict[str, object] = {
                name: budget.cell(cell) for name, cell in zip(names, row, strict=True) if cell
            }
            size += sum(map(len, filter(None, row))) + 16
            yield number, kept
        within = budget.spend(size)
        # As many rows at once as make a chunk: a few of huge cells, many of small ones.
        count = max(1, min(1_000, count * 2, (1 << 20) * len(rows) // size))
