# SPDX-License-Identifier: Apache-2.0
"""Files that hold secrets: made whole, readable by this user alone, and refused when they are not."""

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
#: Seconds to wait for another process that changes the same keys, and between two tries.
PATIENCE_S: Final = 2.0
AGAIN_S: Final = 0.02


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
    """Return a key file's bytes; a link, another owner or a wider mode than 0600 raises `KeyUnavailable`."""
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
    _place(place, data, _link)


def replace_secret(place: Path, data: bytes) -> None:
    """Make a file with mode 0600 or replace the one there is, whole and durable: never half of it."""
    _place(place, data, os.replace)


def remove_secret(place: Path) -> None:
    """Remove a key file for good; it does not matter whether there is one.

    What the disk itself keeps of removed files is not in our hands.
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
    with contextlib.suppress(FileExistsError):  # another process was first, and its key is the key
        os.link(fresh, place)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def numbered(folder: Path, purpose: str, suffix: str) -> list[int]:
    """Return the numbers of a purpose's key files, `purpose-1.suffix` and so on, the highest first."""
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
    if stat.S_IMODE(found.st_mode) & ~int(mode, 8):
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
    """Hold a lock that processes share while the block runs; raises `KeyUnavailable` where another one does
    not let go of it for `patience_s` seconds (`PATIENCE_S` unless given).
    """
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise _unavailable(lock, fault) from fault
    try:
        tries = math.ceil((PATIENCE_S if patience_s is None else patience_s) / AGAIN_S)
        while not _taken(descriptor):
            # Tries are counted, and not seconds: on a machine that stood still for some of these nobody else
            # has gone on either.
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
