# SPDX-License-Identifier: Apache-2.0
"""The remit that runs for a configuration: its record, and signals to exactly that process.

    .remit/up.json      {"id": ..., "pid": ..., "url": ..., "since": ..., ...}
    .remit/up.log       the log of the service

The process holds a lock on its record for as long as it lives. The record of an unlocked file is stale, so a
process id that belongs to another process by now is never used. A user's record is believed of that user's
processes alone: it leads to no signal that its owner could not send. A configuration with another name than
`remit.yaml` has its own record and log beside these.
"""

from __future__ import annotations

import os
import secrets
import signal
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

import remit
from remit.config import Config, state_of
from remit.config.settings import CONFIG_NAME
from remit.core.errors import ConfigInvalid, Forbidden
from remit.core.evidence.event import timestamp

#: Asks a running remit to start again in its own process.
RESTART = signal.SIGUSR1
#: Seconds between two looks at a record that is expected to change.
PAUSE_S = 0.05
_MAX_RECORD: Final = 64 * 1024
#: The longest time for which the lock may be held without a record.
HOLD_S = 2.0


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One run of remit. `url` is empty until it serves; `started` is the kernel's start time of the process.

    A restart keeps the process and gets another `id`. `background`: a wrapped client has started it, with its
    output in the log. `workers` is how many processes serve; 0 if this process serves itself.
    """

    id: str
    pid: int
    since: str
    version: str
    config: str
    log: str = ""
    url: str = ""
    started: str = ""
    background: bool = False
    workers: int = 0

    @property
    def facts(self) -> dict[str, object]:
        """What commands show of it."""
        shown = ("pid", "url", "since", "version", "config", "log")
        workers = {"workers": self.workers} if self.workers else {}
        return {"running": True, **{name: getattr(self, name) for name in shown}, **workers}


def record_of(config: Path) -> Path:
    """Return the place of the record of a configuration."""
    return state_of(config.parent) / f"{_stem(config)}.json"


def log_of(config: Path) -> Path:
    """Return the place of the log of a configuration."""
    return state_of(config.parent) / f"{_stem(config)}.log"


def worker_file(config: Path, number: int, kind: str) -> Path:
    """Return the place of a file of one worker: its sockets (`sock`, `conn`), or that it serves (`ready`)."""
    return record_of(config).absolute().with_suffix(f".worker-{number}.{kind}")


def _stem(config: Path) -> str:
    return "up" if config.name == CONFIG_NAME else config.name


def running(config: Path) -> Instance | None:
    """Return the remit that runs for a configuration; raises `Forbidden` if it is another user's."""
    place = record_of(config)
    try:
        # Without waiting: a pipe may lie in its place, in a folder that others have made.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(place, flags)
    except PermissionError:
        raise _of_another(config) from None
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not _is_locked(descriptor):
            return None
        found = _read(os.read(descriptor, _MAX_RECORD))
    finally:
        os.close(descriptor)
    return found if found is not None and _may_name(status.st_uid, found.pid) else None


def as_served(config: Config) -> Config:
    """Return the configuration with the port that the running remit has, which `--port` can have chosen."""
    with suppress(Forbidden, ValueError):
        found = running(Path(config.file))
        if found is not None and (port := urlsplit(found.url).port) is not None:
            here = msgspec.structs.replace(config.listen, port=port)
            # Only the port can differ: a session goes to no address that the configuration does not name.
            if here.url == found.url:
                return msgspec.structs.replace(config, listen=here)
    return config


def _read(text: bytes) -> Instance | None:
    try:
        return msgspec.json.decode(text, type=Instance)
    except msgspec.DecodeError:
        return None


