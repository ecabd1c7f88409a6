# SPDX-License-Identifier: Apache-2.0
"""User ids of the machine, one for each running program: no two programs share one, and reuse is delayed."""

from __future__ import annotations

from remit.core.errors import Busy


class UserIds:
    """A range of user ids that no one else uses. For one event loop."""

    def __init__(self, first: int, last: int) -> None:
        """Begin with everything free."""
        self._first = first
        self._count = last - first + 1
        self._next = 0
        self._taken: set[int] = set()

    def take(self) -> int:
        """Return the next free user id, in rotation; raises `Busy` if all are in use."""
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
        """Mark a user id as free: no program runs as it any longer."""
        self._taken.discard(user)
