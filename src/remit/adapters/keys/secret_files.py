# SPDX-License-Identifier: Apache-2.0
"""Files that hold secrets: written atomically, readable by this user alone, and refused otherwise."""

import asyncio
import contextlib
import fcntl
import math
import os
import re
import secrets
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from remit.core.errors import KeyUnavailable

MAX_BYTES = 64 * 1024
#: Seconds to wait for another process that changes the same keys, and between two attempts.
PATIENCE_S: Final = 2.0
AGAIN_S: Final = 0.02


def check_folder(folder: Path) -> None:
    """Create a folder for keys with mode 0700, or refuse one that other users could enter."""
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
    """Return a key file's bytes; raise `KeyUnavailable` for a link, another owner or a mode wider than
    0600.
    """
    try:
        # The checks use the open file, so that it cannot be exchanged between check and read.
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
    """Create a key file with mode 0600, atomically and durably; an existing file stays unchanged."""
    _place(place, data, _link)


def replace_secret(place: Path, data: bytes) -> None:
    """Create or replace a file with mode 0600, atomically and durably."""
    _place(place, data, os.replace)


def remove_secret(place: Path) -> None:
    """Delete a key file durably; a missing file is no fault.

    Data that the disk itself retains of deleted files is out of our control.
    """
    try:
        place.unlink(missing_ok=True)
        _sync_folder(place.parent)
    except OSError as fault:
        raise _unavailable(place, fault) from fault


def _place(place: Path, data: bytes, settle: Callable[[Path, Path], None]) -> None:
    fresh = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            settle(fresh, place)
        finally:
            fresh.unlink(missing_ok=True)
        _sync_folder(place.parent)
    except OSError as fault:
        raise _unavailable(place, fault) from fault


def _link(fresh: Path, place: Path) -> None:
    with contextlib.suppress(FileExistsError):  # another process was first, and its key is used
        os.link(fresh, place)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def numbered(folder: Path, purpose: str, suffix: str) -> list[int]:
    """Return the numbers of a purpose's key files (`purpose-1.suffix` and so on), highest first."""
    pattern = re.compile(rf"{purpose}-(\d{{1,9}})\.{suffix}\Z")
    return sorted(
        (int(found[1]) for one in folder.iterdir() if (found := pattern.match(one.name))), reverse=True
    )


def _check(descriptor: int, place: Path, mode: str) -> None:
    found = os.fstat(descriptor)
    if found.st_uid != os.geteuid():
        raise KeyUnavailable(
            f"`{place}` belongs to another user", remediation="make it belong to the user that runs remit"
        )
    # Who else may use it; a folder below a shared volume inherits the bit setgid, which permits no access.
    if found.st_mode & 0o777 & ~int(mode, 8):
        raise KeyUnavailable(
            f"`{place}` can be used by other users (mode {stat.S_IMODE(found.st_mode):o})",
            remediation=f"run `chmod {mode} {place}`, and replace the key if another user may have read it",
        )


def _unavailable(place: Path, fault: OSError) -> KeyUnavailable:
    return KeyUnavailable(
        f"`{place}` cannot be used: {fault.strerror or 'input/output error'}",
        remediation="make it readable for the user that runs remit, or restore it from a backup",
        debug=str(fault),
    )


@contextlib.asynccontextmanager
async def alone(lock: Path, patience_s: float | None = None) -> AsyncIterator[None]:
    """Hold an inter-process lock while the block runs.

    Raises `KeyUnavailable` if another process keeps the lock for `patience_s` seconds (`PATIENCE_S` unless
    given).
    """
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise _unavailable(lock, fault) from fault
    try:
        tries = math.ceil((PATIENCE_S if patience_s is None else patience_s) / AGAIN_S)
        while not _taken(descriptor):
            # Counts attempts instead of seconds: if the whole machine stood still, the other process made no
            # progress either.
            tries -= 1
            if tries < 0:
                raise KeyUnavailable(
                    f"another process holds `{lock}`",
                    code="keys-held",
                    remediation="find the stopped process with `fuser`, and resume or end it",
                )
            await asyncio.sleep(AGAIN_S)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
