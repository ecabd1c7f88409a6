# SPDX-License-Identifier: Apache-2.0
"""What readers read: a file, or a part of a large one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec

from remit.core.discovery.declared import Read


class FileChunk(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a file that ends at the end of a line, at most some megabytes; small files are one chunk.

    `file` is the path below the scanned root, `line` the number of the chunk's first line. `commit` names the
    version of a repository's history.
    """

    file: str
    content: bytes
    line: int = 1
    first: bool = True
    last: bool = True
    commit: str = ""

    @property
    def whole(self) -> bool:
        """Whether this is the whole file."""
        return self.first and self.last


class FileReader(Protocol):
    """Reads one form of file. Pure; it raises nothing for hostile content, and yields what it understood."""

    def fits(self, chunk: FileChunk) -> bool:
        """Return whether the file, by its path and its first bytes, has this form."""
        ...

    def read(self, chunk: FileChunk) -> Iterator[Read]:
        """Yield the pieces of text and the declarations of a chunk."""
        ...
