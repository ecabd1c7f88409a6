# SPDX-License-Identifier: Apache-2.0
"""Linux tells which process holds a connection, and what has started it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from remit.adapters.runtime.peer_processes import ProcessTable, process_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the owners of connections")
_DIAL = "import socket,sys; s=socket.create_connection(({host!r}, {port})); sys.stdin.read()"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_process_at_the_other_end_is_found(host: str) -> None:
    """A child's connection is the child's, and this process is its parent."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        port = server.getsockname()[1]
        program = [sys.executable, "-c", _DIAL.format(host=host, port=port)]
        with subprocess.Popen(program, stdin=subprocess.PIPE) as child:
            connection, peer = server.accept()
            with connection:
                table = ProcessTable()
                found = table.behind(peer[:2], (host, port))
                assert found == process_of(child.pid)
                assert found is not None
                assert table.behind(peer[:2], (host, port), likely=[1, child.pid]) == found
                assert table.above(found)[0] == process_of(os.getpid())
                assert table.runs(found)
                child.communicate()
            child.wait()
            assert not table.runs(found)


def test_a_connection_that_there_is_not_has_no_process() -> None:
    """Nothing is made up: not for an unknown port, nor for a process that is gone."""
    table = ProcessTable()
    assert table.behind(("127.0.0.1", 1), ("127.0.0.1", 2)) is None
    gone = process_of(os.getpid())._replace(pid=2**22 - 1)
    assert table.above(gone) == ()
