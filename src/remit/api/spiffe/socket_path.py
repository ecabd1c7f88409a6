# SPDX-License-Identifier: Apache-2.0
"""Unix sockets at a path that no other user can take over, with their mode set from the first moment."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Final

from remit.core.errors import ConfigInvalid

MODES: Final = {"user": 0o600, "group": 0o660, "all": 0o666}


def bind(
    place: Path, mode: int, key: str = "workload_api.socket", kind: int = socket.SOCK_STREAM
) -> socket.socket:
    """Return a socket that listens at `place`, with its mode set before it listens; errors name `key`.

    A datagram socket receives from the first moment: its reader must not trust what it reads.
    """
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_folder(place.parent, key)
        _clear(place, key, kind)
        sock = socket.socket(socket.AF_UNIX, kind)
        try:
            # INVARIANT: no client can connect before the mode is set, because the socket does not listen yet.
            sock.bind(str(place))
            place.chmod(mode)
            if kind == socket.SOCK_STREAM:
                sock.listen(128)
            sock.setblocking(False)
        except OSError:
            sock.close()
            raise
    except OSError as fault:
        raise ConfigInvalid(
            f"cannot listen at `{place}`: {fault.strerror or fault}",
            key=key,
            remediation="use a path of at most 100 characters in a folder that remit can write",
        ) from None
    return sock


def _check_folder(folder: Path, key: str) -> None:
    """Refuse a folder in which another user could replace remit's socket."""
    found = folder.stat()
    trusted = found.st_uid in (0, os.geteuid())
    open_to_others = found.st_mode & 0o002 and not found.st_mode & stat.S_ISVTX
    if not trusted or open_to_others:
        raise ConfigInvalid(
            f"other users could place a socket in `{folder}`",
            key=key,
            remediation=f"use a folder of this user, or run `chmod o-w {folder}`",
        )


def _clear(place: Path, key: str, kind: int) -> None:
    """Remove a socket on which no process listens; raise `ConfigInvalid` for anything else at `place`."""
    try:
        found = os.lstat(place)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ConfigInvalid(f"`{place}` exists and is not a socket", key=key, remediation="use another path")
    with socket.socket(socket.AF_UNIX, kind) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(place))
        except (ConnectionRefusedError, FileNotFoundError):
            place.unlink(missing_ok=True)
            return
    raise ConfigInvalid(
        f"another program already listens at `{place}`",
        key=key,
        remediation="stop it, or use another path",
    )
