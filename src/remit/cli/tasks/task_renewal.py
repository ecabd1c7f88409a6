# SPDX-License-Identifier: Apache-2.0
"""A client's task over a long day: kept alive, and opened again if it expired without being ended."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from remit.cli.tasks.agent_task import WantedTask, open_task, remark
from remit.cli.tasks.announcement import announce
from remit_sdk.errors import AgentFault, GatewayRefused
from remit_sdk.session import RAN_OUT, AgentSession, TaskSession


class TaskRenewal:
    """The current task; a source of tokens for an endpoint.

    INVARIANT: a task that was ended on purpose, or fenced, is never opened again from here. Only a task whose
    deadline or lease expired is. The gateway decides that opening like any other.
    """

    def __init__(self, agent: AgentSession, wanted: WantedTask) -> None:
        """Keep the agent and the task to open."""
        self._agent = agent
        self._wanted = wanted
        self._task: TaskSession | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    @property
    def task(self) -> TaskSession:
        """The current task."""
        assert self._task is not None
        return self._task

    @property
    def id(self) -> str:
        """The current task's id."""
        return self.task.id

    async def begin(self) -> TaskSession:
        """Open the first task, or the next one."""
        if self._keeping is not None:
            self._keeping.cancel()
        self._task = await open_task(self._agent, self._wanted)
        await asyncio.to_thread(announce, self._task.id, self._agent.gateway.base_url)
        self._keeping = asyncio.create_task(self._keep(self._task))
        return self._task

    async def close(self) -> None:
        """Stop renewing the task; the caller completes it."""
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping

    async def token(self, *, upstream: str = "", endpoint: str = "mcp", not_this: str = "") -> str:
        """Return a token of the task; if the task has expired, a token of a new one."""
        async with self._turn:
            try:
                return await self.task.token(upstream=upstream, endpoint=endpoint, not_this=not_this)
            except GatewayRefused as refused:
                if not await self._ran_out(refused):
                    raise
            before = self.task.id
            task = await self.begin()
            remark(f"task {before} had expired; task {task.id} is open now")
            return await task.token(upstream=upstream, endpoint=endpoint)

    async def _ran_out(self, refused: GatewayRefused) -> bool:
        if refused.code in RAN_OUT:
            return True
        if refused.code != "task-ended":
            return False
        # The gateway has recorded the end by now: the task states its cause.
        try:
            facts = await self._agent.ask("GET", f"/api/v1/tasks/{self.task.id}")
        except AgentFault:
            return False
        return isinstance(facts, dict) and facts.get("state") == "expired"

    async def _keep(self, task: TaskSession) -> None:
        refusal = await task.keep()
        remark(f"task {task.id} has ended: {refusal.message}")
