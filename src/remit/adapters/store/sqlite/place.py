# SPDX-License-Identifier: Apache-2.0
"""Where a store lies on the disk, and whether what is written still goes there.

SQLite writes on to a file that was deleted, moved or replaced, and says nothing: what is committed then is
gone when the process ends. Nor does it notice that somebody copies another store over the file that is open:
what was used up or ended since that one was made would be read from it as it was.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from remit.core.errors import StoreUnavailable


class StorePlace:
    """The file of a store and its write-ahead log, as they were when they were opened.

    Commits go into the log. The file itself is written only when the log is copied into it, which whoever
    does so says (`copying`): whatever is written into it at another time is somebody else's.
    """

    def __init__(self, path: Path) -> None:
        """Take a file that is open, and its log."""
        self._path = path
        self._folder = path.absolute().parent
        self._files = {file: _identity(file) for file in (path, path.with_name(path.name + "-wal"))}
        self._written = _written(path)
        self._copies = 0
        self._gone = False

    @contextmanager
    def copying(self) -> Iterator[None]:
        """Let the log be copied into the file meanwhile. For the event loop's thread."""
        self._copies += 1
        try:
            yield
        finally:
            with suppress(OSError):
                self._written = _written(self._path)
            self._copies -= 1

    def check_before(self) -> None:
        """Raise `StoreUnavailable` once the files are gone, or where the folder cannot be written."""
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
        """Raise `StoreUnavailable` where the files of that name are not those that were opened, or somebody
        else has written into the store.

        INVARIANT: once that was so, nothing counts any more, for memory and disk have parted.
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
        # Reads look from threads of their own: a copy may be under way, or have begun or ended meanwhile.
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
    """Tell a file from any other that may have its name."""
    try:
        found = os.stat(file)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _written(file: Path) -> tuple[int, int] | None:
    """Tell what was last written into a file from all that is written into it later."""
    try:
        found = os.stat(file)
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size
