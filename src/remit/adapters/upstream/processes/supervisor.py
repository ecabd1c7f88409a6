# SPDX-License-Identifier: Apache-2.0
"""One process of an upstream: started behind a guard, used line by line, ended with everything it started."""

import asyncio
import contextlib
import logging
import math
import os
import re
import select
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Literal

from remit.adapters.upstream.processes.guard import CANNOT_START
from remit.adapters.upstream.processes.marks import MARK, identity
from remit.core.errors import ConfigInvalid, UpstreamUnreachable

log = logging.getLogger(__name__)

_GUARD = str(Path(__file__).with_name("guard.py"))
_SEPARATION = str(Path(__file__).with_name("separation.py"))
#: The only variables of remit's own environment that a process inherits; none of them contains a secret.
INHERITED = ("PATH", "HOME", "LANG")
_MAX_LOG_LINE_BYTES = 4096
_MAX_LOG_LINES = 200  # per minute
_KEEP_LOG_LINES = 5
_EDGE_BYTES = 256
#: A guard may take this much longer than its grace; then it counts as stuck and is killed. The processes that
#: it guarded for a lease are found and killed without it.
_GUARD_S = 10.0
_LEASED_GUARD_S = 1.0
_LOOK_S = 0.01
_LAST_WORDS_S = 0.5  # for output that is still unread when the process is gone

#: Whether a program is kept apart from others of its user, and whether it starts where that is impossible.
Apart = Literal["required", "where-possible", "off"]
OnLine = Callable[[bytes], None]
#: Returns a line of a process's own log without its secrets.
Clean = Callable[[bytes], bytes]
#: Receives the first and last bytes of a line beyond the limit.
OnOverlong = Callable[[bytes, bytes], None]


def as_it_is(line: bytes) -> bytes:
    """Return a log line unchanged, for a process without secrets."""
    return line


class LineReader(asyncio.Protocol):
    """Splits a stream into lines of at most `max_bytes`; a longer line is dropped and reported at its end."""

    def __init__(
        self, max_bytes: int, on_line: OnLine, on_overlong: OnOverlong, on_end: Callable[[], None]
    ) -> None:
        """Start at the beginning of a line."""
        self._max_bytes = max_bytes
        self._on_line = on_line
        self._on_overlong = on_overlong
        self._on_end = on_end
        self._pieces: list[bytes] = []
        self._size_bytes = 0
        self._head = b""
        self._dropping = False

    def data_received(self, data: bytes) -> None:
        """Handle the next bytes."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            self._take(data[start:end])
            self._finish()
            start = end + 1
        if start < len(data):
            self._take(data[start:] if start else data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the end of the stream; an incomplete line is dropped."""
        self._on_end()

    def _take(self, piece: bytes) -> None:
        self._size_bytes += len(piece)
        if self._size_bytes > self._max_bytes and not self._dropping:
            self._dropping = True
            self._head = b"".join((*self._pieces, piece))[:_EDGE_BYTES]
            self._pieces = [b"".join(self._pieces)[-_EDGE_BYTES:]]
        self._pieces.append(piece)
        if self._dropping:
            self._pieces = [b"".join(self._pieces)[-_EDGE_BYTES:]]

    def _finish(self) -> None:
        line = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        dropped, head = self._dropping, self._head
        self._pieces, self._size_bytes, self._dropping, self._head = [], 0, False, b""
        if dropped:
            self._on_overlong(head, line)
        elif line and not line.isspace():
            self._on_line(line)


class Input(asyncio.BaseProtocol):
    """The writing side of a process; data that cannot be written at once waits in the transport's buffer."""


