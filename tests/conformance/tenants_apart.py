# SPDX-License-Identifier: Apache-2.0
"""Every statement of an open SQLite store, run again where all rows are another tenant's: it must find none.

A start reads and migrates the rows of all tenants, and removes what is over.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.stores import Open

#: Values of a statement; those that differ only here are one.
_VALUES = re.compile(r"x?'(?:[^']|'')*'|\b[0-9]+\b")
_DATA = ("select", "with", "insert", "update", "delete")


@contextlib.contextmanager
def apart(opens: Open, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Provide what opens a store; at the end, compare its statements among other rows and among none."""
    ran: dict[str, str] = {}
    folders: dict[Path, None] = {}
    starting: list[Path] = []
    connect = sqlite3.connect

    def opened(folder: Path, **more: Any) -> Any:
        folders[folder] = None
        starting.append(folder)
        try:
            return opens(folder, **more)
        finally:
            starting.pop()

    def watched(*given: Any, **more: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*given, **more)
        connection.set_trace_callback(seen)
        return connection

    def seen(text: str) -> None:
        if not starting and text.lstrip().lower().startswith(_DATA):
            ran.setdefault(_VALUES.sub("?", text), text)

    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", watched)
        yield opened
    for folder in folders:
        with _copy(folder) as others, _copy(folder) as none:
            _change(others, "update {} set tenant = 'not ' || tenant")
            _change(none, "delete from {}")
            for text in ran.values():
                assert _done(others, text) == _done(none, text), text


@contextlib.contextmanager
def _copy(folder: Path) -> Iterator[sqlite3.Connection]:
    with (
        contextlib.closing(sqlite3.connect(folder / "remit.db")) as source,
        contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as copy,
    ):
        source.backup(copy)
        yield copy


def _change(rows: sqlite3.Connection, statement: str) -> None:
    """Run a statement on each table with tenants."""
    tables = [name for (name,) in rows.execute("select name from sqlite_master where type = 'table'")]
    for one in tables:
        if "tenant" in [column[1] for column in rows.execute(f"pragma table_info({one})")]:
            rows.execute(statement.format(one))


def _done(rows: sqlite3.Connection, text: str) -> tuple[Any, int]:
    """Return what a statement answers or how it fails, and how many rows it changes; change nothing."""
    before = rows.total_changes
    rows.execute("begin")
    try:
        answer: Any = rows.execute(text).fetchall()
    except sqlite3.Error as fault:
        answer = repr(fault)
    changed = rows.total_changes - before
    if rows.in_transaction:
        rows.execute("rollback")
    return answer, changed
