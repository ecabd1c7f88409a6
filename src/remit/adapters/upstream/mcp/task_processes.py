# SPDX-License-Identifier: Apache-2.0
"""An MCP server as one process per task: started for the task with its credential, killed when the task ends.

The credential is in the environment of the process. An additional process, without any task's credential and
without calls, reports the server's catalogue.

Two parties outside of the task ensure that a process ends. The first is its guard (`guard`), a separate
process. The guard kills it when remit asks for that, when remit is gone, and when remit has not run for
`lease_s`. The second is a lease (`services/credentials/leases`), stored before the process starts: it is
revoked by killing every process that carries its mark. A lease is dead when no process carries the mark *and*
nothing else of it can run: its guard has counted no remaining process, or the PID namespace that enclosed it
has ended. If a counting guard was killed too early, the state is unknown, and the lease stays open as
`indeterminate`.
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
    ends,
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

#: Returns a server that is not started yet. The arguments are its additional environment variables, and the
#: texts in them that must not appear in a log.
MakeServer = Callable[[Mapping[str, str], tuple[str, ...]], McpStdio]
KIND: Final = "process"


def _nothing(*_: Json) -> None:
    """Ignore list changes of a task's process: another process reports the lists."""


class TaskProcesses:
    """`ports.upstream.Upstream` with one process per lease.

    Calls go to the process of their lease (`Call.lease`); at most `limit` processes run at once.
    `ProcessBroker` starts and ends them.
    """

    def __init__(self, name: str, listing: McpStdio, make: MakeServer, *, limit: int) -> None:
        """Start no process yet; `listing` is the process that reports the catalogue."""
        self.name = name
        self._make = make
        self._limit = limit
        self._listing = listing
        self._running: dict[str, McpStdio] = {}
        self._stopping: dict[str, asyncio.Task[None]] = {}
        #: Leases for which it is unknown whether a process is left.
        self.unsure: set[str] = set()
        self._on_notification: Callable[[str, Json], None] = _nothing

    async def start(
        self, on_change: Callable[[], None], on_notification: Callable[[str, Json], None]
    ) -> None:
        """Start the process that reports the catalogue."""
        self._on_notification = on_notification
        await self._listing.start(on_change, _nothing)

    async def catalogue(self) -> Catalogue:
        """Return the catalogue of that process."""
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
        """Do nothing: a task's only state is its process, which is a lease."""

    async def stop(self) -> None:
        """End all processes."""
        leases = [*self._running, *self._stopping]
        await asyncio.gather(self._listing.stop(), *map(self.end, leases))

    # The interface for the broker.

    async def run(self, lease: str, env: Mapping[str, str], secrets: tuple[str, ...] = ()) -> None:
        """Start a process and check that it answers; raises `Busy`, `UpstreamUnreachable`,
        `UpstreamFault`.
        """
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
        """Have a process's guard kill it; safe to call for a process that is gone or already being ended.

        A cancelled call does not stop the end: the next call waits for the same end.
        """
        if (server := self._running.pop(lease, None)) is not None:
            self._stopping[lease] = asyncio.create_task(self._stop(lease, server), name=f"end {lease}")
        if (stopping := self._stopping.get(lease)) is not None:
            await asyncio.wait({stopping})
            self._stopping.pop(lease, None)
            stopping.result()

    async def _stop(self, lease: str, server: McpStdio) -> None:
        # INVARIANT: a lease stays unsure until the end of its process was observed.
        self.unsure.add(lease)
        await server.stop()
        if server.none_left:
            self.unsure.discard(lease)


class ProcessBroker:
    """`ports.broker.Broker` whose credentials are processes of one task; revoking one ends its process."""

    kind = KIND
    standing = False
    traceable = True

    def __init__(self, processes: TaskProcesses) -> None:
        """Store the upstream of the processes."""
        self._processes = processes
        #: Distinguishes the leases of this run of remit from those left by an earlier run.
        self._run = f"{os.getpid()} {id(self)} {time.monotonic_ns()}"

    def trace(self) -> dict[str, str]:
        """Return the run of remit that starts a process, and its place."""
        return {"run": self._run, **place()}

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Start a process with `wanted.env` in its environment."""
        await self._processes.run(wanted.lease, wanted.env, wanted.secrets)
        handle = self.trace()
        if first := self._processes.enclosed(wanted.lease):
            handle["enclosed"] = first
        return UpstreamCredential(lease=wanted.lease, sink=f"process of {wanted.upstream}", handle=handle)

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Have the process killed, and kill its remains if its guard or remit was killed too.

        Raises `KeyUnavailable` also if it is unknown whether anything is left (`indeterminate`).
        """
        await self._processes.end(credential.lease)
        handle = credential.handle
        seen = "enclosed" in handle and looked_at(handle)
        if handle.get("run") != self._run and not seen and not started_again(handle):
            # No guard reported here how the process ended. A restart of the machine would have ended
            # everything.
            self._processes.unsure.add(credential.lease)
        left = await asyncio.to_thread(kill_marked, credential.lease)
        if left or not await asyncio.to_thread(ends, lambda: _first_runs(handle)):
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
        """Check whether anything of the process runs."""
        try:
            found = await asyncio.to_thread(marked, credential.lease)
        except OSError:
            return Probe.UNREACHABLE
        if found or _first_runs(credential.handle):
            return Probe.ACCEPTED
        return Probe.UNREACHABLE if credential.lease in self._processes.unsure else Probe.REFUSED


def _first_runs(handle: Mapping[str, str]) -> bool:
    """Return whether the first process of a namespace exists. While it ends it has no mark, and others may
    run.
    """
    return looked_at(handle) and runs(handle.get("enclosed", ""))
