# SPDX-License-Identifier: Apache-2.0
"""Where a store lies on the disk, and whether what is written still goes there.

SQLite writes on to a file that was deleted, moved or replaced, and says nothing: what is committed then is
gone when the process ends.
"""

from __future__ import annotations

import os
from pathlib import Path

from remit.core.errors import StoreUnavailable


class StorePlace:
    """The file of a store and its write-ahead log, as they were when they were opened."""

    def __init__(self, path: Path) -> None:
        """Take a file that is open, and its log."""
        self._path = path
        self._folder = path.absolute().parent
        self._files = {file: _identity(file) for file in (path, path.with_name(path.name + "-wal"))}
        self._gone = False

    def check_before(self) -> None:
        """Raise `StoreUnavailable` once the files are gone, or where the folder cannot be written."""
        if self._gone:
            raise self._parted()
        if not os.access(self._folder, os.W_OK | os.X_OK, effective_ids=True):
            raise StoreUnavailable(
                f"the folder of the store, `{self._folder}`, cannot be written",
                code="store-read-only",
                way_out="make it writable for whoever runs remit",
            )

    def check_after(self) -> None:
        """Raise `StoreUnavailable` where what was committed just now is not in the files of that name.

        INVARIANT: once it was not, nothing counts any more, for memory and disk have parted.
        """
        self._gone = any(_identity(file) != known for file, known in self._files.items())
        if self._gone:
            raise self._parted()

    def _parted(self) -> StoreUnavailable:
        return StoreUnavailable(
            f"the store `{self._path}` was deleted, moved or replaced while remit had it open",
            code="store-gone",
            way_out="put it back where it was, or a copy of it, and start remit again",
        )


def _identity(file: Path) -> tuple[int, int] | None:
    """Tell a file from any other that may have its name."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino
