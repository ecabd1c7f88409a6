# SPDX-License-Identifier: Apache-2.0
"""What tests may do to a gateway's process from outside, by signals: fill its disk, set its clock."""

import asyncio
import resource
import signal
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

from remit.adapters.runtime.system import SystemClock
from remit.adapters.store.sqlite import SqliteStore
from remit.compose import process
from remit.ports.store.store import Store


def let_tests_fill(loop: asyncio.AbstractEventLoop, store: Store) -> None:
    """Make the disk full (SIGUSR1), and make room again (SIGUSR2): by a bound on the pages of a database in a
    file, else by one on every file that this process writes.
    """
    if isinstance(store, SqliteStore):
        connection: sqlite3.Connection = store._connections[0]

        def fill() -> None:
            (pages,) = connection.execute("pragma page_count").fetchone()
            connection.execute(f"pragma max_page_count={pages}")

        loop.add_signal_handler(signal.SIGUSR1, fill)
        loop.add_signal_handler(signal.SIGUSR2, connection.execute, "pragma max_page_count=1000000")
        return
    limit, endless = resource.RLIMIT_FSIZE, resource.RLIM_INFINITY
    loop.add_signal_handler(signal.SIGUSR1, resource.setrlimit, limit, (0, endless))
    loop.add_signal_handler(signal.SIGUSR2, resource.setrlimit, limit, (endless, endless))


def let_tests_set_the_clock(loop: asyncio.AbstractEventLoop, place: Path) -> None:
    """Set the time of day forth by the seconds in a file: at the start, and when it is told to (SIGHUP)."""

    class SetClock(SystemClock):
        ahead = timedelta()

        def now(self) -> datetime:
            return super().now() + SetClock.ahead

    def set_forth() -> None:
        SetClock.ahead = timedelta(seconds=float(place.read_text()))

    if place.exists():
        set_forth()
    setattr(process, "SystemClock", SetClock)  # noqa: B010 - it is no name that others should use
    loop.add_signal_handler(signal.SIGHUP, set_forth)
