# SPDX-License-Identifier: Apache-2.0
"""Who sends a hook that a client starts as a command, and whose words such a hook can bring.

A client that calls remit itself holds the connection. A hook by a command is another process each time, and
so is every program of the agent, which can start the hook's program, too. What tells them apart is when a
process began, which the system says and no program can change:

1. the first process above the hook that is no shell is the client
2. a hook that brings a person's words has begun when none of the client's calls was under way, and after the
   last of them had ended; what an agent has started began while a call was under way
3. a client at a terminal has a person; without one, the author of a prompt is unknown

A program that the client itself starts from its configuration, such as a local MCP server, could bring words
in the moments after its start.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, TypeVar

from remit.core.hooks.event import HookEvent
from remit.ports.runtime import Clock, Processes, RunningProcess
from remit.services.guard.words import AT_TERMINAL, WITHOUT_TERMINAL

_SHELLS: Final = frozenset({"sh", "bash", "dash", "zsh", "fish", "ksh", "ash", "busybox"})
#: A hook that began longer ago than a client waits for it is none.
_FRESH_S: Final = 120.0
#: Subagents and clients that are kept in mind; the oldest are forgotten first.
_MOST: Final = 4000


class HookSenders:
    """Keeps when the calls of each client ended, and which session each subagent belongs to."""

    def __init__(self, processes: Processes | None, clock: Clock) -> None:
        """Begin with nothing known. Without `processes` nothing is ever known."""
        self._processes = processes
        self._clock = clock
        self._ended: OrderedDict[RunningProcess, float] = OrderedDict()
        self._sessions: OrderedDict[str, str] = OrderedDict()

    def session_of(self, event: HookEvent) -> str:
        """Return the session of an event: a subagent may report a separate session, and the one above."""
        if not event.parent:
            return self._sessions.get(event.session, event.session)
        found = self._sessions.get(event.parent, event.parent)
        for own in (event.agent, event.session):
            if own != found:
                _keep(self._sessions, own, found)
        return found

    def client_of(self, sender: RunningProcess) -> RunningProcess | None:
        """Return the client that has started a hook's process."""
        if self._processes is None:
            return None
        for one in self._processes.above(sender):
            look = self._processes.look(one)
            if look is None:
                return None
            if look.name not in _SHELLS:
                return one
        return None

    def call_ended(self, client: RunningProcess | None) -> None:
        """Note that a call of a client's session has ended now."""
        if client is not None:
            _keep(self._ended, client, self._clock.boot_s())

    def author(self, client: RunningProcess | None, sender: RunningProcess | None, *, busy: bool) -> str:
        """Return what a hook's process says of the author of words; empty: nothing.

        INVARIANT: a process that an agent's call has started, and all below it, began before that call ended.
        """
        processes = self._processes
        if processes is None or client is None or sender is None or busy or client.pid == 1:
            return ""  # orphans of an agent's programs become children of process 1
        line = (sender, *processes.above(sender))
        if client not in line[1:]:
            return ""
        first = processes.look(line[line.index(client) - 1])
        shown = processes.look(client)
        if first is None or shown is None:
            return ""
        if first.began_s <= self._ended.get(client, -1.0) or self._clock.boot_s() - first.began_s > _FRESH_S:
            return ""
        return AT_TERMINAL if shown.terminal else WITHOUT_TERMINAL


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def _keep(kept: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > _MOST:
        kept.popitem(last=False)
