# SPDX-License-Identifier: Apache-2.0
"""What a scan needs: a tree of files, workers that read them, and what is remembered between scans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.contents import FileContents
from remit.core.discovery.discovered import ExposedSecret
from remit.core.discovery.scan import SeenFinding, SkippedFile, SkipReason

MIB = 1 << 20


class ScanBounds(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of one scan. `stall_s` is how long a worker may be silent about one chunk."""

    files: int = 2_000_000
    total_bytes: int = 1 << 40
    file_bytes: int = 1 << 30
    depth: int = 64
    stall_s: float = 20.0
    chunk_bytes: int = 1 * MIB
    whole_bytes: int = 16 * MIB


class FileStamp(msgspec.Struct, frozen=True, array_like=True):
    """What the file system says of a file; with an equal stamp, the file is taken for unchanged."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class FoundFile(msgspec.Struct, frozen=True, kw_only=True):
    """A regular file of the tree: `path` opens it, `file` is its place below the base."""

    path: str
    file: str
    stamp: FileStamp


class ExaminedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was read. `digest` is keyed, and empty for a chunk that is no file.

    `cut` is why not all of it was read. A `binary` file was opened and not read further.
    """

    file: str
    path: str = ""
    stamp: FileStamp | None = None
    digest: bytes = b""
    contents: FileContents
    read_bytes: int = 0
    cut: SkipReason | None = None
    binary: bool = False


class KnownFile(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a file: never its text, and no declarations. A file that `declares` is read
    again at each scan.
    """

    path: str
    stamp: FileStamp
    digest: bytes
    secrets: tuple[ExposedSecret, ...] = ()
    declares: bool = False


class KnownHistory(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of histories: what was `seen`, in the words of their source, and its secrets."""

    seen: bytes
    secrets: tuple[ExposedSecret, ...] = ()


#: A file, with what is known of it if only its digest is to be compared; or a chunk that is at hand.
Work = tuple[FoundFile, KnownFile | None] | FileChunk
#: A `KnownFile` is one of which only the stamp has changed.
Outcome = ExaminedFile | SkippedFile | KnownFile


class FileTree(Protocol):
    """Walks files. Opens nothing but ignore files; follows no link; never fails for one file."""

    def files(self, roots: Sequence[str], base: str, bounds: ScanBounds) -> Iterator[FoundFile | SkippedFile]:
        """Yield the regular files below the roots, in a stable order, and what is left out."""
        ...


class ChunkSource(Protocol):
    """Chunks that are no file of the tree: a repository's history or its index, tables of a dump."""

    def chunks(self) -> Iterator[FileChunk | SkippedFile]:
        """Yield whole chunks, and what could not be read. Raises `SourceUnavailable` if nothing can be."""
        ...


class HistorySource(ChunkSource, Protocol):
    """Versions of files, which never change: what an earlier scan has read is not read again.

    `name` tells apart what is remembered of sources. `seen` is what `resume` takes, once everything was read.
    """

    @property
    def name(self) -> str:
        """The name under which it is remembered."""
        ...

    @property
    def seen(self) -> bytes:
        """What was read so far, in its own words."""
        ...

    def resume(self, known: bytes) -> bool:
        """Leave out what an earlier scan has seen; false, and nothing is left out, if some of it is gone."""
        ...


class FileExaminer(Protocol):
    """Reads files and chunks in other processes.

    A file that ends its process, or stalls it, costs that file alone. No exception of it holds text of a
    file.
    """

    def examine(self, work: Iterable[Work], bounds: ScanBounds) -> Iterator[Outcome]:
        """Yield an outcome for each file and chunk, in any order.

        The outcome is the `KnownFile` itself, with the new stamp, where the digest shows that only the
        stamp has changed. `work` is taken as workers become free, so that a tree of any size needs little
        memory.
        """
        ...


class ScanMemory(Protocol):
    """What is remembered between scans, in one file of the user. Durable after `keep` and `settle`.

    One process writes; a second one waits a moment, then raises `Busy`.
    """

    def known(self, paths: Iterable[str]) -> dict[str, KnownFile]:
        """Return the files among these that are known, by path."""
        ...

    def keep(self, files: Sequence[KnownFile]) -> None:
        """Remember files, in one commit."""
        ...

    def forget(self, root: str, *, except_for: Callable[[str], bool]) -> None:
        """Forget the files below a root that are not there any more, in one commit."""
        ...

    def history(self, name: str) -> KnownHistory | None:
        """Return what is known of the histories of a source."""
        ...

    def keep_history(self, name: str, known: KnownHistory) -> None:
        """Remember the histories of a source, in one commit."""
        ...

    def seen(self, scope: str) -> dict[str, SeenFinding]:
        """Return the findings of a scope by their ids, with those that are fixed."""
        ...

    def tools(self, scope: str) -> dict[str, str]:
        """Return the digests of the tools of a scope, as they were last taken for good."""
        ...

    def settle(self, scope: str, findings: Sequence[SeenFinding], tools: Mapping[str, str]) -> None:
        """Replace the findings and the tools of a scope, in one commit."""
        ...


class FileOwners(Protocol):
    """Knows whose a file is. Opens nothing but files of code owners."""

    def owner_of(self, path: str) -> str:
        """Return the person or team of a file; empty where that cannot be derived."""
        ...
