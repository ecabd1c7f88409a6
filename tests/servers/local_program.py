# SPDX-License-Identifier: Apache-2.0
"""What the servers of tests share that are programs: a port of this machine, a start, a kill, a pause."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.servers.ports import free_port


def installed(name: str) -> str:
    """Return the path of a program, empty where it is not installed."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name) or ""


class LocalProgram:
    """A program on a free port of this machine, which it keeps over a kill; its log is in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self, command: Sequence[str], answers: Callable[[], object], env: Mapping[str, str] | None = None
    ) -> None:
        """Start it, and wait until it answers: until then `answers` raises `OSError`."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
        deadline = time.monotonic() + 120
        while True:
            try:
                answers()
                return
            except OSError:
                assert self._process.poll() is None, self.log()
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.02)

    def kill(self) -> None:
        """`kill -9`; what it held in memory is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self, paused: bool) -> None:
        """Stop it from answering, with its connections open; or let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)
        if paused:
            # Until it has really stopped: a signal is not obeyed at once.
            os.waitpid(self._process.pid, os.WUNTRACED)

    def log(self) -> str:
        """Return what it has said."""
        return self._log.read_text()
