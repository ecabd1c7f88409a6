# SPDX-License-Identifier: Apache-2.0
"""Finding a free port of this machine for a server that is about to start."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterable
from typing import Final

#: Below the ephemeral ports of Linux (from 32768 on): an ephemeral port could be in use again before the
#: server binds it.
_FIRST: Final = 32_000
_COUNT: Final = 768


def free_port() -> int:
    """Return a port that no process listens on; raises `OSError` if there is none."""
    begin = secrets.randbelow(_COUNT)
    return first_free(_FIRST + (begin + step) % _COUNT for step in range(_COUNT))


def first_free(ports: Iterable[int]) -> int:
    """Return the first of the given ports that no process listens on; raises `OSError` if there is none."""
    for port in ports:
        with socket.socket() as probe:
            # As servers do: remains of closed connections do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port")
