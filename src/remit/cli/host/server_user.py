# SPDX-License-Identifier: Apache-2.0
"""Verifies with the kernel which user the command line talks to on this machine, before anything is sent.

While remit is stopped, another user of the machine can listen at its port. On Linux the kernel reports which
user listens at an address, and which user owns the other end of a connection. These users may serve: root,
who could do all of this anyway; this user; and the user that `remit login --served-by` has named. Over TLS
the certificate identifies the server. On another machine, or where the kernel reports nothing (a container
behind translated addresses, macOS), nothing is refused: the session's proofs are the protection there.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from remit.cli.host.isolation import owners
from remit.cli.session_file import served_by
from remit.core.errors import Unauthenticated


def looking(base_url: str, named: int | None = None) -> Callable[[socket.socket], None] | None:
    """Return a function that checks a connection before use and raises `Unauthenticated`; `None` if no check
    applies.
    """
    if urlsplit(base_url).scheme != "http" or not hasattr(os, "geteuid"):
        return None

    def look(connected: socket.socket) -> None:
        found = owners(connected.getpeername()[:2], connected.getsockname()[:2])
        if strangers := found - _trusted(base_url, named):
            raise _refused(base_url, min(strangers))

    return look


def checked(base_url: str, named: int | None) -> dict[str, Any]:
    """Return the request extensions that check each connection before use."""
    look = looking(base_url, named)

    def trace(event: str, facts: dict[str, Any]) -> None:
        if look is not None and event == "connection.connect_tcp.complete":
            try:
                look(facts["return_value"].get_extra_info("socket"))
            except Unauthenticated:
                facts["return_value"].close()
                raise

    return {"trace": trace}


def _trusted(base_url: str, named: int | None) -> set[int]:
    """Return the user ids that may serve an address."""
    found = {0, os.geteuid()}
    return found | {one for one in (named, served_by(base_url)) if one is not None}


def _refused(base_url: str, user: int) -> Unauthenticated:
    import pwd

    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = str(user)
    return Unauthenticated(
        f"the user `{name}` of this machine listens at {base_url}, and is not known to run remit",
        code="server-unknown",
        remediation=f"if remit runs as that user, run `remit login --served-by {name}` once; otherwise "
        "another program has taken its port; nothing was sent",
    )
