# SPDX-License-Identifier: Apache-2.0
"""A port of this machine for a server that is about to start."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterable
from typing import Final

#: Below those that Linux gives to the ends of connections (from 32768 on): one of these would often be in use
#: again before the server takes it.
_FIRST: Final = 32_000
_COUNT: Final = 768


def free_port() -> int:
    """Return a port on which nobody listens now; raises `OSError` where there is none."""
    begin = secrets.randbelow(_COUNT)
    return first_free(_FIRST + (begin + step) % _COUNT for step in range(_COUNT))


def first_free(ports: Iterable[int]) -> int:
    """Return the first of some ports on which nobody listens now; raises `OSError` where there is none."""
    for port in ports:
        with socket.socket() as probe:
            # As servers do: what is left of closed connections does not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port")
