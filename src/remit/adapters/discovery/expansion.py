# SPDX-License-Identifier: Apache-2.0
"""Files that hold other files or tables, as the chunks of these."""

from __future__ import annotations

import os
from collections.abc import Iterator

from remit.adapters.discovery.archives import archive_chunks, is_archive
from remit.adapters.discovery.databases import database_chunks
from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.scan import SkipReason


def expanded_chunks(
    descriptor: int, path: str, file: str, size: int, missed: set[SkipReason]
) -> Iterator[FileChunk] | None:
    """Return the chunks of an open archive or database, or nothing if the file is neither.

    `path` opens the same file again, for the libraries that do so themselves. The descriptor stays the
    caller's; its position moves. Why something was left out is added to `missed`.
    """
    head = os.pread(descriptor, 512, 0)
    if is_archive(head):
        os.lseek(descriptor, 0, os.SEEK_SET)
        return archive_chunks(open(descriptor, "rb", closefd=False), file, size, missed)
    return database_chunks(path, file, head, missed)
