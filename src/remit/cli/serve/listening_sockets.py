# SPDX-License-Identifier: Apache-2.0
"""Sockets that this process was started with: from the run before, or from a service manager.

Both use the protocol of `sd_listen_fds(3)`: descriptors from 3 on, and three variables that name their
process, number and purpose. A run that starts again keeps the listening sockets open, so the kernel queues
new connections until the next run accepts them. It also keeps idle connections: a request that arrives in the
meantime waits in the connection's buffer.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, MutableMapping
from typing import Final, NamedTuple

_FIRST: Final = 3
_PID, _COUNT, _NAMES = "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"
_PORT, _LOCAL, _CONNECTION = "port", "local", "c"
#: The port's name in a worker, which its number follows (`cli.serve.supervisor`).
_WORKER: Final = "remit-worker-"
#: The kernel limits one variable to 128 KiB, and each connection takes two bytes of it.
MAX_CONNECTIONS: Final = 50_000
#: Descriptors that the next run needs itself, to open its store, upstreams and programs.
OWN_DESCRIPTORS: Final = 256


class KeptSockets(NamedTuple):
    """The listening socket of the port, that of the local endpoint, and connections to the port.

    `worker` is the number of this process among those that share the listening sockets; 0 if it is none.
    """

    port: socket.socket | None = None
    local: socket.socket | None = None
    connections: tuple[socket.socket, ...] = ()
    worker: int = 0

    def close(self) -> None:
        """Close all of them."""
        for one in (self.port, self.local, *self.connections):
            if one is not None:
                one.close()


def inherited(environment: MutableMapping[str, str] = os.environ) -> KeptSockets:
    """Take the sockets that this process was started with; programs that it starts do not get them."""
    given = {name: environment.pop(name, "") for name in (_PID, _COUNT, _NAMES)}
    if given[_PID] != str(os.getpid()) or not given[_COUNT].isdigit():
        return KeptSockets()
    names = given[_NAMES].split(":")
    port: socket.socket | None = None
    local: socket.socket | None = None
    connections: list[socket.socket] = []
    worker = 0
    for place in range(int(given[_COUNT])):
        os.set_inheritable(_FIRST + place, False)
        one = socket.socket(fileno=_FIRST + place)
        name = names[place] if place < len(names) else ""
        if name == _CONNECTION:
            connections.append(one)
        elif name == _LOCAL:
            local = one
        elif port is None:
            # A service manager names its socket as it likes.
            port = one
            number = name.removeprefix(_WORKER)
            worker = int(number) if number != name and number.isdecimal() else 0
        else:
            one.close()
    return KeptSockets(port, local, tuple(connections), worker)


def descriptors() -> int:
    """Return how many files and sockets this process may have open."""
    if sys.platform == "win32":
        return sys.maxsize
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def passed_on(kept: KeptSockets) -> Mapping[str, str]:
    """Put the sockets where the next run of this process takes them, and return the variables that say so.

    Called last before the process executes itself: other files lie where the sockets go, and are closed.
    """
    import fcntl

    room = min(MAX_CONNECTIONS, descriptors() - OWN_DESCRIPTORS)
    named = [(_CONNECTION, one) for one in kept.connections[: max(room, 0)]]
    named += [(_LOCAL, kept.local)] if kept.local is not None else []
    port = f"{_WORKER}{kept.worker}" if kept.worker else _PORT
    named = [(port, kept.port), *named] if kept.port is not None else named
    held = [one.detach() for _, one in named]
    index_at = {descriptor: index for index, descriptor in enumerate(held)}
    # One at a time, so that a full table of descriptors is no obstacle: it needs a single free one.
    for index, target in enumerate(range(_FIRST, _FIRST + len(held))):
        if (other := index_at.pop(target, index)) != index:
            held[other] = fcntl.fcntl(target, fcntl.F_DUPFD_CLOEXEC, target + 1)
            index_at[held[other]] = other
        if held[index] == target:
            os.set_inheritable(target, True)
        else:
            os.dup2(held[index], target, inheritable=True)
            index_at.pop(held[index], None)
            os.close(held[index])
    return {
        _PID: str(os.getpid()),
        _COUNT: str(len(named)),
        _NAMES: ":".join(name for name, _ in named),
    }
