# SPDX-License-Identifier: Apache-2.0
"""`remit up --workers N`: one process that holds the listening sockets, and N that serve them.

Each worker is a replica of one PostgreSQL database. The kernel gives a connection to any worker; a request
for another worker's task is passed on over that worker's Unix socket. The supervisor has the record of the
run, so signals go to it. It decides nothing and opens no store.

1. The first worker starts alone: it puts the bundle in force. The others follow.
2. A worker that has ended starts again, later each time if it served only for a moment.
3. A restart goes from worker to worker, so the others serve. Each keeps its connections (ADR 0104).
4. A stop ends all. A worker whose supervisor has ended stops, too.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections import deque
from pathlib import Path
from typing import Final

import msgspec

from remit.api.spiffe.socket_path import MODES, bind
from remit.cli.exit_codes import UsageFault
from remit.cli.instance import PAUSE_S, RESTART, Instance, InstanceClaim, claimed, worker_file
from remit.cli.output import terminal
from remit.cli.serve.listening_sockets import KeptSockets, inherited, passed_on
from remit.cli.serve.server import StopRequest, listening, public_url, report_running, write_ready
from remit.cli.serve.service_log import SERVICE, logging_to
from remit.compose.programs import hide_this_process
from remit.config import Config
from remit.core.errors import ConfigInvalid

MOST_WORKERS: Final = 64
#: A worker that served for so many seconds starts again at once.
SETTLED_S: Final = 10.0
#: Seconds before a worker that did not serve that long starts again: twice as many each time, up to the most.
FIRST_WAIT_S: Final = 0.5
MOST_WAIT_S: Final = 30.0

log = logging.getLogger(SERVICE)


def supervise(config: Config, wish: StopRequest, count: int) -> int:
    """Serve with `count` workers until a signal arrives, and return the exit code."""
    if not 1 < count <= MOST_WORKERS:
        raise UsageFault(f"`--workers` is not from 1 to {MOST_WORKERS}", remediation="give one for each CPU")
    _check(config)
    given = inherited()
    with claimed(Path(config.file), count) as claim:
        if isinstance(claim, Instance):
            given.close()
            return report_running(claim, wish)
        with logging_to(Path(claim.instance.log), wish.log), listening(config, wish.port, given.port) as port:
            hide_this_process()
            local, section = given.local, config.listen
            if local is None and section.socket:
                local = bind(config.at(section.socket), MODES[section.socket_open_to], "listen.socket")
            return Supervisor(config, wish, count, KeptSockets(port, local)).run(claim)


def _check(config: Config) -> None:
    """Raise `ConfigInvalid` if several processes of this machine cannot serve a configuration."""
    if config.store.kind != "postgres":
        raise ConfigInvalid(
            "`--workers` needs PostgreSQL: one process writes the embedded store",
            key="store.kind",
            remediation="configure PostgreSQL (`store: {kind: postgres, url: env:X}`), or leave it out",
        )
    sections = {
        "replica.address": config.replica.address is not None,
        "listen.ext_authz": config.listen.ext_authz is not None,
        "workload_api": config.workload_api is not None,
        "guards": bool(config.guards),
    }
    if name := next((name for name, used in sections.items() if used), ""):
        raise ConfigInvalid(
            f"`{name}` belongs to one process, and cannot be used with `--workers`",
            key=name,
            remediation="leave out one of the two",
        )


class _Worker(msgspec.Struct):
    """One worker: its process while it has one, whether that serves, and when the next one is due.

    `wait_s` is how long the last start was put off.
    """

    number: int
    pid: int = 0
    serves: bool = False
    began_s: float = 0.0
    due_s: float = 0.0
    wait_s: float = 0.0


class Supervisor:
    """Starts, watches and ends the workers."""

    def __init__(self, config: Config, wish: StopRequest, count: int, sockets: KeptSockets) -> None:
        """Start nothing yet."""
        self._config = config
        self._wish = wish
        self._sockets = sockets
        self._workers = [_Worker(number) for number in range(1, count + 1)]
        self._arrived: deque[int] = deque()
        self._stops = 0
        self._restart = False

    def run(self, claim: InstanceClaim) -> int:
        """Serve until a signal arrives, and return the exit code: that of a worker that cannot start."""
        self._hear()
        assert self._sockets.port is not None
        url = public_url(self._config, self._sockets.port)
        for worker in self._workers:
            first = worker.number == 1
            self._start(worker, self._once() if first else [])
            while not worker.serves and not self._stops:
                code = self._turn(worker)
                if code is not None:
                    self._end()
                    return code or 1
        while not self._stops:
            if not claim.instance.url:
                claim.serves(url)
                log.info("%d workers serve at %s", len(self._workers), url)
                if self._wish.ready_file is not None:
                    write_ready(self._wish.ready_file, url, os.getpid())
            self._turn()
            if self._restart:
                # A request that arrives meanwhile may be for what a worker has already read.
                self._restart = False
                claim.starts_again()
                self._roll()
        self._end()
        return 0

    def _hear(self) -> None:
        # The starting process may ignore ends of children, and the kernel would then not keep them.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        numbers = [signal.SIGINT, signal.SIGTERM, RESTART]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        for number in numbers:
            signal.signal(number, lambda arrived, _: self._arrived.append(arrived))

    def _turn(self, starting: _Worker | None = None) -> int | None:
        """Look once at signals and workers; return the exit code of `starting` if it has ended."""
        time.sleep(PAUSE_S)
        while self._arrived:
            if self._arrived.popleft() == RESTART:
                self._restart = not self._stops
            else:
                self._stops += 1
        for worker in self._workers:
            code = self._reap(worker)
            if code is not None:
                if worker is starting:
                    return code
                how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
                self._put_off(worker, f"has ended {how}")
            if worker.pid and not worker.serves and self._ready(worker).exists():
                worker.serves, worker.began_s = True, time.monotonic()
            elif worker.due_s and time.monotonic() >= worker.due_s and not self._stops:
                try:
                    self._start(worker, [])
                except OSError as fault:
                    # The machine has no memory or process for it now. The others serve.
                    self._put_off(worker, f"cannot be started ({fault.strerror})")
        return None

    def _roll(self) -> None:
        """Restart one worker after the other; the next one only once the one before serves."""
        terminal.remark("starting the workers again, one after the other")
        for worker in self._workers:
            self._await(worker)
            if self._stops:
                return
            self._ready(worker).unlink(missing_ok=True)
            worker.serves = False
            os.kill(worker.pid, RESTART)
            self._await(worker)

    def _await(self, worker: _Worker) -> None:
        while not worker.serves and not self._stops:
            self._turn()

    def _end(self) -> None:
        """End all workers; a second signal ends them without waiting for calls in progress."""
        told = 0
        while any(worker.pid for worker in self._workers):
            if told < min(self._stops, 2) or not told:
                told += 1
                for worker in self._workers:
                    if worker.pid:
                        os.kill(worker.pid, signal.SIGTERM if told == 1 else signal.SIGINT)
            time.sleep(PAUSE_S)
            while self._arrived:
                self._stops += self._arrived.popleft() != RESTART
            for worker in self._workers:
                self._reap(worker)
        for worker in self._workers:
            for kind in ("ready", "sock", "conn"):
                worker_file(Path(self._config.file), worker.number, kind).unlink(missing_ok=True)

    def _reap(self, worker: _Worker) -> int | None:
        """Return the exit code of a worker that has ended since the last look; a signal's is negative."""
        if not worker.pid:
            return None
        pid, status = os.waitpid(worker.pid, os.WNOHANG)
        if not pid:
            return None
        worker.pid = 0
        return os.waitstatus_to_exitcode(status)

    def _put_off(self, worker: _Worker, why: str) -> None:
        settled = worker.serves and time.monotonic() - worker.began_s >= SETTLED_S
        worker.wait_s = 0.0 if settled else min(MOST_WAIT_S, max(FIRST_WAIT_S, 2 * worker.wait_s))
        worker.serves, worker.due_s = False, time.monotonic() + worker.wait_s
        log.warning("worker %d %s; it starts again in %.1f s", worker.number, why, worker.wait_s)

    def _start(self, worker: _Worker, more: list[str]) -> None:
        self._ready(worker).unlink(missing_ok=True)
        words = self._words(worker) + more
        worker.due_s, worker.serves = 0.0, False
        sys.stdout.flush()
        sys.stderr.flush()
        worker.pid = os.fork()
        if worker.pid:
            return
        try:
            # A terminal interrupts the supervisor alone.
            os.setpgid(0, 0)
            kept = KeptSockets(self._sockets.port, self._sockets.local, worker=worker.number)
            environment = {**os.environ, **passed_on(kept)}
            os.execve(sys.executable, [sys.executable, *words], environment)  # noqa: S606 - our own program
        finally:
            os._exit(1)

    def _words(self, worker: _Worker) -> list[str]:
        assert self._sockets.port is not None
        port = self._sockets.port.getsockname()[1]
        words = ["-P", "-m", "remit", "up", "--config", self._config.file, "--port", str(port)]
        words += ["--ready-file", str(self._ready(worker)), *self._wish.log.words]
        return words + (["--json"] if terminal.is_json() else [])

    def _once(self) -> list[str]:
        """Return the options that belong to the first start of the first worker."""
        wish = self._wish
        words = ["--code-for", wish.code_for] if wish.code_for else []
        words += ["--go-back"] if wish.go_back else []
        return words + (["--adopt-state"] if wish.adopt_state else [])

    def _ready(self, worker: _Worker) -> Path:
        return worker_file(Path(self._config.file), worker.number, "ready")
