# SPDX-License-Identifier: Apache-2.0
"""Opens connections to the file and migrates its tables."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from remit.adapters.store.relational.tables import MIGRATIONS, VERSION, Durability
from remit.core.errors import ConfigInvalid, StoreUnavailable

#: By version: statements that fill a migration's new columns in existing rows. Only SQLite stores can have
#: such rows.
_FILLED = {
    7: """
    update tasks set person = coalesce(body ->> 'on_behalf_of', ''),
        deadline = unixepoch(body ->> 'deadline'),
        watched = coalesce(body ->> 'lease_s', 0) <> 0 or coalesce(body ->> 'idle_s', 0) <> 0;
    update credentials set person = body ->> 'person';
    """
}


def open_writer(path: Path, durability: Durability) -> sqlite3.Connection:
    """Open the writing connection, migrate the schema, and return the connection.

    Raises `ConfigInvalid` for a file that is not a store of remit or is newer than this program,
    `StoreUnavailable` if it cannot be opened or written.
    """
    try:
        # Only the owner may read the file, whatever the folder and the umask permit; the log beside it
        # inherits this. An existing file is not opened here: closing it would drop SQLite's locks on it.
        with contextlib.suppress(OSError):  # SQLite reports the fault
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        # Statements run on the event loop's thread and COMMIT on the writer's thread, never at the same time.
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=512, timeout=5.0
        )
        if connection.execute("pragma journal_mode=wal").fetchone()[0] != "wal":
            raise StoreUnavailable(f"`{path}` cannot use a write-ahead log", remediation="use a local disk")
        connection.execute(f"pragma synchronous={'full' if durability == 'durable' else 'normal'}")
        # Deleted rows contain forgotten keys and used credentials: overwrite them instead of only unlinking
        # them.
        connection.execute("pragma secure_delete=on")
        # In KiB. Most of a larger cache would hold pages that were appended once; it made nothing faster.
        connection.execute("pragma cache_size=-4096")
        connection.execute("pragma temp_store=memory")
        # Only the background thread checkpoints (`SqliteWriter`), so that other writers are detected
        # (`StorePlace`).
        connection.execute("pragma wal_autocheckpoint=0")
        migrate(connection, path)
    except sqlite3.DatabaseError as fault:
        if "not a database" in str(fault):
            raise ConfigInvalid(
                "is not a store of remit", file=str(path), remediation="give another file"
            ) from None
        raise unavailable(fault, f"store `{path}` cannot be opened") from fault
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a read-only connection."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.execute("pragma query_only=on")
    connection.execute("pragma cache_size=-2048")
    return connection


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Migrate the schema to `VERSION`, one transaction for each version.

    Raises `ConfigInvalid` for a newer schema.
    """
    connection.execute("create table if not exists schema_version (version integer not null) strict")
    found = connection.execute("select max(version) from schema_version").fetchone()[0] or 0
    if found > VERSION:
        raise ConfigInvalid(
            f"has schema version {found}, but this program supports {VERSION}",
            file=str(path),
            remediation="use the remit that wrote it, or a newer one",
        )
    for version in range(found + 1, VERSION + 1):
        mark = f"insert into schema_version values ({version})"  # noqa: S608 - a number of ours
        steps = MIGRATIONS[version - 1] + _FILLED.get(version, "")
        connection.executescript(f"begin immediate; {steps} {mark}; commit;")


def unavailable(fault: Exception, message: str = "the store cannot commit") -> StoreUnavailable:
    """Convert a fault of the database to the error that callers see, with a remediation where one is
    known.
    """
    if isinstance(fault, StoreUnavailable):
        return fault
    name = getattr(fault, "sqlite_errorname", "")
    remediation = {
        "SQLITE_FULL": "free space on the disk, then try again",
        "SQLITE_BUSY": "stop whatever else has the file open",
        "SQLITE_READONLY": "make the file and its folder writable",
        "SQLITE_CANTOPEN": "create its folder and make it writable",
    }.get(name, "check the disk and the system log")
    return StoreUnavailable(message, remediation=remediation, debug=f"{name} {fault}".strip())
