# SPDX-License-Identifier: Apache-2.0
"""An MCP server that defers its calls (the tasks extension of 2026-07-28), and a world with one.

How each call stands is what the test says: `jobs` are by the server's own ids, and `tasks/get` gives them as
they are.
"""

from __future__ import annotations

from typing import Any

from remit.core.label import Label, Trust
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import Budgets, TaskType
from remit.core.tools.tool import INPUT, Argument, ArgumentRole, Effect
from tests.servers.scripted_mcp import FORM, Emit, Hang, ScriptedServer, failure
from tests.worlds.mcp_endpoint import ANY, ASK, PERMIT, a_tool

Json = Any

EXTENSION = "io.modelcontextprotocol/tasks"
KNOWS: Json = {"io.modelcontextprotocol/clientCapabilities": {"extensions": {EXTENSION: {}}}}
ABLE: Json = {
    "io.modelcontextprotocol/clientCapabilities": {
        "extensions": {EXTENSION: {}},
        "elicitation": {"form": {}},
    }
}
QUESTION = {"word": {"method": "elicitation/create", "params": {"message": "?", "requestedSchema": FORM}}}
#: An id that says whose it is: it may stand nowhere that an agent reads.
OWN_ID = "upstream-job"


def text(said: str, **more: Json) -> Json:
    """Return the result of a tool that says something."""
    return {"content": [{"type": "text", "text": said}], **more}


class DeferringServer(ScriptedServer):
    """Each of its tools is deferred where the client knows of that, and done at once where not."""

    def __init__(self) -> None:
        super().__init__("modern")
        self.jobs: dict[str, Json] = {}
        self.given: list[Json] = []
        self.silent = False
        self.first: Json = {}

    def capabilities(self) -> Json:
        """All of the other one's, and the extension."""
        return {**super().capabilities(), "extensions": {EXTENSION: {}}}

    def on_tools_list(self, params: Json, request_id: Json, emit: Emit) -> Json:
        """Tools that take a while."""
        names = ("slow", "export", "ask", "secret", "needs", "pay")
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in names]}

    def on_tools_call(self, params: Json, request_id: Json, emit: Emit) -> Json:
        """Begin."""
        able = params["_meta"]["io.modelcontextprotocol/clientCapabilities"]
        if EXTENSION not in able.get("extensions", {}):
            if params["name"] == "needs":
                needed: Json = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
                return failure(request_id, -32021, "Missing required client capability", needed)
            return text("at once")
        own = self.first.get("taskId") or f"{OWN_ID}-{len(self.jobs) + 1}"
        job = {
            "taskId": own,
            "status": "working",
            "createdAt": "2026-11-01T10:00:00Z",
            "lastUpdatedAt": "2026-11-01T10:00:00Z",
            "ttlMs": 600_000,
            "pollIntervalMs": 500,
            **self.first,
        }
        self.jobs[own] = job
        return {**job, "resultType": "task"}

    def job(self) -> Json:
        """Return the job that was begun last."""
        return self.jobs[next(reversed(self.jobs))]

    def finish(self, **result: Json) -> None:
        """Let the job that was begun last complete."""
        self.job().update(status="completed", result=result or text("done"))

    def on_tasks_get(self, params: Json, request_id: Json, emit: Emit) -> Json:
        """Say how it stands."""
        if self.silent:
            raise Hang
        if params["taskId"] not in self.jobs:
            return failure(request_id, -32602, "Task not found")
        return dict(self.jobs[params["taskId"]])

    def on_tasks_update(self, params: Json, request_id: Json, emit: Emit) -> Json:
        """Take answers, and go on."""
        self.given.append(params)
        job = self.jobs[params["taskId"]]
        job.pop("inputRequests", None)
        job["status"] = "working"
        return {}

    def on_tasks_cancel(self, params: Json, request_id: Json, emit: Emit) -> Json:
        """Stop."""
        if params["taskId"] not in self.jobs:
            return failure(request_id, -32602, "Task not found")
        self.jobs[params["taskId"]]["status"] = "cancelled"
        return {}

    def asked(self, method: str) -> list[Json]:
        """Return the params of all requests of a method."""
        return [one["params"] for one in self.seen if one.get("method") == method]


def deferring_bundle() -> Bundle:
    """Return a bundle of tools that are deferred: `slow` reads, `export` changes, `secret` is
    confidential, and of `pay` a person is asked."""
    said = {"arguments": {"text": Argument(ArgumentRole.CONTENT)}}
    tools = [
        a_tool("files", "slow", **said),
        a_tool("files", "export", effect=Effect.REVERSIBLE, **said),
        a_tool("files", "ask", **said),
        a_tool("files", "secret", label=Label(data_class="confidential", trust=Trust.UNTRUSTED)),
        a_tool("files", "needs"),
        a_tool("files", "pay", effect=Effect.IRREVERSIBLE, financial=True),
        a_tool("notes", "echo"),
    ]
    grants = [GrantTemplate(f"files/{name}", other_arguments=True) for name in ("slow", "export", "secret")]
    grants += [GrantTemplate("files/ask", {INPUT: ANY, "n": ANY}), GrantTemplate("files/needs")]
    grants += [GrantTemplate("files/pay", {INPUT: ANY, "n": ANY})]
    grants += [GrantTemplate("notes/echo", other_arguments=True)]
    common: Json = {"purpose": "Do", "run_by": ("bot",), "requested_by": ("group:staff",)}
    types = [
        TaskType(name="work", grants=tuple(grants), **common),
        TaskType(name="other", grants=(GrantTemplate("notes/echo"),), **common),
        TaskType(
            name="unasked",
            grants=(GrantTemplate("files/ask", {"n": ANY}),),
            budgets=Budgets(result_bytes=1000),
            **common,
        ),
    ]
    return Bundle(
        tools={tool.id: tool for tool in tools},
        task_types={one.name: one for one in types},
        policies=(PolicySource("base.cedar", PERMIT + ASK),),
        digest="sha256:deferring",
    )
