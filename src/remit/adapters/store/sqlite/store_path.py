# SPDX-License-Identifier: Apache-2.0
"""The store's place on the disk, and checks that writes still go there.

SQLite keeps writing to a file that was deleted, moved or replaced, without an error; such commits are lost
when the process ends. SQLite also does not notice that another store is copied over the open file: whatever
was used up or ended since that copy was made would then be read in its old state.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from remit.core.errors import StoreUnavailable


class StorePlace:
    """The identities of a store's file and its write-ahead log at the time they were opened.

    Commits go into the log. The file itself is written only while the log is copied into it, which the
    copying code announces (`copying`): a write to the file at any other time comes from another program.
    """

    def __init__(self, path: Path) -> None:
        """Take an open store file with its log."""
        self._path = path
        self._folder = path.absolute().parent
        self._files = {file: _identity(file) for file in (path, path.with_name(path.name + "-wal"))}
        self._written = _written(path)
        self._copies = 0
        self._gone = False

    @contextmanager
    def copying(self) -> Iterator[None]:
        """While this context is open, the log may be copied into the file. For the event loop's thread."""
        self._copies += 1
        try:
            yield
        finally:
            with suppress(OSError):
                self._written = _written(self._path)
            self._copies -= 1

    def check_before(self) -> None:
        """Raise `StoreUnavailable` if the files are gone or the folder cannot be written."""
        if self._gone:
            raise self._parted()
        if not os.access(self._folder, os.W_OK | os.X_OK, effective_ids=True):
            raise StoreUnavailable(
                f"the folder of the store, `{self._folder}`, is not writable",
                code="store-read-only",
                remediation="make it writable for the user that runs remit",
            )
        self.check()

    def check(self) -> None:
        """Raise `StoreUnavailable` if the opened files were replaced or another program wrote to them.

        INVARIANT: after that no result counts, because memory and disk have diverged.
        """
        try:
            self._gone = self._gone or self._changed()
        except OSError as fault:
            raise StoreUnavailable(
                f"the store `{self._path}` cannot be inspected",
                code="store-read-only",
                remediation="give the user that runs remit access to its folder",
                debug=str(fault),
            ) from fault
        if self._gone:
            raise self._parted()

    def _changed(self) -> bool:
        known = self._copies, self._written
        found = _written(self._path)
        # Reads call this from other threads: a copy may be in progress, or may have begun or ended during the
        # check.
        still = not known[0] and known == (self._copies, self._written)
        return (still and found != known[1]) or any(
            _identity(file) != one for file, one in self._files.items()
        )

    def _parted(self) -> StoreUnavailable:
        return StoreUnavailable(
            f"the store `{self._path}` was deleted, moved, replaced or overwritten while remit had it open",
            code="store-gone",
            remediation="restore it or a backup of it, and restart remit",
        )


def _identity(file: Path) -> tuple[int, int] | None:
    """Return the identity of a file, which distinguishes it from another file of the same name."""
    try:
        found = os.stat(file)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _written(file: Path) -> tuple[int, int] | None:
    """Return time and size of the last write to a file, which distinguish it from later writes."""
    try:
        found = os.stat(file)
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size
