# SPDX-License-Identifier: Apache-2.0
"""The programs that remit starts, and how far this machine keeps them and remit itself apart."""

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
    """Return the user ids that programs run as; raises `ConfigInvalid` where they cannot."""
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
        # All processes of these ids are killed: nobody else may have one.
        raise ConfigInvalid(
            f"user ids from {first} to {last} are already in use: {taken}",
            key="programs.users",
            remediation="choose a range outside `/etc/passwd` and `/etc/subuid`",
        )
    return UserIds(first, last)


def _taken(first: int, last: int) -> str:
    """Say whose user ids in a range are; empty where they are nobody's."""
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
    """Whether this machine keeps programs of one user from looking into each other."""
    return separation.version() > 0


def enter_domain() -> bool:
    """Keep this process, and all that it starts from now on, from looking into any other; `False` where that
    cannot be. For a process that is about to become another program.
    """
    return separation.keep_apart()


def encloses() -> bool:
    """Whether this machine gives a task's program a PID namespace, all of which ends at once."""
    # In a process of its own: what makes a namespace must have one thread.
    argv = [sys.executable, "-I", "-S", str(namespace.__file__)]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0  # noqa: S603 - our own


def hide_this_process() -> None:
    """Let nobody of the same user look into this process: its memory holds what every upstream opens."""
    separation.hide()
