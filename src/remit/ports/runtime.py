# SPDX-License-Identifier: Apache-2.0
"""Clock, entropy and remit's own files: things of the machine that core may never access directly."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from remit.core.cooperative_steps import Steps
from remit.core.json_value import Json


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


class OwnFiles(Protocol):
    """Knows remit's configuration, state and keys on this machine. Safe to use from any thread at once."""

    def reached_by(self, upstream: str, arguments: Mapping[str, Json]) -> Steps[str]:
        """Return the name of an argument that names one of the files, or a place below one of the folders.

        Empty if there is none. A step reads the file system's links for a few texts; it never raises.
        """
        ...
