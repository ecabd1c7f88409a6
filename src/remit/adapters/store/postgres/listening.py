# SPDX-License-Identifier: Apache-2.0
"""Bounds how many notifications a process listens to.

Every user who may connect to the database may notify.

A notification only asks for a look. A lost notification costs the time until the next renewal of the lease,
which looks as well. But a renewal waits behind everything that the server has to deliver before. So above a
bound, the process stops listening for a while.
"""

from __future__ import annotations

import logging

from remit.adapters.store.postgres.schema import CHANNEL
from remit.ports.runtime import Clock

#: Notifications in a second above which the process stops listening, and for how many seconds.
MOST = 2000
DEAF_S = 5.0

log = logging.getLogger("remit.replicas")


class Listening:
    """The listening state of one connection. For one thread."""

    def __init__(self, clock: Clock) -> None:
        """Start with a count of zero."""
        self._clock = clock
        self._count, self._since_s = 0, 0.0
        self._deaf_until_s: float | None = None

    def begin(self) -> str:
        """Return the statement that starts listening on a new connection."""
        self._count, self._deaf_until_s = 0, None
        return f"listen {CHANNEL}"

    def heard(self) -> None:
        """Count one notification."""
        self._count += 1

    def due(self) -> str:
        """Return the statement that is due, to stop or resume listening; empty if none is due."""
        now_s = self._clock.boot_s()
        if self._deaf_until_s is not None:
            return self.begin() if now_s >= self._deaf_until_s else ""
        if self._count > MOST:
            self._deaf_until_s = now_s + DEAF_S
            log.warning("channel `%s` of the database is flooded with notifications", CHANNEL)
            return "unlisten *"
        if now_s >= self._since_s + 1.0:
            self._count, self._since_s = 0, now_s
        return ""
