# SPDX-License-Identifier: Apache-2.0
"""A client's task over a long day: kept alive, and opened again where it ran out while nobody ended it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from remit.cli.tasks.agent_task import WantedTask, open_task, remark
from remit.sdk.errors import AgentFault, GatewayRefused
from remit.sdk.session import RAN_OUT, AgentSession, TaskSession


class TaskRenewal:
    """The task that stands now; a source of tokens for the door.

    INVARIANT: a task that somebody ended, or that was fenced, is never opened again from here: only one whose
    deadline or lease ran out is. Opening it is decided by the gateway like any other opening.
    """

    def __init__(self, agent: AgentSession, wanted: WantedTask) -> None:
        """Take the agent and what to open."""
        self._agent = agent
        self._wanted = wanted
        self._task: TaskSession | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    @property
    def task(self) -> TaskSession:
        """The task that stands now."""
        assert self._task is not None
        return self._task

    @property
    def id(self) -> str:
        """Its id."""
        return self.task.id

    async def begin(self) -> TaskSession:
        """Open the first task, or the next."""
        if self._keeping is not None:
            self._keeping.cancel()
        self._task = await open_task(self._agent, self._wanted)
        self._keeping = asyncio.create_task(self._keep(self._task))
        return self._task

    async def close(self) -> None:
        """Stop keeping it; the task itself is left to whoever completes it."""
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping

    async def token(self, *, upstream: str = "", door: str = "mcp", not_this: str = "") -> str:
        """Return a token of the task, of a new one where the last ran out."""
        async with self._turn:
            try:
                return await self.task.token(upstream=upstream, door=door, not_this=not_this)
            except GatewayRefused as refused:
                if not await self._ran_out(refused):
                    raise
            before = self.task.id
            task = await self.begin()
            remark(f"task {before} had expired; task {task.id} is open now")
            return await task.token(upstream=upstream, door=door)

    async def _ran_out(self, refused: GatewayRefused) -> bool:
        if refused.code in RAN_OUT:
            return True
        if refused.code != "task-ended":
            return False
        # The gateway has written the end down by now: how it came about stands in the task.
        try:
            facts = await self._agent.ask("GET", f"/api/v1/tasks/{self.task.id}")
        except AgentFault:
            return False
        return isinstance(facts, dict) and facts.get("state") == "expired"

    async def _keep(self, task: TaskSession) -> None:
        refusal = await task.keep()
        remark(f"task {task.id} has ended: {refusal.message}")
