# SPDX-License-Identifier: Apache-2.0
"""Dumps of databases and tables are read row by row, with the names of tables and columns."""

import json

import pytest

from remit.core.discovery.discovered import SourceKind
from tests.clients.file_reads import line_of, piece_with, pieces_of

SECRET = "sword" + "fish-77"
CHAT = json.dumps({"role": "user", "content": f"the password is {SECRET}, use it"})
LONG = f"the password is {SECRET} " + "and more " * 30

POSTGRES = f"""-- PostgreSQL database dump
CREATE TABLE public.users (
    id integer NOT NULL,
    api_key text
);

COPY public.users (id, api_key) FROM stdin;
1\t\\N
2\t{SECRET}
\\.

COPY public.chats (id, message) FROM stdin;
1\t{CHAT}
\\.
SELECT pg_catalog.setval('x', 1);
"""
MYSQL = f"""-- MySQL dump 10.13
CREATE TABLE `users` (
  `id` int NOT NULL,
  `api_key` varchar(80) DEFAULT NULL,
  PRIMARY KEY (`id`)
);
INSERT INTO `users` VALUES (1,'it\\'s'),(2,'{SECRET}');
INSERT INTO `chats` VALUES (1,'{CHAT.replace('"', chr(92) + '"')}');
"""
SQLITE = f"""PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE users(id INTEGER, api_key TEXT);
INSERT INTO users VALUES(1,'C:\\');
INSERT INTO users VALUES(2,'{SECRET}');
INSERT INTO chats VALUES(1,'{CHAT}');
COMMIT;
"""


@pytest.mark.parametrize("dump", [POSTGRES, MYSQL, SQLITE], ids=["postgresql", "mysql", "sqlite"])
def test_rows_of_a_dump_have_their_table_their_column_and_their_line(dump: str) -> None:
    """A column that tells of a secret stands before its value; a conversation in a cell is one."""
    pieces = pieces_of("dump.sql", dump)
    row = piece_with(f"api_key: {SECRET}", pieces)
    assert (row.kind, row.names) == (SourceKind.EXPORT, ("users",))
    chat = piece_with(f"the password is {SECRET}", pieces)
    assert (chat.speaker, chat.kind) == ("person", SourceKind.TRANSCRIPT)
    for piece, text in ((row, SECRET), (chat, SECRET)):
        assert SECRET in dump.split("\n")[line_of(text, piece) - 1]
    assert [one for one in pieces if "CREATE TABLE" in one.text and one.kind is SourceKind.CODE]


def test_statements_that_are_no_rows_are_not_lost() -> None:
    """Comments, and what follows a row that is not understood, are read as text."""
    rows = "INSERT INTO t VALUES (now(), 'shark-11');\n"
    dump = f"-- password: {SECRET}\n{rows}ALTER ROLE a PASSWORD 'whale-99';\n"
    pieces = pieces_of("dump.sql", dump)
    for line, text in enumerate((SECRET, "shark-11", "whale-99"), start=1):
        assert line_of(text, piece_with(text, pieces)) == line


def test_rows_in_the_middle_of_a_dump_are_read_as_text() -> None:
    """A later part of a large dump does not know its table, and loses nothing."""
    assert (
        piece_with(SECRET, pieces_of("dump.sql", f"5\t{SECRET}\n", line=900, whole=False)).place.line == 900
    )


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_tables_have_the_names_of_their_columns(sign: str) -> None:
    """CSV of spreadsheets and TSV of databases."""
    rows = [["id", "role", "api_key", "content"], ["1", "user", SECRET, LONG.replace(SECRET, "shark-11")]]
    text = "\n".join(sign.join(row) for row in rows) + "\n"
    pieces = pieces_of("chats.tsv" if sign == "\t" else "chats.csv", text)
    key = piece_with(f"api_key: {SECRET}", pieces)
    assert line_of(SECRET, key) == 2
    said = piece_with("shark-11", pieces)
    assert (said.speaker, said.names[-1], said.place.line) == ("person", "content", 2)


def test_rows_after_a_cell_of_many_lines_have_their_lines() -> None:
    """A quoted cell may hold line breaks."""
    text = f'id,note\n1,"two\nlines"\n2,token {SECRET}\n'
    assert line_of(SECRET, piece_with(SECRET, pieces_of("a.csv", text))) == 4


def test_a_cell_that_is_too_long_for_csv_is_read_as_text() -> None:
    """From the fault on, the text is read as it stands."""
    text = "id,note\n1,short\n2," + "x" * 140_000 + f" {SECRET}\n"
    assert line_of(SECRET, piece_with(SECRET, pieces_of("a.csv", text))) == 3
