# SPDX-License-Identifier: Apache-2.0
"""The walk over a tree of files: no link is followed, and nothing but ignore files is opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from remit.adapters.discovery.ignore_files import PRUNED, IgnoreRules, is_binary_name, rules_in
from remit.core.discovery.scan import SkippedFile, SkipReason
from remit.ports.discovery.scans import FileStamp, FoundFile, ScanBounds

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK

#: How deep repositories are looked for below a folder that is in none.
_TREES_DEPTH: Final = 4


class _Folder(NamedTuple):
    path: str
    depth: int
    rules: IgnoreRules | None
    device: int


class OsFileTree:
    """`ports.discovery.scans.FileTree` of this machine.

    With `all_files`, the files that `.gitignore` and `.ignore` name are read, too.
    """

    def __init__(self, *, all_files: bool = False) -> None:
        """Keep the choice."""
        self._all_files = all_files

    def files(self, roots: Sequence[str], base: str, bounds: ScanBounds) -> Iterator[FoundFile | SkippedFile]:
        """Yield the regular files below the roots, folder by folder in the order of their names."""
        files = size = 0
        seen: set[tuple[int, int]] = set()
        for root in roots:
            for one in self._root(root, base, bounds, seen):
                if isinstance(one, FoundFile):
                    files, size = files + 1, size + one.stamp.size
                    if files > bounds.files or size > bounds.total_bytes:
                        yield SkippedFile(file=one.file, why=SkipReason.BOUND)
                        return
                yield one

    def _root(
        self, root: str, base: str, bounds: ScanBounds, seen: set[tuple[int, int]]
    ) -> Iterator[FoundFile | SkippedFile]:
        try:
            status = os.stat(root)
        except OSError as fault:
            yield SkippedFile(file=_below(root, base), why=_why(fault))
            return
        if not stat.S_ISDIR(status.st_mode):
            yield _file(root, base, status)
            return
        waiting = [_Folder(root, 0, self._rules_above(root), status.st_dev)]
        while waiting:
            yield from self._folder(waiting.pop(), base, bounds, waiting, seen)

    def _folder(
        self,
        folder: _Folder,
        base: str,
        bounds: ScanBounds,
        waiting: list[_Folder],
        seen: set[tuple[int, int]],
    ) -> Iterator[FoundFile | SkippedFile]:
        try:
            descriptor = os.open(folder.path, _FOLDER)
        except OSError as fault:
            yield SkippedFile(file=_below(folder.path, base), why=_why(fault))
            return
        try:
            status = os.fstat(descriptor)
            if (status.st_dev, status.st_ino) in seen:
                return  # A root below another one, or the same folder mounted twice.
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(descriptor) as listed:
                entries = sorted(listed, key=lambda one: one.name)
            prefix = folder.path if folder.path.endswith("/") else f"{folder.path}/"
            rules = rules_in(
                folder.path, {one.name for one in entries}, folder.rules, all_files=self._all_files
            )
            below: list[_Folder] = []
            for entry in entries:
                one = self._entry(entry, prefix, folder, rules, base, bounds)
                if isinstance(one, _Folder):
                    below.append(one)
                elif one is not None:
                    yield one
            waiting += reversed(below)
        except OSError as fault:
            yield SkippedFile(file=_below(folder.path, base), why=_why(fault))
        finally:
            os.close(descriptor)

    def _entry(
        self,
        entry: os.DirEntry[str],
        prefix: str,
        folder: _Folder,
        rules: IgnoreRules | None,
        base: str,
        bounds: ScanBounds,
    ) -> _Folder | FoundFile | SkippedFile | None:
        name, path = entry.name, prefix + entry.name
        try:
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder and name in PRUNED:
                return None
            if rules is not None and rules.ignores(path, folder=is_folder):
                return None
            if entry.is_symlink():
                return SkippedFile(file=_below(path, base), why=SkipReason.LINK)
            status = entry.stat(follow_symlinks=False)
        except OSError as fault:
            return SkippedFile(file=_below(path, base), why=_why(fault))
        if not is_folder:
            return _file(path, base, status)
        if status.st_dev != folder.device:
            return SkippedFile(file=_below(path, base), why=SkipReason.OTHER_SYSTEM)
        if folder.depth + 1 > bounds.depth:
            return SkippedFile(file=_below(path, base), why=SkipReason.DEEP)
        return _Folder(path, folder.depth + 1, rules, folder.device)

    def _rules_above(self, root: str) -> IgnoreRules | None:
        """Return the rules of the folders above a root in the same repository."""
        above: list[str] = []
        folder = root
        while not os.path.lexists(f"{folder}/.git"):
            parent = os.path.dirname(folder)
            if parent == folder:
                return None
            above.append(parent)
            folder = parent
        rules: IgnoreRules | None = None
        for one in reversed(above):
            names = {".gitignore", ".ignore", ".remitignore"}
            rules = rules_in(one.rstrip("/"), names, rules, all_files=self._all_files)
        return rules


def _file(path: str, base: str, status: os.stat_result) -> FoundFile | SkippedFile:
    if not stat.S_ISREG(status.st_mode):
        return SkippedFile(file=_below(path, base), why=SkipReason.SPECIAL)
    if is_binary_name(path):
        return SkippedFile(file=_below(path, base), why=SkipReason.BINARY)
    stamp = FileStamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return FoundFile(path=path, file=_below(path, base), stamp=stamp)


def _below(path: str, base: str) -> str:
    """Return a path below the base, as text that can be encoded."""
    below = path[len(base) :].lstrip("/") if path.startswith(base) else path
    return (below or ".").encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _why(fault: OSError) -> SkipReason:
    if isinstance(fault, PermissionError):
        return SkipReason.DENIED
    return SkipReason.GONE if isinstance(fault, FileNotFoundError | NotADirectoryError) else SkipReason.FAULTY


def working_trees(root: str) -> Iterator[str]:
    """Yield the working tree that a path is in, else those below it, some folders deep."""
    folder = root
    while not os.path.lexists(f"{folder}/.git"):
        parent = os.path.dirname(folder)
        if parent == folder:
            yield from _trees_below(root, _TREES_DEPTH)
            return
        folder = parent
    yield folder


def _trees_below(folder: str, depth: int) -> Iterator[str]:
    try:
        with os.scandir(folder) as listed:
            below = sorted(one.name for one in listed if one.is_dir(follow_symlinks=False))
    except OSError:
        return
    if ".git" in below:
        yield folder
    elif depth:
        for name in below:
            if name not in PRUNED:
                yield from _trees_below(os.path.join(folder, name), depth - 1)
