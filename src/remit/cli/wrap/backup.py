# SPDX-License-Identifier: Apache-2.0
"""Undoing a wrapping: a copy of the client's file, and a manifest of the changes.

Both may hold the secrets of the file, so they are in the user's state folder, never in a project. Wrapping
again after new servers were added makes another pair; undoing goes through all pairs, newest first.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from remit.cli.wrap.client_file import Change, read
from remit.core.errors import ConfigInvalid, NotFound
from remit.core.user_folders import state_folder

MANIFEST: Final = ".manifest.json"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The changes that one wrapping made to a file."""

    file: str
    backup: str
    sha256_before: str
    sha256_after: str
    place: tuple[str, ...]
    entries: dict[str, Change]
    config: str


class UndoResult(msgspec.Struct, kw_only=True):
    """The result of undoing; `whole` if the file is byte for byte as before."""

    whole: bool = False
    restored: list[str] = []
    left: list[str] = []
    kept: list[str] = []


def digest(content: bytes) -> str:
    """Return a file's SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def kept_in() -> Path:
    """Return the folder of the copies; make it if necessary."""
    folder = Path(state_folder(os.environ, os.path.expanduser("~"))) / "wrapped"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def back_up(file: Path, content: bytes, now: datetime) -> Path:
    """Write the copy, and return its path; never overwrite an existing copy."""
    stamp, whose = now.strftime("%Y%m%d-%H%M%S"), digest(str(file.resolve()).encode())[:12]
    for number in range(1, 100):
        path = kept_in() / f"{whose}-{stamp}-{number:02}-{file.name}"
        if not path.exists():
            write_private(path, content, new=True)
            return path
    raise ConfigInvalid(
        "has too many backups from this second", file=str(file), remediation="remove old backups"
    )


def note(manifest: Manifest) -> Path:
    """Write the manifest beside its backup."""
    path = Path(manifest.backup + MANIFEST)
    write_private(path, msgspec.json.format(msgspec.json.encode(manifest), indent=2), new=True)
    return path


def manifests(file: Path) -> list[tuple[Path, Manifest]]:
    """Return the manifests of a file, newest first."""
    real, found = str(file.resolve()), []
    for path in sorted(kept_in().glob(f"{digest(real.encode())[:12]}-*{MANIFEST}"), reverse=True):
        try:
            found.append((path, msgspec.json.decode(path.read_bytes(), type=Manifest)))
        except (msgspec.DecodeError, msgspec.ValidationError):
            raise ConfigInvalid(
                "is damaged", file=str(path), remediation="restore the backup by hand"
            ) from None
    return found


def undo(file: Path, *, dry_run: bool) -> UndoResult:
    """Restore a file: as a whole if nothing else has changed in it, else the rewritten entries."""
    found = manifests(file)
    if not found:
        raise NotFound(f"`{file}` was not wrapped by this remit", remediation="name the wrapped file")
    content = file.read_bytes()
    used: list[tuple[Path, Manifest]] = []
    for path, manifest in found:
        if digest(content) != manifest.sha256_after:
            break
        before = Path(manifest.backup).read_bytes()
        if digest(before) != manifest.sha256_before:
            raise ConfigInvalid("was changed", file=manifest.backup, remediation="restore the file by hand")
        content = before
        used.append((path, manifest))
    rest = found[len(used) :]
    done = UndoResult(whole=not rest, restored=[name for _, one in used for name in one.entries])
    if rest:
        content = _entries_back(content, file, [manifest for _, manifest in rest], done)
        done.kept = [manifest.backup for _, manifest in rest]
    if not dry_run:
        replace_file(file, content)
        for path, manifest in found:
            path.unlink()
            if manifest.backup not in done.kept:
                Path(manifest.backup).unlink()
    return done


def _entries_back(content: bytes, file: Path, rest: list[Manifest], done: UndoResult) -> bytes:
    """Restore rewritten entries one by one; leave an entry that has been changed since then."""
    for manifest in rest:
        text, back, left = read(content, file, place=manifest.place).restored(manifest.entries)
        content = text.encode("utf-8")
        done.restored += back
        done.left += left
    return content


def write_private(path: Path, content: bytes, *, new: bool = False) -> None:
    """Write a file that only its owner can read; completely or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _fill(descriptor, content)
        if new:
            os.link(draft, path)
        else:
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file's content, completely or not at all; keep its mode and links to it."""
    real = path.resolve()
    draft = real.with_name(f".{real.name}.{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _fill(descriptor, content)
        draft.chmod(real.stat().st_mode & 0o7777)
        draft.replace(real)
    finally:
        draft.unlink(missing_ok=True)


def _fill(descriptor: int, content: bytes) -> None:
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(descriptor)
