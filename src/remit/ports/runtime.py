# SPDX-License-Identifier: Apache-2.0
"""Clock, entropy, processes and files: things of the machine that core may never access directly."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from remit.core.cooperative_steps import Steps
from remit.core.json_value import Json
from remit.core.tasks.model_usage import ModelCall

Found = TypeVar("Found")


class Clock(Protocol):
    """Time. Safe to use from any thread at once; never raises."""

    def now(self) -> datetime:
        """Return the time of day as an aware datetime in UTC; it may jump when the machine's clock is set."""
        ...

    def boot_s(self) -> float:
        """Return seconds on a clock that never goes back; for leases.

        It continues during suspend (CLOCK_BOOTTIME).
        """
        ...


class Entropy(Protocol):
    """Unpredictable bytes from the operating system. Safe to use from any thread at once."""

    def bytes(self, count: int) -> bytes:
        """Return `count` random bytes."""
        ...


class Turns(Protocol):
    """Does long work in steps, and lets other work run between them. For one event loop."""

    async def take(
        self, steps: Steps[Found], turned: Callable[[], object] = ..., *, long: bool = False
    ) -> Found:
        """Do all steps and return their result; `long` if already the first ones take milliseconds.

        `turned` is called whenever other work has run. It may raise: then no further step is done.
        """
        ...


class OwnFiles(Protocol):
    """Knows remit's configuration, state and keys on this machine. Safe to use from any thread at once."""

    def reached_by(self, upstream: str, arguments: Mapping[str, Json]) -> Steps[str]:
        """Return the name of an argument that names one of the files, or a place below one of the folders.

        Empty if there is none. A step reads the file system's links for a few texts; it never raises.
        """
        ...


class RunningProcess(NamedTuple):
    """A process of this machine; `started` tells it from a later one with the same id."""

    pid: int
    started: str


class ProcessLook(NamedTuple):
    """What the system shows of a process: its name, whether it has a terminal, and when it began.

    `began_s` is on the clock of `Clock.boot_s`, and never later than it was.
    """

    name: str
    terminal: bool
    began_s: float


class Processes(Protocol):
    """Knows the processes of this machine, where the system shows them. Safe to use from any thread at once.

    Nothing raises: what cannot be seen is None or empty.
    """

    def behind(
        self, client: tuple[str, int], server: tuple[str, int], likely: Collection[int] = ()
    ) -> RunningProcess | None:
        """Return the process at the other end of a loopback connection; `likely` are looked at first."""
        ...

    def runs(self, process: RunningProcess) -> bool:
        """Return whether a process still runs."""
        ...

    def above(self, process: RunningProcess) -> tuple[RunningProcess, ...]:
        """Return the parent of a process, its parent, and so on."""
        ...

    def look(self, process: RunningProcess) -> ProcessLook | None:
        """Return what the system shows of a process that runs."""
        ...


class Transcripts(Protocol):
    """Reads what a client has written of its sessions. Safe to use from any thread at once; never raises."""

    def marks(self, path: str, prompt: str, text: str) -> list[tuple[str, str]]:
        """Return origin and source of each entry of a prompt: by its id where entries have one, else by text.

        Only the end of a file of the same user in the client's folder is read.
        """
        ...

    def usage(self, path: str) -> list[ModelCall]:
        """Return the model calls that the end of a transcript states, each once.

        Only a file of the same user in the client's folder is read.
        """
        ...
