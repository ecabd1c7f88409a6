# SPDX-License-Identifier: Apache-2.0
"""Which relays to MCP servers a guarded session has, so that the person's words reach their tasks.

A client starts the relays of its MCP servers from its configuration. An agent's program can start a relay,
too. What tells them apart is when a process began, which the system says and no program can change:

1. the process that announces a relay's task is below the client, as the kernel says
2. that process began before the client's first call: no call, and no server that a call reached, can have
   started it

What is not certain counts as not the client's: such a task has no words of the person, as before. That is so
after a restart of remit, until the client starts its relays again.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from remit.ports.runtime import Clock, Processes, RunningProcess

#: Tasks and clients that are kept in mind.
_MOST: Final = 4000
#: The system rounds the start of a process down by less than this.
_TICK_S: Final = 0.05


class _Opener(NamedTuple):
    """What opened a task: when its process began, and the processes above it."""

    began_s: float
    above: frozenset[RunningProcess]


class SessionRelays:
    """Keeps which processes are above the relay of each task, and when each client made its first call."""

    def __init__(self, processes: Processes | None, clock: Clock) -> None:
        """Begin with nothing known. Without `processes` nothing is ever known."""
        self._processes = processes
        self._clock = clock
        self._began_s = clock.boot_s()
        self._openers: OrderedDict[str, _Opener] = OrderedDict()
        self._first_call: dict[RunningProcess, float] = {}

    def opened(self, task: str, opener: RunningProcess) -> None:
        """Note the process that has opened a task, as the kernel names it."""
        look = self._processes.look(opener) if self._processes is not None else None
        if self._processes is not None and look is not None:
            above = frozenset(self._processes.above(opener))
            self._openers[task] = _Opener(look.began_s, above)
            while len(self._openers) > _MOST:
                self._openers.popitem(last=False)

    def client_seen(
        self, client: RunningProcess | None, *, calls: bool, others_since: datetime | None
    ) -> None:
        """Note an event of a client; `calls`: it is about a call.

        `others_since` is when the newest task of the client's agent was opened before this event.
        """
        if client is None or self._processes is None:
            return
        if client not in self._first_call:
            if len(self._first_call) >= _MOST:
                self._drop_gone()
            if len(self._first_call) >= _MOST:
                return  # a client that is not kept in mind has no relays
            known = self._knows_all(client, others_since, calls=calls)
            self._first_call[client] = float("inf") if known else 0.0
        if calls:
            self._first_call[client] = min(self._first_call[client], self._clock.boot_s())

    def is_new(self, client: RunningProcess | None) -> bool:
        """Return whether nothing is known of a client yet."""
        return client is not None and client not in self._first_call

    def of(self, client: RunningProcess | None) -> tuple[str, ...]:
        """Return the tasks of the relays that a client has started itself, oldest first."""
        until = self._first_call.get(client, 0.0) if client is not None else 0.0
        return tuple(
            task
            for task, opener in self._openers.items()
            if client in opener.above and opener.began_s + _TICK_S <= until
        )

    def forget(self, task: str) -> None:
        """Forget a task that has ended."""
        self._openers.pop(task, None)

    def _drop_gone(self) -> None:
        if self._processes is not None:
            known = self._first_call
            self._first_call = {one: at for one, at in known.items() if self._processes.runs(one)}

    def _knows_all(self, client: RunningProcess, others_since: datetime | None, *, calls: bool) -> bool:
        """Return whether this client cannot have made a call that remit does not know of any more.

        INVARIANT: a client under guard makes no call while remit is down. A call before a restart of remit
        has left a task behind that is younger than the client.
        """
        look = self._processes.look(client) if self._processes is not None else None
        if look is None:
            return False
        if self._began_s <= look.began_s:
            return True
        began = self._clock.now() - timedelta(seconds=self._clock.boot_s() - look.began_s)
        return not calls and (others_since is None or others_since < began)
