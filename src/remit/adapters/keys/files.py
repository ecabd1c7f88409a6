# SPDX-License-Identifier: Apache-2.0
"""Files that hold secrets: made whole, readable by this user alone, and refused when they are not."""

import os
import re
import secrets
import stat
from pathlib import Path

from remit.core.errors import KeyUnavailable

MAX_BYTES = 64 * 1024


def check_folder(folder: Path) -> None:
    """Create a folder for keys with mode 0700, or refuse one that others could enter."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as fault:
        raise _unavailable(folder, fault) from fault
    try:
        _check(descriptor, folder, "700")
    finally:
        os.close(descriptor)


def read_secret(place: Path) -> bytes:
    """Give a key file's bytes; a link, another owner or a wider mode than 0600 raises `KeyUnavailable`."""
    try:
        # The checks look at the open file, so that it cannot be exchanged between check and read.
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as fault:
        raise _unavailable(place, fault) from fault
    try:
        _check(descriptor, place, "600")
        return os.read(descriptor, MAX_BYTES)
    except OSError as fault:
        raise _unavailable(place, fault) from fault
    finally:
        os.close(descriptor)


def create_secret(place: Path, data: bytes) -> None:
    """Make a key file with mode 0600, whole and durable, unless there is one: then that one stays."""
    fresh = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(fresh, place)
        except FileExistsError:
            pass  # another process was first, and its key is the key
        finally:
            fresh.unlink()
        folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as fault:
        raise _unavailable(place, fault) from fault


def numbered(folder: Path, purpose: str, suffix: str) -> list[Path]:
    """Give a purpose's key files, `purpose-1.suffix` and so on, the newest (highest number) first."""
    pattern = re.compile(rf"{purpose}-(\d{{1,9}})\.{suffix}\Z")
    found = [(int(match[1]), place) for place in folder.iterdir() if (match := pattern.match(place.name))]
    return [place for _, place in sorted(found, reverse=True)]


def next_place(folder: Path, purpose: str, suffix: str) -> Path:
    """Give the place of a purpose's next key."""
    present = numbered(folder, purpose, suffix)
    newest = int(present[0].stem.rpartition("-")[2]) if present else 0
    return folder / f"{purpose}-{newest + 1}.{suffix}"


def _check(descriptor: int, place: Path, mode: str) -> None:
    found = os.fstat(descriptor)
    if found.st_uid != os.geteuid():
        raise KeyUnavailable(
            f"`{place}` belongs to another user", way_out="make it belong to the user that runs remit"
        )
    if stat.S_IMODE(found.st_mode) & ~int(mode, 8):
        raise KeyUnavailable(
            f"`{place}` can be used by other users (mode {stat.S_IMODE(found.st_mode):o})",
            way_out=f"run `chmod {mode} {place}`, and replace the key if somebody may have read it",
        )


def _unavailable(place: Path, fault: OSError) -> KeyUnavailable:
    return KeyUnavailable(
        f"`{place}` cannot be used: {fault.strerror or 'input/output error'}",
        way_out="make it readable for the user that runs remit, or restore it from a copy",
        debug=str(fault),
    )
