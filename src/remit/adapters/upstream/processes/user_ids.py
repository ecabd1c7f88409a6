# SPDX-License-Identifier: Apache-2.0
"""User ids of the machine, one for each program that runs: none is used twice at once, nor again soon."""

from __future__ import annotations

from remit.core.errors import Busy


class UserIds:
    """A range of user ids that nobody else uses. For one event loop."""

    def __init__(self, first: int, last: int) -> None:
        """Begin with all of them free."""
        self._first = first
        self._count = last - first + 1
        self._next = 0
        self._taken: set[int] = set()

    def take(self) -> int:
        """Return the one that was free for longest; raises `Busy` where none is."""
        if len(self._taken) >= self._count:
            raise Busy(
                f"all {self._count} user ids for programs are in use",
                remediation="end finished tasks, or extend `programs.users`",
            )
        while (user := self._first + self._next) in self._taken:
            self._next = (self._next + 1) % self._count
        self._next = (self._next + 1) % self._count
        self._taken.add(user)
        return user

    def free(self, user: int) -> None:
        """Nothing runs as this one any more."""
        self._taken.discard(user)
