# SPDX-License-Identifier: Apache-2.0
"""Reading a bundle's folder: within bounds, and never outside of the folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from remit.core.errors import ConfigInvalid

MAX_FILE_BYTES: Final = 1024 * 1024
#: Largest OpenAPI document.
MAX_DOCUMENT_BYTES: Final = 8 * 1024 * 1024
MAX_TOTAL_BYTES: Final = 16 * 1024 * 1024
MAX_FILES: Final = 2000
MAX_FOLDERS_DEEP: Final = 8

#: Endings of files beside a bundle that are not part of it.
_BESIDE: Final = (".md", ".txt", ".json", ".bak", ".swp", ".orig", "~")


class Folder:
    """A single reading of a bundle's files; the bounds apply to all of them together."""

    def __init__(self, root: Path, line_of: Callable[[str], int | None] = lambda key: None) -> None:
        """Keep `root`, the folder of `remit.yaml`; nothing outside of it is read.

        `line_of` returns the line of a key of that file if the key is written there.
        """
        self._line_of = line_of
        self.root = Path(os.path.abspath(root))
        self._real = self.root.resolve()
        self._bytes = 0
        self._files = 0
        self._walked: set[Path] = set()
        self.problems: list[ConfigInvalid] = []

    def name(self, path: Path) -> str:
        """Return a path in the form of messages and digests: relative to the root, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def read(self, path: Path, most_bytes: int = MAX_FILE_BYTES) -> bytes:
        """Read one file; raises `ConfigInvalid` if it is missing, outside of the folder, or too large."""
        name = self.name(path)
        self._inside(path, name)
        try:
            descriptor = os.open(
                path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
            )
        except FileNotFoundError:
            raise ConfigInvalid(
                "file does not exist", file=name, remediation="create it, or run `remit init`"
            ) from None
        except OSError as fault:
            raise ConfigInvalid(
                f"cannot be read: {fault.strerror}",
                file=name,
                remediation="make it a file that remit may read",
            ) from None
        with os.fdopen(descriptor, "rb") as opened:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigInvalid("is not a plain file", file=name, remediation="put a plain file there")
            content = opened.read(most_bytes + 1)
        if len(content) > most_bytes:
            raise ConfigInvalid(
                f"is larger than {most_bytes // 1024} KiB",
                file=name,
                remediation="split it into several files",
            )
        self._files += 1
        self._bytes += len(content)
        if self._files > MAX_FILES or self._bytes > MAX_TOTAL_BYTES:
            raise ConfigInvalid(
                f"the policy bundle has more than {MAX_FILES} files or {MAX_TOTAL_BYTES // 2**20} MiB",
                file=name,
                remediation="keep other files out of its folders",
                code="bundle-too-large",
            )
        return content

    def list(self, folder: str, key: str, endings: tuple[str, ...], *, required: bool) -> list[Path]:
        """Return the files of one folder of the bundle that have one of `endings`, sorted by name.

        Note problems of the folder in `problems`, and files that would silently not be read.
        """
        top = Path(os.path.abspath(self.root / folder))
        if top == self.root or not top.is_relative_to(self.root):
            self._note(
                f"`{folder}` is not below the folder of `remit.yaml`",
                key=key,
                remediation="move it there: a policy bundle is one folder",
            )
            return []
        if not top.is_dir():
            if required:
                self._note(
                    f"folder `{folder}` does not exist",
                    key=key,
                    remediation=f"create `{folder}/`, or run `remit init`",
                )
            return []
        found: list[Path] = []
        for path in self._walk(top, 0):
            name = path.name.lower()
            if path.name.endswith(endings):
                found.append(path)
            elif not name.endswith(_BESIDE):
                self._note(
                    "would be ignored",
                    file=self.name(path),
                    remediation=f"rename it to `*{endings[0]}`, or move it away",
                )
        return sorted(found, key=self.name)

    def _walk(self, folder: Path, depth: int) -> Iterator[Path]:
        if depth > MAX_FOLDERS_DEEP:
            self._note(
                "is nested too deeply",
                file=self.name(folder),
                remediation=f"nest at most {MAX_FOLDERS_DEEP} folders",
            )
            return
        try:
            self._inside(folder, self.name(folder))
            if (real := folder.resolve()) in self._walked:
                self._note(
                    "is already read under another name",
                    file=self.name(folder),
                    remediation="remove the link",
                )
                return
            self._walked.add(real)
            with os.scandir(folder) as entries:
                here = sorted(entries, key=lambda entry: entry.name)
        except ConfigInvalid as fault:
            self.problems.append(fault)
            return
        except OSError as fault:
            self._note(
                f"cannot be read: {fault.strerror}",
                file=self.name(folder),
                remediation="make it readable for remit",
            )
            return
        for entry in here[: MAX_FILES + 1]:
            if entry.name.startswith(".") or entry.name == "__pycache__":
                continue
            if _is_folder(entry):
                yield from self._walk(folder / entry.name, depth + 1)
            else:
                yield folder / entry.name
        if len(here) > MAX_FILES:
            self._note(
                f"has more than {MAX_FILES} entries",
                file=self.name(folder),
                remediation="keep other files out of it",
            )

    def _inside(self, path: Path, name: str) -> None:
        """Refuse a path that leads out of the bundle through a symbolic link."""
        try:
            real = path.resolve()
        except (OSError, RuntimeError):
            raise ConfigInvalid("is a broken link", file=name, remediation="remove it") from None
        if not real.is_relative_to(self._real):
            raise ConfigInvalid(
                "is a link out of the policy bundle's folder",
                file=name,
                remediation="put the file itself there",
            )

    def _note(self, message: str, *, file: str = "remit.yaml", key: str = "", remediation: str = "") -> None:
        line = self._line_of(key) if key else None
        self.problems.append(ConfigInvalid(message, file=file, line=line, key=key, remediation=remediation))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a cycle of links: refused when it is read as a file
        return False
