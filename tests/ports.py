# SPDX-License-Identifier: Apache-2.0
"""Ports of this machine for servers of tests that stop and come back.

A port that the kernel chooses is one of those from which it takes the other end of every connection too: a
server that is away for a moment may find its own in use. These lie below them, and each worker of a test run
has its own.
"""

import os
import random
import re
import socket

#: Below the first port that Linux gives to the ends of connections (32768), above those of known services.
_FIRST, _COUNT, _SHARES = 12_000, 5_000, 4
_WORKER = re.search(r"\d+", os.environ.get("PYTEST_XDIST_WORKER", ""))
_SHARE = int(_WORKER[0]) % _SHARES if _WORKER else 0
_next = random.randrange(_COUNT)


def free_port() -> int:
    """Give a port on which nobody listens, and which nobody else of this run is given again soon."""
    global _next  # noqa: PLW0603 - one row of ports for the whole process
    for _ in range(_COUNT):
        _next = (_next + 1) % _COUNT
        port = _FIRST + _SHARE * _COUNT + _next
        with socket.socket() as probe:
            # As servers do: what is left of closed connections does not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no port is free")
