# SPDX-License-Identifier: Apache-2.0
"""Calls that go on between ends that others wrote: the official SDK as the server, over HTTP and as a
process, and as the client.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from remit.adapters.upstream.bounds import BufferBound
from remit.adapters.upstream.mcp.http import McpHttp
from remit.adapters.upstream.mcp.stdio import McpStdio
from remit.core.decisions.deferred_call import CAPABILITY, GET, Status, read_standing
from remit.core.evidence.event import EventKind
from remit.core.identity.workload import KeyBinding
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import TaskType
from remit.core.tools.tool import INPUT
from remit.gateway.endpoints import mcp_endpoint
from remit.gateway.mcp import McpEndpoint
from remit.ports.upstream import Call
from remit.services.assembly.services import Services
from remit.services.identity.directory import NewAgent, NewPerson
from remit.services.tasks.tasks import Opening
from tests.clients.mcp_tasks import Tasks
from tests.interop.stage import fixture_server
from tests.samples.tokens import task_token
from tests.worlds.calls import KEYS
from tests.worlds.mcp_endpoint import ANY, PERMIT, a_tool, served
from tests.worlds.services import make_services
from tests.worlds.values import WorldClock, WorldEntropy

Json = Any
ROOT = Path(__file__).resolve().parents[3]
TOOLS = ("greet", "slow_compute", "failing_job", "protocol_error_job", "confirm_delete")


class RunningClock(WorldClock):
    """A clock whose seconds pass."""

    def boot_s(self) -> float:
        """Return the seconds that have passed."""
        return asyncio.get_running_loop().time()


@asynccontextmanager
async def governed(folder: Path, upstream: Any) -> AsyncIterator[tuple[Services, McpEndpoint, str, str]]:
    """The endpoint before one upstream; gives a task and its token, too."""
    services = make_services(
        folder, RunningClock(datetime.now(UTC)), {"jobs": upstream}, unconstrained=frozenset({"jobs"})
    )
    grants = tuple(GrantTemplate(f"jobs/{name}", {INPUT: ANY}, other_arguments=True) for name in TOOLS)
    task_type = TaskType(
        name="work", purpose="Do", run_by=("bot",), requested_by=("group:staff",), grants=grants
    )
    bundle = Bundle(
        tools={f"jobs/{name}": a_tool("jobs", name) for name in TOOLS},
        task_types={"work": task_type},
        policies=(PolicySource("base.cedar", PERMIT),),
        digest="sha256:jobs",
    )
    await services.policies.apply(bundle, by="remit")
    await upstream.start(lambda: None, lambda method, params: None)
    try:
        await services.tools.registry.learned("jobs", await upstream.catalogue())
        await services.identity.directory.add_person(NewPerson(name="lena", groups=("staff",)), by="remit")
        new = NewAgent(name="bot", owner="lena", purpose="works", bindings=(KeyBinding(KEYS["clerk"]),))
        await services.identity.directory.register(new, by="root")
        person = await services.store.person(services.tenant, "lena")
        task = await services.tasks.tasks.open(Opening(agent="bot", task_type="work"), person=person)
        yield services, mcp_endpoint(services), task.id, await task_token(services, task.id)
    finally:
        await services.mediation.deferrals.stop()
        await upstream.stop()
        await services.store.close()


@pytest.fixture(params=["http", "process"])
async def world(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Services, McpEndpoint, str, str]]:
    """The official SDK's server behind the endpoint."""
    kept: Json = {"entropy": WorldEntropy("jobs"), "bound": BufferBound(2**24)}
    if request.param == "process":
        argv = [sys.executable, "-m", "tests.interop.fixture", "stdio"]
        async with governed(tmp_path, McpStdio("jobs", argv, cwd=str(ROOT), **kept)) as found:
            yield found
    else:
        with fixture_server() as url:
            async with governed(tmp_path, McpHttp("jobs", url, **kept)) as found:
                yield found


@asynccontextmanager
async def client(endpoint: McpEndpoint, token: str, tasks: Tasks) -> AsyncIterator[Client]:
    """The official client with the extension."""

    async def elicit(context: Json, params: Json) -> Json:
        raise AssertionError("questions of a task come with the task")

    async with (
        served(endpoint) as base,
        httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=60) as http,
        Client(
            streamable_http_client(f"{base}/mcp/jobs", http_client=http),
            mode="auto",
            read_timeout_seconds=120,
            extensions=[tasks],
            elicitation_callback=elicit,
        ) as connected,
    ):
        yield connected


def said(result: CallToolResult) -> str:
    """Return the text of a result."""
    return str(getattr(result.content[0], "text", ""))


async def test_others_ends_work_through_the_endpoint(world: tuple[Services, McpEndpoint, str, str]) -> None:
    """A call at once, one that goes on, one that fails, one that breaks, and one that asks."""
    services, endpoint, _, token = world
    tasks = Tasks()
    async with client(endpoint, token, tasks) as mcp:
        assert said(await mcp.call_tool("greet", {"name": "you"})) == "Hello, you!"
        assert tasks.seen == []
        assert said(await mcp.call_tool("slow_compute", {"seconds": 1.5, "label": "it"})) == "it is done"
        assert (await mcp.call_tool("failing_job", {})).is_error
        with pytest.raises(MCPError):
            await mcp.call_tool("protocol_error_job", {})
        assert said(await mcp.call_tool("confirm_delete", {"filename": "x"})) == "deleted"
    assert {"working", "input_required", "completed", "failed"} <= set(tasks.seen)

    async def kinds() -> Counter[str]:
        return Counter([entry.kind for entry in await services.evidence.log.pages(limit=1000)])

    # The answers were a separate call; outcomes are written behind.
    async with asyncio.timeout(60):
        while len(services.mediation.deferrals) or (await kinds())[EventKind.TOOL_CALLED.value] < 6:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert (await kinds())[EventKind.DECISION_MADE.value] == 6
    assert (await kinds())[EventKind.TOOL_CALLED.value] == 6


async def test_an_end_stops_the_work_itself(world: tuple[Services, McpEndpoint, str, str]) -> None:
    """The server's own work is cancelled when the task ends, and the client gets nothing more."""
    services, endpoint, task, token = world
    tasks = Tasks()
    async with client(endpoint, token, tasks) as mcp:
        working = asyncio.create_task(mcp.call_tool("slow_compute", {"seconds": 300, "label": "it"}))
        async with asyncio.timeout(120):
            while not tasks.seen:  # noqa: ASYNC110 - the client keeps what it saw
                await asyncio.sleep(0.02)
        held = services.mediation.deferrals.find(tasks.handle, task, ("jobs",))
        assert held is not None
        closure = await services.endings.revocations.end_task(task, reason="r", by="lena")
        with pytest.raises(Exception) as caught:  # noqa: PT011 - what a client makes of 403 is its own
            await asyncio.wait_for(working, 120)
        assert not isinstance(caught.value, TimeoutError)
    assert [one.tool for one in closure.indeterminate] == ["jobs/slow_compute"]
    assert set(tasks.seen) == {"working"}
    asked = Call(method=GET, params={"taskId": held.upstream_id}, task="", capabilities=CAPABILITY)
    async with asyncio.timeout(120):
        while True:
            exchange = await services.upstreams["jobs"].prepare(asked, {})
            exchange.send()
            chunk = await exchange.receive()
            exchange.release()
            if read_standing(chunk.body).status is Status.CANCELLED:
                break
            await asyncio.sleep(0.05)
