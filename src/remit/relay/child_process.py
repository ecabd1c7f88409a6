# SPDX-License-Identifier: Apache-2.0
"""Running a program as a child: it gets the signals of this process, sets its exit code, and ends with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Self

from remit.relay import process_tree
from remit_sdk.errors import AgentFault

FORWARDED: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)
)
#: Signals that a terminal sends to its whole foreground process group.
_FROM_KEYBOARD: Final = frozenset(
    getattr(signal, name) for name in ("SIGINT", "SIGQUIT") if hasattr(signal, name)
)
#: Seconds between two collections of adopted descendants that have ended.
BURY_S: Final = 1.0


class SignalRelay:
    """Catches signals that would end this process, and sends them to the child once it has started."""

    def __init__(self) -> None:
        """Begin without catching signals; `with` starts it."""
        self._child: int | None = None
        self.pending: list[int] = []
        self.arrived = asyncio.Event()

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in FORWARDED:
            with contextlib.suppress(NotImplementedError):  # Windows: the console signals the child
                loop.add_signal_handler(number, self._caught, number)
        return self

    def __exit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for number in FORWARDED:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)

    def hand_to(self, child: int | None) -> None:
        """Send all pending and all future signals to `child`."""
        self._child = child
        for number in self.pending if child is not None else ():
            self._send(number)

    def _caught(self, number: int) -> None:
        self.arrived.set()
        if self._child is None:
            self.pending.append(number)
        elif not (number in _FROM_KEYBOARD and in_foreground()):
            self._send(number)

    def _send(self, number: int) -> None:
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child, number)


def in_foreground() -> bool:
    """Return whether this process is in a terminal's foreground, so that its keyboard signals the child
    too.
    """
    if not hasattr(os, "tcgetpgrp"):
        return False
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


async def run_child(
    argv: Sequence[str],
    env: Mapping[str, str],
    signals: SignalRelay,
    confine: Callable[[], None] = lambda: None,
) -> int:
    """Run a program to its end; return the exit code for this process: the program's, or 128 + its signal
    number.

    The program shares the standard streams and the process group. On Linux it gets SIGTERM when this process
    ends in any way, its orphans stay below this process, and `confine` is called in it before the program
    starts. Raise `AgentFault` if it cannot be started.
    """
    process_tree.adopt_orphans()
    own = os.getpid()

    def begin() -> None:
        confine()
        # After `confine`: a change of privileges may clear this setting.
        process_tree.end_with_parent(own, signal.SIGTERM)

    prepare = begin if sys.platform == "linux" else None
    try:
        child = await asyncio.create_subprocess_exec(*argv, env=dict(env), preexec_fn=prepare)
    except (OSError, ValueError) as fault:
        why = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
        raise AgentFault(
            f"`{argv[0]}` cannot be started: {why}", remediation="check the command after `--`"
        ) from None
    signals.hand_to(child.pid)
    burying = asyncio.create_task(_bury(child.pid))
    try:
        code = await child.wait()
    finally:
        signals.hand_to(None)
        burying.cancel()
    return code if code >= 0 else 128 - code


async def _bury(keep: int) -> None:
    while True:
        await asyncio.sleep(BURY_S)
        process_tree.bury(keep)
