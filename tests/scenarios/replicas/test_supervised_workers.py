# SPDX-License-Identifier: Apache-2.0
"""Threat: the supervisor of workers ends, and takes all of them with it, or forgets what it was asked."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from remit.cli.serve.listening_sockets import KeptSockets
from remit.cli.serve.server import StopRequest
from remit.cli.serve.supervisor import FIRST_WAIT_S, MOST_WAIT_S, Supervisor
from tests.gateways.remit_up import until

LONG_S = 60.0
#: A worker that only reports each run: that it serves, once its folder lets it.
WORKER = """
import os, pathlib, signal, sys, time
ready, runs, gate = map(pathlib.Path, sys.argv[1:4])
def run(*_):
    with runs.open("a") as file:
        file.write(f"{os.getpid()}\\n")
    while not gate.exists():
        time.sleep(0.01)
    ready.touch()
signal.signal(signal.SIGUSR1, run)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
run()
while True:
    time.sleep(0.05)
"""
#: A supervisor of two such workers. `sys.argv`: folder, whether ends of children are ignored, the fork that
#: fails.
DRIVER = f"""
import os, pathlib, signal, socket, sys
from types import SimpleNamespace as Some
from remit.cli.serve import supervisor
from remit.cli.serve.listening_sockets import KeptSockets
from remit.cli.serve.server import StopRequest
folder = pathlib.Path(sys.argv[1])
if sys.argv[2] == "ignored":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
forks, fork = iter(range(1, 100)), os.fork
def bounded():
    if next(forks) == int(sys.argv[3]):
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return fork()
os.fork = bounded
supervisor.public_url = lambda *_: "http://x"
class Supervised(supervisor.Supervisor):
    def _words(self, worker):
        name = f"{{worker.number}}"
        return ["-c", {WORKER!r}, self._ready(worker), folder / f"runs-{{name}}", folder / f"gate-{{name}}"]
(folder / ".remit").mkdir()
claim = Some(instance=Some(url=""), starts_again=lambda: None, serves=lambda url: (folder / "serves").touch())
kept = KeptSockets(socket.create_server(("127.0.0.1", 0)))
config = Some(file=str(folder / "remit.yaml"))
sys.exit(Supervised(config, StopRequest(), 2, kept).run(claim))
"""


class Supervised:
    """The process of the supervisor, and what its workers report."""

    def __init__(self, folder: Path, children: str, failing: int) -> None:
        self.folder = folder
        words = [sys.executable, "-c", DRIVER, str(folder), children, str(failing)]
        self.process = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})

    def runs(self, worker: int) -> list[int]:
        """The process of each run of a worker."""
        place = self.folder / f"runs-{worker}"
        return [int(line) for line in place.read_text().split()] if place.exists() else []

    def let(self, worker: int, serve: bool = True) -> None:
        """Let a worker serve from its next run on, or keep it from that."""
        gate = self.folder / f"gate-{worker}"
        gate.touch() if serve else gate.unlink()


@contextmanager
def supervised(folder: Path, children: str = "reported", failing: int = 0) -> Iterator[Supervised]:
    """Provide a supervisor whose two workers serve, and stop it at the end."""
    made = Supervised(folder, children, failing)
    try:
        made.let(1)
        made.let(2)
        until((folder / "serves").exists)
        yield made
        made.process.terminate()
        assert made.process.wait(LONG_S) == 0
    finally:
        made.process.kill()
        made.process.wait()


@pytest.mark.parametrize(("children", "failing"), [("reported", 0), ("ignored", 0), ("reported", 3)])
def test_a_worker_that_ends_is_started_again(tmp_path: Path, children: str, failing: int) -> None:
    """Also where remit was started with ends of children ignored, and where no process is free at first."""
    with supervised(tmp_path, children, failing) as made:
        os.kill(made.runs(2)[0], signal.SIGKILL)
        until(lambda: len(made.runs(2)) == 2)
        assert made.process.poll() is None
        assert len(made.runs(1)) == 1


def test_a_restart_that_is_asked_for_during_another_one_follows_it(tmp_path: Path) -> None:
    """What it is for may have changed after the first worker had started again."""
    with supervised(tmp_path) as made:
        made.let(2, serve=False)
        made.process.send_signal(signal.SIGUSR1)
        until(lambda: (len(made.runs(1)), len(made.runs(2))) == (2, 2))
        made.process.send_signal(signal.SIGUSR1)
        # The supervisor looks at signals again and again while it waits.
        time.sleep(0.2)
        made.let(2)
        until(lambda: (len(made.runs(1)), len(made.runs(2))) == (3, 3))


def test_a_worker_that_never_serves_is_tried_for_days(tmp_path: Path) -> None:
    """The time between two starts doubles up to its most, and stays there."""
    config: Any = SimpleNamespace(file=str(tmp_path / "remit.yaml"))
    made = Supervisor(config, StopRequest(), 2, KeptSockets())
    waits = []
    for _ in range(3000):
        made._put_off(made._workers[1], "has ended")
        waits.append(made._workers[1].wait_s)
    assert waits[:3] == [FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S]
    assert set(waits[10:]) == {MOST_WAIT_S}
