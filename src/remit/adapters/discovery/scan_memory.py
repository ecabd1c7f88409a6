# SPDX-License-Identifier: Apache-2.0
"""What is remembered between scans: an SQLite file of one user, with mode 600."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from remit.core.discovery.discovered import ExposedSecret
from remit.core.discovery.scan import SeenFinding
from remit.core.errors import Busy, StoreUnavailable
from remit.ports.discovery.scans import FileStamp, KnownFile, KnownHistory

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, digest BLOB NOT NULL, declares INTEGER NOT NULL, secrets BLOB
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS histories (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS findings (
    scope TEXT NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (scope, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tools (
    scope TEXT NOT NULL, tool TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (scope, tool)
) WITHOUT ROWID;
"""
_ASKED_AT_ONCE: Final = 500
_PATIENCE_S: Final = 5.0
_SECRETS: Final = msgspec.msgpack.Decoder(tuple[ExposedSecret, ...])
_FINDING: Final = msgspec.msgpack.Decoder(SeenFinding)
_HISTORY: Final = msgspec.msgpack.Decoder(KnownHistory)
_ENCODER: Final = msgspec.msgpack.Encoder()


class SqliteScanMemory:
    """`ports.discovery.scans.ScanMemory` in a file.

    `edition` names the readers and detectors: what others found is not taken for what these would find.
    """

    def __init__(self, place: Path, edition: str) -> None:
        """Open the file, or make it. A file that is damaged, or belongs to another edition, is emptied."""
        self._place = place
        try:
            self._base = self._opened()
            self._take_edition(edition)
        except sqlite3.OperationalError as fault:
            raise self._fault(fault) from None
        except sqlite3.DatabaseError:
            # It holds nothing that a scan cannot find again.
            place.unlink()
            self._base = self._opened()
            self._take_edition(edition)

    def _opened(self) -> sqlite3.Connection:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self._place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        os.chmod(self._place, 0o600)
        base = sqlite3.connect(self._place, timeout=_PATIENCE_S, isolation_level=None)
        base.execute("PRAGMA synchronous=NORMAL")
        base.executescript(_SCHEMA)
        return base

    def _take_edition(self, edition: str) -> None:
        row = self._base.execute("SELECT value FROM about WHERE name = 'edition'").fetchone()
        if row is None or row[0] != edition:
            with self._commit():
                self._base.execute("DELETE FROM files")
                self._base.execute("DELETE FROM tools")
                self._base.execute("DELETE FROM histories")
                self._base.execute("INSERT OR REPLACE INTO about VALUES ('edition', ?)", (edition,))

    @contextmanager
    def _commit(self) -> Iterator[None]:
        try:
            with self._base:
                self._base.execute("BEGIN IMMEDIATE")
                yield
        except sqlite3.OperationalError as fault:
            raise self._fault(fault) from None

    def _fault(self, fault: sqlite3.OperationalError) -> Busy | StoreUnavailable:
        if "locked" in str(fault):
            return Busy("another scan is writing its results", remediation="try again when it has ended")
        return StoreUnavailable(
            f"what scans remember cannot be used: {fault}",
            remediation=f"check the space and the rights at `{self._place}`, or use `--no-memory`",
        )

    def known(self, paths: Iterable[str]) -> dict[str, KnownFile]:
        """Return the files among these that are known, by path."""
        asked = [os.fsencode(one) for one in paths]
        found: dict[str, KnownFile] = {}
        for start in range(0, len(asked), _ASKED_AT_ONCE):
            some = asked[start : start + _ASKED_AT_ONCE]
            marks = ",".join("?" * len(some))
            rows = self._base.execute(f"SELECT * FROM files WHERE path IN ({marks})", some)  # noqa: S608
            for path, size, mtime_ns, ctime_ns, inode, digest, declares, secrets in rows:
                name = os.fsdecode(path)
                found[name] = KnownFile(
                    path=name,
                    stamp=FileStamp(size, mtime_ns, ctime_ns, inode),
                    digest=digest,
                    secrets=_SECRETS.decode(secrets) if secrets is not None else (),
                    declares=bool(declares),
                )
        return found

    def keep(self, files: Sequence[KnownFile]) -> None:
        """Remember files, in one commit."""
        rows = [
            (
                os.fsencode(one.path),
                one.stamp.size,
                one.stamp.mtime_ns,
                one.stamp.ctime_ns,
                one.stamp.inode,
                one.digest,
                one.declares,
                _ENCODER.encode(one.secrets) if one.secrets else None,
            )
            for one in files
        ]
        with self._commit():
            self._base.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def forget(self, root: str, *, except_for: Callable[[str], bool]) -> None:
        """Forget the files below a root that are not there any more, in one commit."""
        lowest = os.fsencode(root.rstrip("/") + "/")
        rows = self._base.execute(
            "SELECT path FROM files WHERE path > ? AND path < ?", (lowest, lowest[:-1] + b"0")
        )
        gone = [(path,) for (path,) in rows if not except_for(os.fsdecode(path))]
        if gone:
            with self._commit():
                self._base.executemany("DELETE FROM files WHERE path = ?", gone)

    def history(self, name: str) -> KnownHistory | None:
        """Return what is known of the histories of a source."""
        row = self._base.execute("SELECT value FROM histories WHERE name = ?", (name,)).fetchone()
        with contextlib.suppress(msgspec.DecodeError):
            return _HISTORY.decode(row[0]) if row is not None else None
        return None

    def keep_history(self, name: str, known: KnownHistory) -> None:
        """Remember the histories of a source, in one commit."""
        with self._commit():
            self._base.execute(
                "INSERT OR REPLACE INTO histories VALUES (?, ?)", (name, _ENCODER.encode(known))
            )

    def seen(self, scope: str) -> dict[str, SeenFinding]:
        """Return the findings of a scope by their ids, with those that are fixed."""
        rows = self._base.execute("SELECT id, value FROM findings WHERE scope = ?", (scope,))
        found: dict[str, SeenFinding] = {}
        for name, value in rows:
            # An earlier version of remit may have written another form; the finding is then seen as new.
            with contextlib.suppress(msgspec.DecodeError):
                found[name] = _FINDING.decode(value)
        return found

    def tools(self, scope: str) -> dict[str, str]:
        """Return the digests of the tools of a scope, as they were last taken for good."""
        return dict(self._base.execute("SELECT tool, digest FROM tools WHERE scope = ?", (scope,)))

    def settle(self, scope: str, findings: Sequence[SeenFinding], tools: Mapping[str, str]) -> None:
        """Replace the findings and the tools of a scope, in one commit."""
        rows = [(scope, one.finding.id, _ENCODER.encode(one)) for one in findings]
        digests = [(scope, *one) for one in tools.items()]
        with self._commit():
            self._base.execute("DELETE FROM findings WHERE scope = ?", (scope,))
            self._base.executemany("INSERT INTO findings VALUES (?, ?, ?)", rows)
            self._base.execute("DELETE FROM tools WHERE scope = ?", (scope,))
            self._base.executemany("INSERT INTO tools VALUES (?, ?, ?)", digests)

    def close(self) -> None:
        """Close the file."""
        self._base.close()
