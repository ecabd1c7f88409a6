# SPDX-License-Identifier: Apache-2.0
"""The secret of a finding, read again from its place: below one folder, and by its fingerprint alone."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from remit.core.discovery.fix_drafts import secret_in
from remit.core.discovery.secret_fingerprint import is_fingerprint_of
from remit.core.errors import Malformed, NotFound
from remit.core.json_value import Json

MOST_BYTES: Final = 32 * 1024 * 1024


class SecretCopies(NamedTuple):
    """A file, its content, and all places in its text where a secret stands."""

    file: Path
    content: bytes
    starts: list[int]

    def __repr__(self) -> str:
        return f"SecretCopies({str(self.file)!r})"


class SecretPlace(NamedTuple):
    """A file, its content, and where in its text the secret stands. Its `repr` shows no secret."""

    file: Path
    content: bytes
    start: int
    end: int

    @property
    def secret(self) -> str:
        """The secret."""
        return self.content.decode("utf-8", "surrogateescape")[self.start : self.end]

    def __repr__(self) -> str:
        return f"SecretPlace({str(self.file)!r})"


def place_below(root: Path, named: str) -> Path:
    """Return a finding's file below a folder; raises `Malformed` for one that is elsewhere.

    A finding names a file as its scan was told: it never leads out of the folder, not by a link either.
    """
    root = root.resolve()
    parts = PurePosixPath(named.replace("\\", "/"))
    path = root.joinpath(*parts.parts)
    outside = parts.is_absolute() or ".." in parts.parts or "\0" in named or not parts.parts
    # Every part is looked at: a link could lead elsewhere.
    links = [one for one in (path, *path.parents) if one != root and root in one.parents and one.is_symlink()]
    if outside or links or not path.resolve().is_relative_to(root):
        raise Malformed(
            f"`{named[:80]}` is not a file below `{root}`",
            code="outside",
            remediation="give the scanned folder with `--root`",
        )
    return path


def read_file(path: Path) -> bytes:
    """Return the content of a regular file; raises `NotFound`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as fault:
        raise _absent(path, fault.strerror or "") from None
    with os.fdopen(descriptor, "rb") as opened:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
            raise _absent(path, "it is no regular file of at most 32 MiB")
        return opened.read(MOST_BYTES)


def copies_of(place: SecretPlace, finding: dict[str, Json], root: Path) -> list[SecretCopies]:
    """Return each file of a finding that holds its secret as a whole word.

    One that was found stands often in several files, and several times in one.
    """
    secret, found = place.secret, []
    whole = re.compile(rf"(?<![A-Za-z0-9_]){re.escape(secret)}(?![A-Za-z0-9_])")
    for path in _files_of(finding, root):
        try:
            content = place.content if path == place.file else read_file(path)
        except NotFound:
            continue
        starts = [one.start() for one in whole.finditer(content.decode("utf-8", "surrogateescape"))]
        if path == place.file and place.start not in starts:
            starts = sorted([*starts, place.start])
        if starts:
            found.append(SecretCopies(path, content, starts))
    return found


def _files_of(finding: dict[str, Json], root: Path) -> Iterator[Path]:
    """Yield the files that a finding names below a folder, without those of a history."""
    places = [one for one in (finding.get("facts") or {}).get("places") or [] if not one.get("commit")]
    for name in dict.fromkeys(str(one.get("file", "")) for one in places):
        yield place_below(root, name)


def replace_below(root: Path, path: Path, content: bytes) -> None:
    """Replace a file below a folder, completely or not at all; a link that took its place is not followed."""
    from remit.cli.wrap.backup import write_private

    place_below(root, path.relative_to(root.resolve()).as_posix())
    mode = path.lstat().st_mode & 0o7777
    write_private(path, content)
    path.chmod(mode, follow_symlinks=False) if os.chmod in os.supports_follow_symlinks else path.chmod(mode)


def _absent(path: Path, why: str) -> NotFound:
    return NotFound(
        f"`{path}` cannot be read: {why}",
        code="no-file",
        remediation="give the scanned folder with `--root`, or the secret with `--stdin`",
    )


def find_secret(finding: dict[str, Json], root: Path, key: bytes) -> SecretPlace:
    """Return the secret of a finding in the first of its files that still holds it; raises `NotFound`."""
    facts = finding.get("facts") or {}
    evidence = facts.get("evidence") or {}
    tail = str(evidence.get("tail", ""))
    for path in _files_of(finding, root):
        try:
            content = read_file(path)
        except NotFound:
            continue
        text = content.decode("utf-8", "surrogateescape")
        found = secret_in(text, tail, lambda one: is_fingerprint_of(finding["about"], key, one))
        if found is not None:
            return SecretPlace(path, content, *found)
    raise NotFound(
        f"no file of finding `{finding['id']}` below `{root}` holds its secret",
        code="no-secret",
        remediation="give the scanned folder with `--root`, or the secret with `--stdin`",
    )


def scan_key(config: Path) -> bytes:
    """Return the key of the fingerprints of this machine's scans; empty if there is none."""
    from remit.compose.keys import first_key
    from remit.config import state_of

    return first_key(state_of(config.parent))
