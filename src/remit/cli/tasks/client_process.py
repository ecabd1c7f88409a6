# SPDX-License-Identifier: Apache-2.0
"""The client process that started this command. Imports the standard library only: a shim stays small."""

from __future__ import annotations

import os
import sys
from typing import Final, NamedTuple

_LINUX: Final = sys.platform == "linux"
#: Programs that start another one for a client and wait for it.
_LAUNCHERS: Final = frozenset(
    ("bash", "dash", "env", "fish", "ksh", "nice", "sh", "timeout", "uv", "uvx", "zsh")
)
_DEEPEST: Final = 32


class Process(NamedTuple):
    """A process; `started` tells it from another one that gets the same id later."""

    pid: int
    parent: int
    uid: int
    started: str
    words: tuple[str, ...]


def client_of(pid: int, named: tuple[str, ...]) -> Process | None:
    """Return the client that started `pid`; None if that is unknown, or a process of another user.

    A launcher between both (`sh -c "remit connect ..."`) is skipped. It is one if its command line contains
    the words `named`; the shell in which a person started the client does not contain them.
    """
    own = look_up(pid)
    found = look_up(own.parent) if own is not None else None
    for _ in range(_DEEPEST):
        if own is None or found is None or found.uid != own.uid:
            return None
        if not _launches(found, named):
            return found
        found = look_up(found.parent)
    return None


def descends_from(pid: int, client: Process, *, relay: int) -> bool:
    """Return whether `client` still runs and is an ancestor of `pid`, not by way of the relay.

    A relay that starts remit (`--start`) is an ancestor of every server behind it, and those are not the
    client's.
    """
    found = look_up(pid)
    for _ in range(_DEEPEST):
        found = look_up(found.parent) if found is not None else None
        if found is None or found.pid == relay:
            return False
        if found.pid == client.pid:
            return found.started == client.started
    return False


def look_up(pid: int) -> Process | None:
    """Return a process; None if it is gone, or cannot be seen."""
    if pid <= 0:
        return None
    try:
        return _in_proc(pid) if _LINUX else _by_ps(pid)
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _launches(process: Process, named: tuple[str, ...]) -> bool:
    program = os.path.basename(process.words[0].lstrip("-")) if process.words else ""
    line = " ".join(process.words[1:])
    return program in _LAUNCHERS and all(word in line for word in named)


def _in_proc(pid: int) -> Process:
    # The second field is a name in parentheses with any characters, even parentheses.
    fields = _read(pid, "stat").rpartition(")")[2].split()
    uid = next(line for line in _read(pid, "status").splitlines() if line.startswith("Uid:")).split()[1]
    words = tuple(_read(pid, "cmdline").rstrip("\0").split("\0"))
    return Process(pid, int(fields[1]), int(uid), fields[19], words)


def _read(pid: int, name: str) -> str:
    with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as opened:
        return opened.read()


def _by_ps(pid: int) -> Process:
    import subprocess

    columns = ("-o", "ppid=", "-o", "uid=", "-o", "lstart=", "-o", "command=")
    done = subprocess.run(  # noqa: S603 - no word is from outside
        ["/bin/ps", "-ww", *columns, "-p", str(pid)],
        env={"LC_ALL": "C"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    parent, uid, *rest = done.stdout.split()  # nothing if the process is gone
    return Process(pid, int(parent), int(uid), " ".join(rest[:5]), tuple(rest[5:]))
