# SPDX-License-Identifier: Apache-2.0
"""Evidence as tables of DuckDB, read from an export or from the Parquet files that were made of one.

INVARIANT: from the first question on, the database reaches no file but these, loads no extension, and keeps
these settings: a question is a text that others may have written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Self

import duckdb
import msgspec

from remit.core.errors import Malformed, StoreUnavailable
from remit.core.evidence.event import EventKind
from remit.core.evidence.event_tables import ROW, EventColumn, columns_of, table_of
from remit.core.json_value import Json
from remit.ports.evidence.tables import AnswerColumns, Value

#: Lines of an export that are longer are no events.
_LONGEST_LINE: Final = 64 << 20
_LINES: Final = "{'index': 'BIGINT', 'leaf': 'VARCHAR', 'openings': 'JSON', 'pruned': 'VARCHAR[]'}"
#: Beside the tables of kinds: every event, and the leaf hashes of those that were pruned.
_ALWAYS: Final = ("events", "pruned_leaves")
_MEMORY: Final = "2GB"


class DuckDbTables:
    """`ports.evidence.tables.EvidenceTables` on DuckDB."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, spill: tempfile.TemporaryDirectory[str]
    ) -> None:
        """Take a database that has the tables; `spill` is its folder for what exceeds the memory."""
        self._db = connection
        self._spill = spill
        self._sealed = False

    @classmethod
    def of_export(cls, export: Path, views: str) -> Self:
        """Read a verified export. Raises `StoreUnavailable` if the file cannot be read."""
        made = cls(*_database())
        try:
            made._run(
                f"CREATE TABLE lines AS SELECT * FROM read_json(?, columns = {_LINES}, "
                "format = 'newline_delimited', maximum_object_size = ?) "
                "WHERE leaf IS NOT NULL OR pruned IS NOT NULL",
                [str(export), _LONGEST_LINE],
            )
            made._run(f"CREATE TABLE pruned_leaves AS {_pruned()}")
            made._run("DELETE FROM lines WHERE leaf IS NULL")
            made._run(f"CREATE TABLE events AS {_events()}")
            for kind in EventKind:
                made._run(f"CREATE TABLE {table_of(kind)} AS {_rows(kind)}")
            made._run("DROP TABLE lines")
            made._run(views)
        except BaseException:
            made.close()
            raise
        return made

    @classmethod
    def of_folder(cls, folder: Path, views: str) -> Self:
        """Read the Parquet files of a folder that `write` made."""
        place = folder.resolve()
        made = cls(*_database())
        try:
            made._run(f"SET allowed_directories = ['{_quoted(place)}']")
            for name in (*_ALWAYS, *map(table_of, EventKind)):
                file = place / f"{name}.parquet"
                made._run(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{_quoted(file)}')")
            made._run(views)
        except BaseException:
            made.close()
            raise
        return made

    def write(self, folder: Path) -> list[str]:
        """Write each table as a Parquet file."""
        names = [f"{name}.parquet" for name in (*_ALWAYS, *map(table_of, EventKind))]
        for name in names:
            table = name.removesuffix(".parquet")
            self._run(f"COPY {table} TO '{_quoted(folder / name)}' (FORMAT parquet, COMPRESSION zstd)")
        return names

    def ask(self, sql: str, given: Mapping[str, Value], *, limit: int) -> AnswerColumns:
        """Return the answer of one `SELECT`."""
        self._seal()
        try:
            statements = self._db.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise Malformed("a question is one `SELECT`", remediation="write one statement")
            named = {name: given.get(name) for name in statements[0].named_parameters}
            answer = self._db.execute(statements[0], named)
            columns = tuple(str(one[0]) for one in answer.description or ())
            rows = answer.fetchmany(limit + 1)
        except duckdb.Error as error:
            text = str(error).split("\n\n", 1)[0]
            raise Malformed(text[:500], remediation="see `remit audit query --tables`") from None
        return AnswerColumns(
            columns, tuple(tuple(map(_plain, row)) for row in rows[:limit]), more=len(rows) > limit
        )

    def hashes(self, start: int, count: int) -> list[bytes]:
        """Return leaf hashes in the order of the log."""
        found = self._db.execute(
            "SELECT leaf_hash FROM (SELECT index, leaf_hash FROM events UNION ALL FROM pruned_leaves) "
            "WHERE index >= ? AND index < ? ORDER BY index",
            [start, start + count],
        )
        return [bytes.fromhex(one) for (one,) in found.fetchall()]

    def leaves(self, indexes: list[int]) -> Iterator[tuple[int, bytes, dict[str, list[Json]] | None]]:
        """Yield events by index."""
        found = self._db.execute(
            "SELECT index, leaf, openings FROM events WHERE list_contains(?::BIGINT[], index) ORDER BY index",
            [indexes],
        )
        while rows := found.fetchmany(1000):
            for index, leaf, openings in rows:
                yield index, leaf.encode(), msgspec.json.decode(openings) if openings else None

    def close(self) -> None:
        """Close the database."""
        self._db.close()
        self._spill.cleanup()

    def _run(self, sql: str, given: list[object] | None = None) -> None:
        try:
            self._db.execute(sql, given)
        except duckdb.Error as error:
            text = str(error).split("\n\n", 1)[0]
            raise StoreUnavailable(
                f"the tables cannot be made: {text[:300]}", remediation="check the file and the free disk"
            ) from None

    def _seal(self) -> None:
        if not self._sealed:
            self._run("SET enable_external_access = false")
            self._run("SET lock_configuration = true")
            self._sealed = True


def _database() -> tuple[duckdb.DuckDBPyConnection, tempfile.TemporaryDirectory[str]]:
    spill = tempfile.TemporaryDirectory(prefix="remit-tables-", ignore_cleanup_errors=True)
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": _MEMORY,
        "temp_directory": spill.name,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    return duckdb.connect(str(Path(spill.name) / "tables.duckdb"), config=settings), spill


def _quoted(file: Path) -> str:
    return str(file).replace("'", "''")


def _events() -> str:
    paths = ["$.at", "$.task", "$.agent", "$.call", "$.kind"]
    return (
        "SELECT index, s[1]::TIMESTAMP AS time, coalesce(s[2], '') AS task, coalesce(s[3], '') AS agent, "
        "coalesce(s[4], '') AS call, s[5] AS kind, leaf, "
        "sha256('\\x00'::BLOB || encode(leaf)) AS leaf_hash, openings "
        f"FROM (SELECT *, json_extract_string(leaf, {paths}) AS s FROM lines) ORDER BY index"
    )


def _pruned() -> str:
    return (
        "SELECT index + place - 1 AS index, lower(hex(from_base64(pruned[place]))) AS leaf_hash "
        "FROM (SELECT index, pruned, unnest(generate_series(1, len(pruned))) AS place FROM lines "
        "WHERE pruned IS NOT NULL) ORDER BY ALL"
    )


def _rows(kind: EventKind) -> str:
    columns = columns_of(kind)
    texts = [_path(one) for one in columns]
    picked = ", ".join(f'{_value(one, number)} AS "{one.name}"' for number, one in enumerate(columns, 1))
    extracted = ", ".join(
        (
            f"json_extract_string(leaf, {texts}) AS s",
            f"json_extract(leaf, {texts}) AS j",
            f"json_extract_string(openings, {texts}) AS os",
            f"json_extract(openings, {texts}) AS oj",
        )
    )
    base = ", ".join(ROW)
    inner = f"SELECT {base}, {extracted} FROM events WHERE kind = '{kind.value}'"
    return f"SELECT {base}{', ' if columns else ''}{picked} FROM ({inner}) ORDER BY index"


def _path(column: EventColumn) -> str:
    return f"$.{column.said_as}[1]" if column.sealed else f"$.facts.{column.said_as}"


def _value(column: EventColumn, number: int) -> str:
    text, tree = ("os", "oj") if column.sealed else ("s", "j")
    if column.type == "VARCHAR[]":
        return f"from_json({tree}[{number}], '[\"VARCHAR\"]')"
    if column.type == "JSON":
        return f"{tree}[{number}]"
    if column.type == "VARCHAR":
        return f"{text}[{number}]"
    return f"try_cast({text}[{number}] AS {column.type})"


def _plain(value: object) -> Json:
    return msgspec.to_builtins(value, enc_hook=str)
