# SPDX-License-Identifier: Apache-2.0
"""Ports of this machine for servers of tests that stop and come back.

A port that the kernel chooses is one of those from which it takes the other end of every connection too: a
server that is away for a moment may find its own in use. These lie below them, and no two processes that run
tests, of one run or of several, give the same ones: each has a block to itself for as long as it lives.
"""

import itertools
import os
import socket
import sys

from remit.cli.demo.free_port import first_free

#: Below the first port that Linux gives to the ends of connections (32768), above those of known services.
_FIRST, _BLOCK, _BLOCKS = 12_000, 500, 40
_steps = itertools.count()
#: What holds the block: its name is of no file, and goes with the process.
_held: socket.socket | None = None
_start = 0


def free_port() -> int:
    """Return a port on which no process listens, and which is not returned again soon."""
    start = _block()
    return first_free(start + next(_steps) % _BLOCK for _ in range(_BLOCK))


def _block() -> int:
    global _held, _start  # noqa: PLW0603 - of this process
    if _held is not None:
        return _start
    _held = socket.socket(socket.AF_UNIX)
    for number in range(_BLOCKS):
        block = (os.getpid() + number) % _BLOCKS
        _start = _FIRST + block * _BLOCK
        if sys.platform != "linux":
            return _start
        try:
            _held.bind(f"\0remit-tests-ports-{block}")
        except OSError:
            continue
        return _start
    raise OSError("no block of ports is free")
