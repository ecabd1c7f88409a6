# SPDX-License-Identifier: Apache-2.0
"""Sockets that a process passes to its next run, or that a service manager passes to it."""

import os
import subprocess
import sys

import pytest

from remit.cli.serve.listening_sockets import KeptSockets, inherited

pytestmark = pytest.mark.skipif(os.name != "posix", reason="descriptors are passed on by POSIX")

#: Execute oneself with a listening socket, a local one and two connections; then answer on the connections.
RUN = """
import os, socket, sys
from remit.cli.serve.listening_sockets import KeptSockets, inherited, passed_on
if sys.argv[1] == "first":
    port = socket.create_server(("127.0.0.1", 0))
    clients = [socket.create_connection(port.getsockname()) for _ in range(2)]
    served = [port.accept()[0] for _ in clients]
    for one in clients:
        one.sendall(b"asked")
    waiting = socket.create_connection(port.getsockname())
    local = socket.socket(socket.AF_UNIX)
    local.bind(sys.argv[2])
    ends = ",".join(str(os.dup(one.fileno())) for one in [*clients, waiting])
    for one in ends.split(","):
        os.set_inheritable(int(one), True)
    given = {**os.environ, **passed_on(KeptSockets(port, local, tuple(served)))}
    # What only this test passes on lies above the sockets.
    os.execve(sys.executable, [sys.executable, "-c", CODE, "second", sys.argv[2], ends], given)
kept = inherited()
assert kept.local.getsockname() == sys.argv[2]
assert not any(name.startswith("LISTEN_") for name in os.environ)
assert not any(one.get_inheritable() for one in (kept.port, kept.local, *kept.connections))
for one in kept.connections:
    print(one.recv(5).decode())
print("accepted", kept.port.accept()[0].getsockname() == kept.port.getsockname())
"""


def test_the_next_run_gets_sockets_connections_and_what_waits_in_them(tmp_path: object) -> None:
    """Bytes that were sent meanwhile are read, and a queued connection is accepted."""
    code = f"CODE = {RUN!r}\n{RUN}"
    told = subprocess.run(
        [sys.executable, "-c", code, "first", f"{tmp_path}/s"], capture_output=True, text=True, check=False
    )
    assert told.stdout.split("\n") == ["asked", "asked", "accepted True", ""], told.stderr


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "port"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "many"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"},
    ],
)
def test_what_was_given_to_another_process_is_not_taken(given: dict[str, str]) -> None:
    """The variables of a parent name its own descriptors; they are dropped."""
    assert inherited(given) == KeptSockets()
    assert given == {}


#: Many connections and few descriptors; then execute oneself, and count what arrived.
CROWD = """
import os, resource, socket, sys
from remit.cli.serve.listening_sockets import OWN_DESCRIPTORS, KeptSockets, inherited, passed_on
if sys.argv[1] == "first":
    port = socket.create_server(("127.0.0.1", 0))
    served, free = [], OWN_DESCRIPTORS + 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, free))
    while len(served) < int(sys.argv[2]):
        served.append(socket.socket())
    try:
        while True:
            socket.socket().detach()
    except OSError:
        os.close(free - 1)
    given = {**os.environ, **passed_on(KeptSockets(port, None, tuple(served)))}
    os.execve(sys.executable, [sys.executable, "-c", CODE, "second"], given)
kept = inherited()
print(kept.port.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), len(kept.connections))
"""


@pytest.mark.parametrize(("held", "passed"), [(190, 190), (400, 200)])
def test_connections_that_fill_the_table_of_descriptors_do_not_stop_a_restart(held: int, passed: int) -> None:
    """One free descriptor is enough to pass them on, and the next run keeps room for its own files."""
    code = f"CODE = {CROWD!r}\n{CROWD}"
    told = subprocess.run(
        [sys.executable, "-c", code, "first", str(held)], capture_output=True, text=True, check=False
    )
    assert told.stdout == f"1 {passed}\n", told.stderr