class ParentPipe(asyncio.Protocol):
    """Receives the guard's reports about its program, and detects the end of the guard."""

    def __init__(self, on_death: Callable[[], None]) -> None:
        """Store `on_death`, which is called at the guard's end."""
        self._on_death = on_death
        self._said = b""
        #: A descriptor of the first process of the program's PID namespace; -1 if there is none.
        self.first = -1
        #: The identity of that process (`marks.identity`), or `gone` if it had ended before; empty if there
        #: is none.
        self.enclosed = ""
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        """Handle more of the guard's reports."""
        self._said += data
        if not self.enclosed and (found := re.match(rb"enclosed (\d+)\n", self._said)):
            self.enclosed = identity(int(found[1])) or "gone"
            with contextlib.suppress(OSError):  # it is gone already, with all of its namespace
                self.first = os.pidfd_open(int(found[1]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle the end of the guard, or of the connection to it."""
        self.ended.set()
        self._on_death()

    def none_left(self) -> bool:
        """Return whether the program is known to be gone completely.

        Either the guard has counted no remaining process, or the namespace's first process has ended, which
        the kernel reports only when no other process is in the namespace.
        """
        if self.first >= 0:
            looked = select.poll()
            looked.register(self.first, select.POLLIN)
            if looked.poll(0):
                return True
        return self._said.endswith(b"none\n")

    def close(self) -> None:
        """Release everything held."""
        if self.first >= 0:
            os.close(self.first)
            self.first = -1


class ChildProcess:
    """A process that was started. `ended` is set when its output has ended; after that it is unusable."""

    def __init__(
        self,
        name: str,
        max_line_bytes: int,
        on_line: OnLine,
        on_overlong: OnOverlong,
        on_end: Callable[[], None],
        clean: Clean = as_it_is,
    ) -> None:
        """Prepare a process, which `start` starts. `on_end` is called when its output ends."""
        self._clean = clean
        self._name = name
        self._tell_end = on_end
        self._output = LineReader(max_line_bytes, on_line, on_overlong, self._on_end)
        self._errors = LineReader(_MAX_LOG_LINE_BYTES, self._on_log, self._on_long_log, lambda: None)
        self._popen: subprocess.Popen[bytes] | None = None
        self._input: asyncio.WriteTransport | None = None
        self._transports: list[asyncio.BaseTransport] = []
        self._lifeline = -1
        self._guard_s = 0.0
        self._death = ParentPipe(self._on_death)
        #: Whether it is known that nothing of the process runs; set by `_reap`.
        self.none_left = True
        self._renewing: asyncio.TimerHandle | None = None
        self._logged = 0
        self._minute = 0.0
        self.last_words: list[str] = []
        self.ended = asyncio.Event()

    async def start(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        grace_s: float,
        lease_s: float = 0.0,
        apart: Apart = "where-possible",
        user: int = 0,
    ) -> None:
        """Start the program behind its guard; raises `UpstreamUnreachable`.

        With `lease_s`, the guard ends the program if this event loop has not run for that time. `user` is the
        user id that the program runs as; 0 is remit's own.
        """
        self._guard_s = grace_s + (_LEASED_GUARD_S if lease_s else _GUARD_S)
        reading, self._lifeline = os.pipe()
        deathline, dying = os.pipe()
        lines = (reading, dying)
        argv = [
            sys.executable,
            "-I",
            "-S",
            _GUARD,
            *map(str, lines),
            str(grace_s),
            str(lease_s),
            apart,
            str(user),
            f"{MARK}={env.get(MARK, '')}",
        ]
        argv += command
        try:
            # In a thread, because it waits for the operating system. Without `preexec_fn`, which is unsafe
            # with threads.
            popen = self._popen = await asyncio.to_thread(_open, argv, env, cwd, lines)
        except OSError as error:
            self._cut_lifeline()
            os.close(deathline)
            raise UpstreamUnreachable(
                f"upstream `{self._name}` cannot be started",
                remediation="check its `command` and `cwd`",
                debug=str(error),
            ) from error
        finally:
            os.close(reading)
            os.close(dying)
        loop = asyncio.get_running_loop()
        assert popen.stdin is not None
        assert popen.stdout is not None
        assert popen.stderr is not None
        self._input, _ = await loop.connect_write_pipe(Input, popen.stdin)
        output, _ = await loop.connect_read_pipe(lambda: self._output, popen.stdout)
        errors, _ = await loop.connect_read_pipe(lambda: self._errors, popen.stderr)
        death, _ = await loop.connect_read_pipe(lambda: self._death, os.fdopen(deathline, "rb"))
        self._transports = [self._input, output, errors, death]
        if lease_s:
            os.set_blocking(self._lifeline, False)
            self._renew(lease_s / 4)

    @property
    def enclosed(self) -> str:
        """The first process of its PID namespace; empty if its guard has reported none."""
        return self._death.enclosed

    @property
    def alive(self) -> bool:
        """Whether lines can be written to the process."""
        return self._input is not None and not self._input.is_closing() and not self.ended.is_set()

    @property
    def unwritten_bytes(self) -> int:
        """The number of bytes that the process has not read yet."""
        return self._input.get_write_buffer_size() if self._input is not None else 0

    def write(self, message: bytes) -> None:
        """Write one line now; the caller has checked `alive`."""
        assert self._input is not None
        self._input.write(message + b"\n")

    def cut(self) -> None:
        """Have the guard end the process now."""
        self._cut_lifeline()

    async def stop(self, patience_s: float) -> int:
        """End the process and return its exit status; never raises.

        Its input is closed; after a wait of `patience_s` the guard ends it and everything that it started.
        """
        if self._input is not None:
            self._input.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), patience_s)
        return await self._reap()

    async def _reap(self) -> int:
        """Wait until the guard is gone, and return the exit status.

        Sets `none_left`: whether anything that it guarded is left.
        """
        self._cut_lifeline()
        popen = self._popen
        status = CANNOT_START
        if popen is not None:
            # Rounds are counted instead of seconds: while the machine stood still, the guard did nothing
            # either.
            looks = math.ceil(self._guard_s / _LOOK_S)
            # The guard ends by itself; the portable ways to wait for that need a thread.
            while (ended := popen.poll()) is None:
                looks -= 1
                if looks < 0:
                    # It was stopped, or is still killing. Its program dies with it.
                    popen.kill()
                await asyncio.sleep(_LOOK_S)
            status = ended
            await self._look_what_is_left()
        for transport in self._transports:
            transport.close()
        return status

    async def _look_what_is_left(self) -> None:
        """Read the guard's last report, or detect the end of the namespace whose guard was killed."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._death.ended.wait(), _LAST_WORDS_S)
        for _ in range(math.ceil(_LEASED_GUARD_S / _LOOK_S)):
            if self._death.none_left() or not self._death.enclosed:
                break
            await asyncio.sleep(_LOOK_S)
        self.none_left = self._death.none_left()
        self._death.close()

    def _renew(self, every_s: float) -> None:
        """Send the guard a sign of life, and repeat it."""
        if self._lifeline < 0:
            return
        with contextlib.suppress(OSError):  # the guard is gone, or does not read: other code detects that
            os.write(self._lifeline, b".")
        self._renewing = asyncio.get_running_loop().call_later(every_s, self._renew, every_s)

    def _cut_lifeline(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def _on_end(self) -> None:
        if self.ended.is_set():
            return
        self.ended.set()
        self._tell_end()

    def _on_death(self) -> None:
        """Handle the end of the guard. Output of processes that still have the stream open no longer
        counts.
        """
        asyncio.get_running_loop().call_later(_LAST_WORDS_S, self._on_end)

    def _on_log(self, line: bytes) -> None:
        """Forward a line of the process's own log, up to a number per minute."""
        text = ascii(self._clean(line).decode("utf-8", "replace").rstrip())[1:-1]
        self.last_words = [*self.last_words[1 - _KEEP_LOG_LINES :], text]
        minute = asyncio.get_running_loop().time() // 60
        self._logged = self._logged + 1 if minute == self._minute else 1
        self._minute = minute
        if self._logged <= _MAX_LOG_LINES:
            log.info("upstream %s: %s", self._name, text)
        elif self._logged == _MAX_LOG_LINES + 1:
            log.warning("upstream %s: writes more than %d lines a minute", self._name, _MAX_LOG_LINES)

    def _on_long_log(self, head: bytes, tail: bytes) -> None:
        # The cut-off word might be the beginning of a secret, which `clean` would not find.
        self._on_log(head.rpartition(b" ")[0])


def end_user(user: int) -> None:
    """Kill every process of a user id that programs use in turn."""
    argv = [sys.executable, "-I", "-S", _SEPARATION, str(user)]
    subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, timeout=_GUARD_S)  # noqa: S603


def _open(
    argv: list[str], env: Mapping[str, str], cwd: str, lines: tuple[int, int]
) -> subprocess.Popen[bytes]:
    pipe: int | IO[bytes] = subprocess.PIPE
    return subprocess.Popen(  # noqa: S603 - the configuration names the program; no shell reads it
        argv,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env=dict(env),
        cwd=cwd,
        bufsize=0,
        pass_fds=lines,
        # A separate session: only remit acts on a terminal's Ctrl-C, in its own order.
        start_new_session=True,
    )


def own_environment(env: Mapping[str, str], *, own_home: bool = False) -> dict[str, str]:
    """Return a process's environment: the configured variables, and the few that it cannot do without.

    With `own_home` the guard creates a home for it, and remit's HOME is not inherited.
    """
    for key, value in env.items():
        if not key or "=" in key or "\0" in key or "\0" in value:
            raise ConfigInvalid("an environment variable cannot be set", key="env", remediation="rename it")
    inherited = [key for key in INHERITED if key in os.environ and not (own_home and key == "HOME")]
    return {**{key: os.environ[key] for key in inherited}, **env}