def _may_name(owner: int, pid: int) -> bool:
    """Return whether the owner of a record may name a process: root, its user, or any while it is unknown."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
        user = int(next(line for line in lines if line.startswith("Uid:")).split()[1])
    except (OSError, ValueError, StopIteration):
        return owner in (0, os.geteuid()) if hasattr(os, "geteuid") else True
    return owner in (0, user)


def _is_locked(descriptor: int) -> bool:
    if os.name != "posix":
        return False
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    # Closing the file releases the lock.
    return False


class InstanceClaim:
    """The right of this process to be the remit of a configuration, and its record.

    Without a descriptor the record cannot be kept: remit serves, and these commands do not find it.
    """

    def __init__(self, config: Path, descriptor: int | None = None, workers: int = 0) -> None:
        """Begin to start."""
        self._descriptor = descriptor
        self.instance = Instance(
            id=secrets.token_hex(8),
            pid=os.getpid(),
            since=timestamp(datetime.now(UTC)),
            version=remit.__version__,
            config=str(config),
            log=str(log_of(config)),
            started=_started(os.getpid()),
            background=_is_stderr(log_of(config)),
            workers=workers,
        )
        self._write(msgspec.json.encode(self.instance))

    def serves(self, url: str) -> None:
        """Write down the address; from here on signals are answered."""
        self.instance = msgspec.structs.replace(self.instance, url=url)
        self._write(msgspec.json.encode(self.instance))

    def starts_again(self) -> None:
        """Become another run of the same process, which does not serve yet."""
        self.instance = msgspec.structs.replace(self.instance, id=secrets.token_hex(8), url="")
        self._write(msgspec.json.encode(self.instance))

    def close(self) -> None:
        """Leave."""
        if self._descriptor is not None:
            self._write(b"")
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self, text: bytes) -> None:
        if self._descriptor is not None:
            os.pwrite(self._descriptor, text, 0)
            os.ftruncate(self._descriptor, len(text))


@contextmanager
def claimed(config: Path, workers: int = 0) -> Iterator[InstanceClaim | Instance]:
    """Provide the claim of this process, or the instance that runs already."""
    place = record_of(config)
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        descriptor: int | None = os.open(place, flags, 0o600)
    except OSError:
        # A folder that cannot be written: with everything of remit elsewhere, that is in order.
        descriptor = None
    if descriptor is not None and (other := _take(descriptor, config)) is not None:
        os.close(descriptor)
        yield other
        return
    claim = InstanceClaim(config, descriptor, workers)
    try:
        yield claim
    finally:
        claim.close()


def _take(descriptor: int, config: Path) -> Instance | None:
    """Take the lock, or return the instance that holds it."""
    if os.name != "posix":
        return None
    import fcntl

    # Who looks whether remit runs holds a shared lock for a moment, and a holder writes its record just after
    # it has the lock.
    until = time.monotonic() + HOLD_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if (found := running(config)) is not None:
                return found
        else:
            return None
        if time.monotonic() > until:
            raise ConfigInvalid(
                f"another process holds `{record_of(config)}`",
                remediation="wait until it has ended, and try again",
            )
        time.sleep(PAUSE_S)


def send(config: Path, wanted: Instance, number: int) -> bool:
    """Send a signal to the process of an instance; return false if it no longer runs.

    INVARIANT: no other process receives the signal. The process is held by a descriptor where the system has
    these, and is checked after that: it holds the lock, and its start time is the recorded one.
    """
    handle = _handle(wanted.pid)
    try:
        now = running(config)
        if now is None or (now.pid, now.started) != (wanted.pid, wanted.started):
            return False
        if _started(now.pid) != now.started:
            return False
        try:
            if handle is not None:
                signal.pidfd_send_signal(handle, number)
            else:
                os.kill(now.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:
            raise _of_another(config, pid=now.pid) from None
        return True
    finally:
        if handle is not None:
            os.close(handle)


def lives(wanted: Instance) -> bool:
    """Return whether the process of an instance exists, also between two of its runs."""
    if wanted.started:
        return _started(wanted.pid) == wanted.started
    try:
        os.kill(wanted.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _handle(pid: int) -> int | None:
    """Return a descriptor of a process: unlike its number, it never means another process later."""
    if sys.platform != "linux":
        return None
    with suppress(OSError):
        return os.pidfd_open(pid)
    return None


def _started(pid: int) -> str:
    """Return when the kernel started a process, in its own units; empty where it does not say."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # proc(5): the name stands in parentheses and may contain any character; field 22 is `starttime`.
    return text.rpartition(")")[2].split()[19]


def _is_stderr(place: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(2), place.stat())
    except OSError:
        return False


def _of_another(config: Path, pid: int | None = None) -> Forbidden:
    try:
        user = record_of(config).stat().st_uid
    except OSError:
        user = record_of(config).parent.stat().st_uid
    who, process = _name(user), f" (process {pid})" if pid else ""
    return Forbidden(
        f"the remit of `{config}`{process} belongs to the user `{who}`",
        code="other-user",
        remediation=f"run this command as `{who}`",
    )


def _name(user: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
