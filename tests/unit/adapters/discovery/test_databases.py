# SPDX-License-Identifier: Apache-2.0
"""Files of databases are read as rows, and nothing that they define is run."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from remit.adapters.discovery import databases
from remit.adapters.discovery.databases import database_chunks, parquet_chunks, sqlite_chunks
from remit.adapters.discovery.expansion import expanded_chunks
from remit.core.discovery.discovered import Piece
from remit.core.discovery.scan import SkipReason
from remit.core.discovery.sources.readers import read

CHAT = '{"role": "user", "content": "the password is swordfish-77, use it"}'


def _database(path: Path, *statements: str) -> str:
    with closing(sqlite3.connect(path)) as connection:
        for one in statements:
            connection.execute(one)
        connection.commit()
    return str(path)


def test_tables_of_sqlite_become_json_lines(tmp_path: Path) -> None:
    """The file names the table, the line is the row; a chat in a cell is read as messages."""
    path = _database(
        tmp_path / "it's a # name?.db",
        "CREATE TABLE chats (id INTEGER, message TEXT, picture BLOB)",
        f"INSERT INTO chats VALUES (1, 'hello', x'00FF'), (2, '{CHAT}', NULL)",
    )
    (chunk,) = sqlite_chunks(path, "logs.db", set())
    assert chunk.file == "logs.db!/chats.jsonl"
    (said,) = [one for one in read(chunk) if isinstance(one, Piece) and "swordfish" in one.text]
    assert (said.speaker, said.place.line) == ("person", 2)


def test_views_triggers_and_functions_of_a_schema_are_not_run(tmp_path: Path) -> None:
    """A hostile schema reads and writes nothing; its plain tables are read all the same."""
    path = _database(
        tmp_path / "a.db",
        "CREATE TABLE plain (t TEXT)",
        "INSERT INTO plain VALUES ('kept')",
        "CREATE TABLE made (t TEXT, big TEXT AS (hex(zeroblob(100000000))) VIRTUAL)",
        "INSERT INTO made (t) VALUES ('x')",
        "CREATE VIEW endless AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT 1 FROM c) SELECT n FROM c",
        "CREATE VIRTUAL TABLE words USING fts5(body)",
        "INSERT INTO words VALUES ('of a search')",
        "CREATE TRIGGER tr AFTER INSERT ON plain BEGIN DELETE FROM plain; END",
    )
    before = Path(path).read_bytes()
    missed: set[SkipReason] = set()
    chunks = list(sqlite_chunks(path, "a.db", missed))
    assert missed == {SkipReason.LARGE}  # what is computed
    assert "a.db!/plain.jsonl" in {one.file for one in chunks}
    assert not {"a.db!/endless.jsonl", "a.db!/words.jsonl", "a.db!/made.jsonl"} & {one.file for one in chunks}
    assert any(b"of a search" in one.content for one in chunks)  # in the table that the index keeps
    assert Path(path).read_bytes() == before
    assert os.listdir(tmp_path) == ["a.db"]


def test_a_broken_database_gives_what_it_can(tmp_path: Path) -> None:
    """Cut or overwritten pages end a table, and nothing is raised."""
    rows = ", ".join(f"('row {n} {'x' * 200}')" for n in range(2_000))
    path = _database(tmp_path / "a.db", "CREATE TABLE t (c TEXT)", f"INSERT INTO t VALUES {rows}")
    data = Path(path).read_bytes()
    for broken in (
        data[: len(data) // 2],
        data[:5_000] + os.urandom(4_000) + data[9_000:],
        data[:100],
        data[:16],
    ):
        Path(path).write_bytes(broken)
        missed: set[SkipReason] = set()
        list(sqlite_chunks(path, "a.db", missed))
        assert missed == {SkipReason.DAMAGED}, len(broken)


def test_rows_of_parquet_become_json_lines(tmp_path: Path) -> None:
    """Numbers are left out, texts and nested values are read."""
    duckdb = pytest.importorskip("duckdb")
    path = str(tmp_path / "it's [a] *name?.parquet")
    with duckdb.connect() as connection:
        select = (
            f"SELECT i AS id, '{CHAT}' AS message, {{'key': 'whale-' || i}} AS meta FROM range(5000) t(i)"
        )
        connection.execute(f"COPY ({select}) TO '{path.replace(chr(39), chr(39) * 2)}' (FORMAT parquet)")
    chunks = list(parquet_chunks(path, "chats.parquet", set()))
    content = b"\n".join(one.content for one in chunks)
    assert {one.file for one in chunks} == {"chats.parquet!/rows.jsonl"}
    assert content.count(b"\n") == 4_999
    assert b"whale-4999" in content
    assert b'"id"' not in content
    last = chunks[-1]
    assert last.line + last.content.count(b"\n") == 5_000


def test_a_parquet_file_that_repeats_one_huge_value_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dictionary makes a small file of many large rows."""
    duckdb = pytest.importorskip("duckdb")
    path = str(tmp_path / "bomb.parquet")
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT repeat('a', 2000000) AS c FROM range(200)) TO '{path}' (FORMAT parquet)"
        )
    assert os.path.getsize(path) < 8 << 20
    monkeypatch.setattr(databases, "MAX_BYTES", 32 << 20)
    missed: set[SkipReason] = set()
    assert 0 < sum(len(one.content) for one in parquet_chunks(path, "b", missed)) < 48 << 20
    assert missed == {SkipReason.LARGE}


def test_broken_parquet_raises_nothing(tmp_path: Path) -> None:
    """Noise between the marks is no table."""
    pytest.importorskip("duckdb")
    path = tmp_path / "a.parquet"
    for data in (b"PAR1", b"PAR1" + os.urandom(500) + b"PAR1", b"PAR1" + bytes(8) + b"PAR1"):
        path.write_bytes(data)
        missed: set[SkipReason] = set()
        assert list(parquet_chunks(str(path), "a", missed)) == []
        assert missed == {SkipReason.DAMAGED}


def test_open_files_are_expanded_by_what_they_begin_with(tmp_path: Path) -> None:
    """An archive and a database are told apart from other files, whatever their names are."""
    path = _database(tmp_path / "a.txt", "CREATE TABLE t (c TEXT)", "INSERT INTO t VALUES ('kept')")
    other = tmp_path / "b.db"
    other.write_text("only text\n", encoding="utf-8")
    for name, expected in ((path, ["f!/t.jsonl"]), (str(other), None)):
        descriptor = os.open(name, os.O_RDONLY)
        try:
            place = f"/proc/self/fd/{descriptor}"
            found = expanded_chunks(descriptor, place, "f", os.path.getsize(name), set())
            assert (None if found is None else [one.file for one in found]) == expected
        finally:
            os.close(descriptor)
    assert database_chunks(str(other), "f", b"only text", set()) is None


def test_bounds_of_a_database_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, cells, tables and steps."""
    rows = ", ".join(f"('{'x' * 400}')" for _ in range(100))
    path = _database(tmp_path / "a.db", "CREATE TABLE t (c TEXT)", f"INSERT INTO t VALUES {rows}")
    for name, bound, why in (
        ("MAX_BYTES", 4_000, SkipReason.LARGE),
        ("MAX_CELL", 100, SkipReason.LARGE),
        ("MAX_TABLES", 0, SkipReason.MANY),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(databases, name, bound)
            missed: set[SkipReason] = set()
            list(sqlite_chunks(path, "a.db", missed))
            assert missed == {why}, name
    missed = set()
    assert list(sqlite_chunks(path, "a.db", missed))
    assert missed == set()
