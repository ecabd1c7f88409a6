# SPDX-License-Identifier: Apache-2.0
"""What the next commit would change: the index of a Git repository, read by `git`'s plumbing.

A repository's own configuration can name programs; none of them is run: only commands that compare and copy
objects are used, without file system monitors, filters, external diffs and hooks.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from remit.adapters.discovery.file_chunks import HEAD_BYTES, is_binary
from remit.adapters.discovery.ignore_files import is_binary_name
from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.scan import SkippedFile, SkipReason
from remit.core.errors import SourceUnavailable

_GIT: Final = (
    "git", "--no-pager", "--no-optional-locks", "--literal-pathspecs",
    "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "protocol.allow=never",
)  # fmt: skip
_PATIENCE_S: Final = 60
_MOST_BYTES: Final = 16 << 20
#: The tree of no files: what the first commit is compared with.
_REGULAR: Final = ("100644", "100755")


class StagedFiles:
    """`ports.discovery.scans.ChunkSource` of the files that are staged in the repository around a folder."""

    def __init__(self, folder: Path) -> None:
        """Keep the folder."""
        self._folder = folder

    def chunks(self) -> Iterator[FileChunk | SkippedFile]:
        """Yield each added or changed file as it is in the index."""
        staged = list(self._staged())
        with subprocess.Popen(  # noqa: S603 - fixed arguments; names go to standard input
            (*_GIT, "cat-file", "--batch"),
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        ) as git:
            assert git.stdin is not None
            assert git.stdout is not None
            for name, file in staged:
                if is_binary_name(file):
                    continue
                git.stdin.write(name + b"\n")
                git.stdin.flush()
                header = git.stdout.readline().split()
                if len(header) != 3 or header[1] != b"blob":
                    yield SkippedFile(file=file, why=SkipReason.FAULTY)
                    continue
                size = int(header[2])
                content = git.stdout.read(min(size, _MOST_BYTES))
                left = size - len(content) + 1
                while left > 0 and (passed := git.stdout.read(min(left, 1 << 20))):
                    left -= len(passed)
                if is_binary(content[:HEAD_BYTES]):
                    continue
                yield FileChunk(file=file, content=content)
                if size > _MOST_BYTES:
                    yield SkippedFile(file=file, why=SkipReason.LARGE)
            git.stdin.close()

    def _staged(self) -> Iterator[tuple[bytes, str]]:
        head = self._git("rev-parse", "--verify", "--quiet", "HEAD", none_on=(1,))
        tree = head.strip().decode("ascii") if head else self._empty_tree()
        listed = self._git(
            "diff-index", "--cached", "--raw", "-z", "--no-renames", "--no-ext-diff", "--no-textconv",
            "--ignore-submodules=all", "--diff-filter=ACMT", "--full-index", tree, "--",
        )  # fmt: skip
        fields = iter((listed or b"").split(b"\0"))
        for about in fields:
            file = next(fields, None)
            parts = about.decode("ascii", "replace").split()
            if file is None or len(parts) != 5 or parts[1] not in _REGULAR:
                continue
            yield parts[3].encode("ascii"), file.decode("utf-8", "backslashreplace")

    def _empty_tree(self) -> str:
        made = self._git("hash-object", "-t", "tree", "/dev/null")
        return (made or b"").strip().decode("ascii")

    def _git(self, *arguments: str, none_on: tuple[int, ...] = ()) -> bytes | None:
        try:
            done = subprocess.run(  # noqa: S603 - fixed arguments
                (*_GIT, *arguments),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PATIENCE_S,
                env=_environment(),
                check=False,
            )
        except FileNotFoundError:
            raise SourceUnavailable(
                "`git` is not installed", remediation="install it, or scan without `--staged`"
            ) from None
        except subprocess.TimeoutExpired:
            raise SourceUnavailable("`git` did not answer in time", remediation="try again") from None
        if done.returncode in none_on:
            return None
        if done.returncode:
            raise SourceUnavailable(
                f"`git {arguments[0]}` failed in `{self._folder}`",
                remediation="run this inside a Git repository that belongs to you",
            )
        return done.stdout


def _environment() -> dict[str, str]:
    """Return the environment of `git`: without what makes it ask, log or read other repositories' objects.

    `GIT_INDEX_FILE` and `GIT_DIR` stay: inside a hook they say which index is to be committed.
    """
    kept = {
        name: value for name, value in os.environ.items() if name not in _LEFT_OUT and "TRACE" not in name
    }
    return {
        **kept,
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        # A repository may allow a protocol that names a program; older `git` fetches what is missing.
        "GIT_ALLOW_PROTOCOL": "",
    }


_LEFT_OUT: Final = frozenset(
    {"GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_ASKPASS", "SSH_ASKPASS", "GIT_SSH_COMMAND"}
)
