# SPDX-License-Identifier: Apache-2.0
"""Log heads as files, one for each origin, in a folder separate from the store's."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import hashlib
import math
import os
import re
from pathlib import Path
from typing import Final

import msgspec

from remit.core.errors import Conflict, StoreUnavailable
from remit.ports.evidence.log import Head

#: Seconds to wait for another process that holds the lock, and between two attempts.
PATIENCE_S: Final = 2.0
AGAIN_S: Final = 0.02

_PLAIN = re.compile(r"[^A-Za-z0-9._-]")


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON content of a head file."""

    origin: str
    size: int
    root: str
    note: str


class FileHeadKeeper:
    """`ports.evidence.log.HeadKeeper` on a folder (mode 0700) with one file (mode 0600) for each origin.

    Compare-and-swap is atomic among all processes of this machine: every swap reads, compares and renames
    under a lock. Before `swap` returns, the new file and its folder entry are on the disk; a thread waits for
    that. A process that was stopped while it holds the lock delays the swaps of others, and nothing else.
    """

    def __init__(self, folder: Path) -> None:
        """Keep heads in `folder`; create the folder if it is missing."""
        self._folder = folder

    def read(self, origin: str) -> Head | None:
        """Return the head of a log, or `None` if it never had one."""
        place = self._place(origin)
        try:
            data = place.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as fault:
            raise _unavailable(place, fault) from fault
        try:
            record = msgspec.json.decode(data, type=_Record)
            root = base64.b64decode(record.root, validate=True)
        except (msgspec.DecodeError, ValueError) as fault:
            # Not "no head": otherwise a user who can damage the file could make a start forget what was
            # signed.
            raise StoreUnavailable(
                f"the head file `{place}` is damaged",
                remediation="restore it from a backup, or from a witness of the log",
                debug=str(fault),
            ) from fault
        if record.origin != origin or len(root) != hashlib.sha256().digest_size or record.size < 0:
            raise StoreUnavailable(
                f"the head file `{place}` belongs to another log", remediation="restore it from a backup"
            )
        return Head(record.size, root, record.note)

    async def swap(self, origin: str, expected: Head | None, new: Head) -> None:
        """Replace the head if it is still `expected`; a head never becomes smaller."""
        place = self._place(origin)
        try:
            lock = await self._locked(place)
            swapping = asyncio.get_running_loop().run_in_executor(
                None, self._swap, lock, origin, expected, new
            )
        except OSError as fault:
            raise _unavailable(place, fault) from fault
        # The thread finishes regardless of its caller, and then releases the lock.
        await asyncio.shield(swapping)

    def _swap(self, lock: int, origin: str, expected: Head | None, new: Head) -> None:
        place = self._place(origin)
        try:
            present = self.read(origin)
            if present != expected or (present is not None and new.size < present.size):
                raise Conflict(
                    f"the head of log `{origin}` is at {present.size if present else 0} events now",
                    remediation="read it again; if another process signs this log, stop one of them",
                )
            self._replace(place, _Record(origin, new.size, base64.b64encode(new.root).decode(), new.note))
        except OSError as fault:
            raise _unavailable(place, fault) from fault
        finally:
            os.close(lock)

    def set_back(self, origin: str, head: Head, stamp: str) -> Path | None:
        """Replace the head by a smaller or another one, after a restore; return where the old one is kept.

        Only a restore may do this (ADR 0103): the log then says what it has lost.
        """
        place = self._place(origin)
        aside = place.with_name(f"{place.name}.before-{stamp}") if place.exists() else None
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if aside is not None:
                os.link(place, aside)
            self._replace(place, _Record(origin, head.size, base64.b64encode(head.root).decode(), head.note))
        except OSError as fault:
            raise _unavailable(place, fault) from fault
        return aside

    def _place(self, origin: str) -> Path:
        # Readable, and distinct for distinct origins, whatever characters they contain.
        digest = hashlib.sha256(origin.encode()).hexdigest()[:16]
        return self._folder / f"{_PLAIN.sub('_', origin)[:80]}-{digest}.head"

    async def _locked(self, place: Path) -> int:
        """Take the lock and return its descriptor, which the caller closes."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = place.with_suffix(".lock")
        lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            tries = math.ceil(PATIENCE_S / AGAIN_S)
            while not _taken(lock):
                # Counts attempts instead of seconds: if the whole machine stood still, the other process made
                # no progress either.
                tries -= 1
                if tries < 0:
                    raise StoreUnavailable(
                        f"another process holds `{file}`",
                        code="head-held",
                        remediation="find the stopped process with `fuser`, and resume or end it",
                    )
                await asyncio.sleep(AGAIN_S)
        except BaseException:
            os.close(lock)
            raise
        return lock

    def _replace(self, place: Path, record: _Record) -> None:
        fresh = place.with_suffix(".new")
        out = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            data = msgspec.json.encode(record) + b"\n"
            while data:
                data = data[os.write(out, data) :]
            os.fsync(out)
        finally:
            os.close(out)
        fresh.replace(place)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unavailable(place: Path, fault: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"the head file `{place}` cannot be used: {fault.strerror or 'input/output error'}",
        remediation="make its folder readable and writable for this user, and free space on its disk",
        debug=str(fault),
    )
