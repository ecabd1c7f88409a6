# SPDX-License-Identifier: Apache-2.0
"""An MCP server that is a process of one task: started for it, with its credential in the environment, and
killed when it ends.

What the server offers is asked of one more process, which has no task's credential and gets no call.

A process has two owners outside of its task. Its guard (`guard`) is a process of its own, which kills it when
remit says so, when remit is gone, and when remit has not run for `lease_s`. And it is a lease
(`services/credentials/leases`), kept in the store before it is started: it is taken back by killing whatever
carries its mark. It is dead when nothing carries the mark any more *and* nothing else of it can run: its
guard has counted none, or the PID namespace that it was enclosed in has ended. Where a guard that counts was
cut short, nobody knows, and the lease stays open as `indeterminate`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from typing import Final

from remit.adapters.upstream.mcp.stdio import McpStdio
from remit.adapters.upstream.processes.marks import (
    MARK,
    kill_marked,
    looked_at,
    marked,
    place,
    runs,
    started_again,
)
from remit.core.errors import Busy, KeyUnavailable, UpstreamUnreachable
from remit.core.json_value import Json
from remit.ports.broker import LeaseWanted, Probe, UpstreamCredential
from remit.ports.upstream import Call, Catalogue, Exchange

#: Gives a server that is not started yet; what it gets in its environment beside what all get, and which
#: texts of that must not be read in a log.
MakeServer = Callable[[Mapping[str, str], tuple[str, ...]], McpStdio]
KIND: Final = "process"


def _nothing(*_: Json) -> None:
    """What a task's process says of its lists: they are asked of another."""


class TaskProcesses:
    """`ports.upstream.Upstream`: calls go to the process of their lease (`Call.lease`), at most `limit` of
    which run at once. `ProcessBroker` starts and ends them.
    """

    def __init__(self, name: str, listing: McpStdio, make: MakeServer, *, limit: int) -> None:
        """Start nothing yet; `listing` is what says what is offered."""
        self.name = name
        self._make = make
        self._limit = limit
        self._listing = listing
        self._running: dict[str, McpStdio] = {}
        self._stopping: dict[str, asyncio.Task[None]] = {}
        #: Leases of which nobody knows whether a process is left.
        self.unsure: set[str] = set()
        self._on_notification: Callable[[str, Json], None] = _nothing

    async def start(
        self, on_change: Callable[[], None], on_notification: Callable[[str, Json], None]
    ) -> None:
        """Start the process that says what is offered."""
        self._on_notification = on_notification
        await self._listing.start(on_change, _nothing)

    async def catalogue(self) -> Catalogue:
        """Ask that one."""
        return await self._listing.catalogue()

    async def prepare(self, call: Call, headers: dict[str, str]) -> Exchange:
        """Serialise a call for its task's process."""
        server = self._running.get(call.lease)
        if server is None:
            raise UpstreamUnreachable(
                f"no process of upstream `{self.name}` serves this task now", remediation="call again"
            )
        return await server.prepare(call, headers)

    async def end_task(self, task: str) -> None:
        """Nothing is kept for a task but its process, which is a lease."""

    async def stop(self) -> None:
        """End all of them."""
        leases = [*self._running, *self._stopping]
        await asyncio.gather(self._listing.stop(), *map(self.end, leases))

    # What the broker does.

    async def run(self, lease: str, env: Mapping[str, str], secrets: tuple[str, ...] = ()) -> None:
        """Start a process and see that it answers; raises `Busy`, `UpstreamUnreachable`, `UpstreamFault`."""
        if len(self._running) >= self._limit:
            raise Busy(
                f"upstream `{self.name}` has {self._limit} processes, which is the limit",
                remediation="end finished tasks, or raise its `max_processes`",
            )
        server = self._running[lease] = self._make({**env, MARK: lease}, secrets)
        try:
            await server.start(_nothing, self._on_notification)
        except BaseException:
            await self.end(lease)
            raise

    def enclosed(self, lease: str) -> str:
        """Return the first process of a program's PID namespace, which ends with its guard."""
        return self._running[lease].enclosed if lease in self._running else ""

    async def end(self, lease: str) -> None:
        """Have a process's guard kill it; safe to call for one that is gone, or that is being ended.

        Whoever gives up waiting stops nothing: the next call waits for the same end.
        """
        if (server := self._running.pop(lease, None)) is not None:
            self._stopping[lease] = asyncio.create_task(self._stop(lease, server), name=f"end {lease}")
        if (stopping := self._stopping.get(lease)) is not None:
            await asyncio.wait({stopping})
            self._stopping.pop(lease, None)
            stopping.result()

    async def _stop(self, lease: str, server: McpStdio) -> None:
        # INVARIANT: until its end was seen, nobody knows of one.
        self.unsure.add(lease)
        await server.stop()
        if server.none_left:
            self.unsure.discard(lease)


class ProcessBroker:
    """`ports.broker.Broker`: what it gives is a process of one task, and taking it back is its end."""

    kind = KIND
    standing = False
    traceable = True

    def __init__(self, processes: TaskProcesses) -> None:
        """Take the upstream that they belong to."""
        self._processes = processes
        #: Tells the leases of this run of remit from those that an earlier one has left.
        self._run = f"{os.getpid()} {id(self)} {time.monotonic_ns()}"

    def trace(self) -> dict[str, str]:
        """Say which run of remit starts a process, and where."""
        return {"run": self._run, **place()}

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Start a process with `wanted.env` in its environment."""
        await self._processes.run(wanted.lease, wanted.env, wanted.secrets)
        handle = self.trace()
        if first := self._processes.enclosed(wanted.lease):
            handle["enclosed"] = first
        return UpstreamCredential(lease=wanted.lease, sink=f"process of {wanted.upstream}", handle=handle)

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Have it killed, and kill what is left of it: where its guard was killed too, or remit was.

        Raises `KeyUnavailable` also where nobody knows whether something is left (`indeterminate`).
        """
        await self._processes.end(credential.lease)
        handle = credential.handle
        seen = "enclosed" in handle and looked_at(handle)
        if handle.get("run") != self._run and not seen and not started_again(handle):
            # Its guard told nobody here how it ended. A machine that was started again has ended all.
            self._processes.unsure.add(credential.lease)
        left = await asyncio.to_thread(kill_marked, credential.lease)
        if left or _first_runs(handle):
            raise KeyUnavailable(
                f"processes {left or handle['enclosed']} of `{self._processes.name}` cannot be killed",
                code="process-left",
                remediation="find out what blocks them (a disk or a network file system), and kill them",
            )
        if credential.lease in self._processes.unsure:
            raise KeyUnavailable(
                f"processes of upstream `{self._processes.name}` may be left: the guard was killed",
                code="indeterminate",
                remediation="find and end its processes (a restart of the machine ends them all), then "
                "run `remit lease close`",
            )

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Look whether anything of it runs."""
        try:
            found = await asyncio.to_thread(marked, credential.lease)
        except OSError:
            return Probe.UNREACHABLE
        if found or _first_runs(credential.handle):
            return Probe.ACCEPTED
        return Probe.UNREACHABLE if credential.lease in self._processes.unsure else Probe.REFUSED


def _first_runs(handle: Mapping[str, str]) -> bool:
    """Whether the first process of a namespace is there: while it ends it has no mark, and others may run."""
    return looked_at(handle) and runs(handle.get("enclosed", ""))
