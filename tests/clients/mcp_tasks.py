# SPDX-License-Identifier: Apache-2.0
"""The tasks extension of MCP for the official client, which has the frame of extensions and not this one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

from mcp import MCPError
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp_types import CallToolResult, Request, RequestParams, Result

Json = Any


class Handle(Result):
    """The result of a call that goes on."""

    result_type: Literal["task"] = "task"
    task_id: str
    status: str


class Standing(Result):
    """How it stands."""

    task_id: str
    status: str
    result: Json = None
    error: Json = None
    input_requests: Json = None


class TaskParams(RequestParams):
    """Which task, and answers to what it asks."""

    task_id: str
    input_responses: Json = None


class TaskRequest(Request[TaskParams, str]):
    """One of the extension's requests."""

    name_param = "taskId"


class Tasks(ClientExtension):
    """The tasks extension for the official client: it looks after a call until it has ended."""

    identifier = "io.modelcontextprotocol/tasks"

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.handle = ""
        self.asked: dict[str, Json] = {}
        self.answer: Json = {"content": {"confirm": True}}

    def claims(self) -> Sequence[ResultClaim[Any]]:
        """Take handles for results."""
        return (ResultClaim(result_type="task", model=Handle, resolve=self.resolve),)

    async def resolve(self, handle: Handle, ctx: ClaimContext) -> CallToolResult:
        """Look until there is a result."""
        self.handle = handle.task_id
        while True:
            standing = await self.send(ctx.session, "tasks/get", Standing, task_id=handle.task_id)
            self.seen.append(standing.status)
            if standing.status == "completed":
                return CallToolResult.model_validate(standing.result)
            if standing.status == "failed":
                raise MCPError(standing.error["code"], standing.error["message"])
            if standing.status == "input_required":
                answers = {key: {"action": "accept", **self.answer} for key in standing.input_requests}
                self.asked.update(standing.input_requests)
                await self.send(
                    ctx.session, "tasks/update", Result, task_id=handle.task_id, input_responses=answers
                )
            await asyncio.sleep(0.05)

    async def send(self, session: Any, method: str, result: Any, **params: Json) -> Any:
        """Send one request of the extension."""
        return await session.send_request(TaskRequest(method=method, params=TaskParams(**params)), result)
