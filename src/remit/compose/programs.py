# SPDX-License-Identifier: Apache-2.0
"""The programs that remit starts, and how well this machine isolates them from remit and each other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from remit.adapters.upstream.processes import namespace, separation
from remit.adapters.upstream.processes.user_ids import UserIds
from remit.config import Config
from remit.core.errors import ConfigInvalid


def users_of(config: Config) -> UserIds | None:
    """Return the user ids that programs run as; raises `ConfigInvalid` if this is not possible."""
    if not config.programs.users:
        return None
    if os.geteuid() != 0:
        raise ConfigInvalid(
            "only root can give programs separate user ids",
            key="programs.users",
            remediation="run remit as root, or remove it",
        )
    first, last = config.programs.users
    if taken := _taken(first, last):
        # All processes with these ids are killed: no other user may have one of them.
        raise ConfigInvalid(
            f"user ids from {first} to {last} are already in use: {taken}",
            key="programs.users",
            remediation="choose a range outside `/etc/passwd` and `/etc/subuid`",
        )
    return UserIds(first, last)


def _taken(first: int, last: int) -> str:
    """Return whose user ids a range contains; empty if they are unused."""
    import pwd

    for entry in pwd.getpwall():
        if first <= entry.pw_uid <= last:
            return f"`{entry.pw_name}` has {entry.pw_uid}"
    try:
        lines = Path("/etc/subuid").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    for name, start, count in (one.split(":") for one in lines if one.count(":") == 2):
        if start.isdigit() and count.isdigit() and int(start) <= last and int(start) + int(count) > first:
            return f"containers of `{name}` have them"
    return ""


def keeps_apart() -> bool:
    """Return whether this machine prevents programs of one user from inspecting each other."""
    return separation.version() > 0


def enter_domain() -> bool:
    """Prevent this process, and everything that it starts from now on, from inspecting any other process.

    Return `False` if that is not possible. For a process that is about to become another program.
    """
    return separation.keep_apart()


def encloses() -> bool:
    """Return whether this machine can give a task's program a PID namespace, which ends as a whole."""
    # In a separate process: only a process with a single thread can make a namespace.
    argv = [sys.executable, "-I", "-S", str(namespace.__file__)]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0  # noqa: S603 - our own


def hide_this_process() -> None:
    """Prevent other processes of the same user from inspecting this one: its memory holds the credentials of
    all upstreams.
    """
    separation.hide()
