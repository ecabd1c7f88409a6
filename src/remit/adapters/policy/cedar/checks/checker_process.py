# SPDX-License-Identifier: Apache-2.0
"""Parses and checks policies in a separate process, which has limits and may fail.

Cedar is native code. A malicious text can crash the process that reads it (the parser recurses for each
bracket, on a finite stack) or keep it busy for as long as the author likes, without any exception. So Cedar
first parses a policy text where a failure costs nothing: in a child process with limited time and memory, no
environment and no writable file. A failure of the child is reported as a problem of the policies. Returned
rules have been compiled there once, so they are known to compile here.

The child serves requests one after another. It ends when none has arrived for a while, or with its parent.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from typing import Final

import msgspec

from remit.adapters.policy.cedar.check import CheckedTexts, CheckInput
from remit.adapters.policy.cedar.checks.validator_process import (
    MAX_MEMORY_BYTES,
    NO_MEMORY,
    ValidatorProcess,
    framed,
    more_s,
    read_message,
)
from remit.adapters.policy.cedar.rule import CedarRule, RuleText
from remit.ports.policy import Problem

#: Seconds of processor time for one request, and seconds to wait for it on a busy machine. A large one gets
#: more.
MAX_COMPUTING_S: Final = 10
MAX_WAITING_S: Final = 30


class CheckerProcess:
    """Checks policies in a child process. Safe to use from several threads, which take turns."""

    def __init__(self, *, computing_s: int = MAX_COMPUTING_S, waiting_s: float = MAX_WAITING_S) -> None:
        """Take the limits of one request."""
        self._computing_s = computing_s
        self._waiting_s = waiting_s
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._end: weakref.finalize[..., CheckerProcess] | None = None

    def __call__(
        self, texts: Sequence[RuleText], again: Sequence[CedarRule], world: CheckInput
    ) -> CheckedTexts:
        """Return rules and problems; a failure of the child at these texts is a problem too."""
        asked = msgspec.msgpack.encode(ValidatorProcess(tuple(texts), tuple(again), world))
        with self._lock:
            answer, why = self._answer(asked)
        if answer is None:
            text = f"the policies cannot be checked: {why}"
            remediation = (
                "nest less deeply, or write fewer and shorter rules; they can be checked file by file"
            )
            return CheckedTexts([None] * len(texts), [Problem("error", text, remediation=remediation)])
        return msgspec.msgpack.decode(answer, type=CheckedTexts)

    def _answer(self, asked: bytes) -> tuple[bytes | None, str]:
        """Return the child's answer, or None and the reason of the child's failure."""
        child = self._child
        if child is not None and child.poll() is None:
            # An idle child may end at this moment, with or without the request in its pipe, which is no fault
            # of the request.
            with contextlib.suppress(OSError):
                answer, why = self._heard(child, asked)
                if answer is not None or child.returncode:
                    return answer, why
        self._stop()
        return self._heard(self._started(), asked, anew=True)

    def _heard(
        self, child: subprocess.Popen[bytes], asked: bytes, *, anew: bool = False
    ) -> tuple[bytes | None, str]:
        """Send a request to a child and return its answer.

        Raises `OSError` for a child that has ended, unless it was just started (`anew`). INVARIANT: the time
        limit also covers the writing, because a child that hangs reads nothing.
        """
        late = threading.Event()

        def stop() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(self._waiting_s + 2 * more_s(asked), stop)
        timer.daemon = True
        timer.start()
        try:
            assert child.stdout is not None
            try:
                _write(child, asked)
            except OSError:
                if not anew and not late.is_set():
                    raise
            answer = read_message(child.stdout)
        finally:
            timer.cancel()
        if answer is not None:
            return answer, ""
        self._stop()
        if late.is_set() or -child.returncode == signal.SIGXCPU:
            return None, f"the check takes longer than {self._computing_s + more_s(asked)} seconds"
        if child.returncode == NO_MEMORY:
            return None, f"the check needs more than {MAX_MEMORY_BYTES >> 20} MiB of memory"
        code = child.returncode
        return None, f"Cedar fails ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"

    def _started(self) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(  # noqa: S603
            [
                sys.executable,
                "-P",
                "-m",
                "remit.adapters.policy.cedar.checks.validator_process",
                str(self._computing_s),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # The child gets only the module path of the environment, and none of the secrets.
            env={"PYTHONPATH": os.pathsep.join(place for place in sys.path if place)},
            start_new_session=True,
        )
        self._child = child
        self._end = weakref.finalize(self, _end, child)
        return child

    def _stop(self) -> None:
        if self._end is not None:
            self._end()
        self._child = self._end = None


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        assert pipe is not None
        with contextlib.suppress(OSError):
            pipe.close()


def _write(child: subprocess.Popen[bytes], message: bytes) -> None:
    assert child.stdin is not None
    child.stdin.write(framed(message))
    child.stdin.flush()
