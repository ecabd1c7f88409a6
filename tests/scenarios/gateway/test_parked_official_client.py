# SPDX-License-Identifier: Apache-2.0
"""The official MCP client waits for a person: by a handle, by an address that it opens, or by text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitRequestURLParams, ElicitResult

from remit.gateway.mcp.questions import OWN_KEY
from tests.clients.mcp_tasks import Tasks
from tests.refusals import said
from tests.worlds.mcp_endpoint import served
from tests.worlds.parking import PATH, PAY, ParkingWorld, parking_world

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ParkingWorld]:
    """A gateway at which `notes/echo` pays, with an approver."""
    async with parking_world(tmp_path) as made:
        yield made


@asynccontextmanager
async def client(world: ParkingWorld, mode: str = "auto", **settings: Json) -> AsyncIterator[Client]:
    """The official client with the task's token."""
    async with (
        served(world.gateway.endpoint) as base,
        httpx2.AsyncClient(headers={"authorization": f"Bearer {world.gateway.token}"}, timeout=60) as http,
        Client(
            streamable_http_client(base + PATH, http_client=http),
            mode=mode,
            read_timeout_seconds=120,
            **settings,
        ) as connected,
    ):
        yield connected


async def question(world: ParkingWorld) -> str:
    """Return the id of the open question, once there is one."""
    approvals = world.services.decisions.approvals
    async with asyncio.timeout(60):
        while not (waiting := await approvals.listed()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    found: str = waiting[0].id
    return found


async def test_a_client_with_handles_makes_one_call(world: ParkingWorld) -> None:
    """It looks until a person has answered, and reads the result of its call."""
    tasks = Tasks()
    async with client(world, extensions=[tasks]) as mcp:
        calling = asyncio.create_task(mcp.call_tool("echo", PAY))
        asked = await question(world)
        async with asyncio.timeout(60):
            while "working" not in tasks.seen:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await world.answer(asked)
        result = await calling
    assert tasks.handle == asked
    assert result.structured_content["arguments"] == PAY
    assert world.paid == [PAY]


async def test_a_client_with_handles_and_pages_is_asked_once(world: ParkingWorld) -> None:
    """Its person sees the address; that says nothing about the call."""
    tasks = Tasks()
    tasks.answer = {}

    async def elicit(context: Json, params: Json) -> Json:
        raise AssertionError("questions of a task come with the task")

    async with client(world, extensions=[tasks], elicitation_callback=elicit) as mcp:
        calling = asyncio.create_task(mcp.call_tool("echo", PAY))
        asked = await question(world)
        async with asyncio.timeout(60):
            while "working" not in tasks.seen:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert world.paid == []
        await world.answer(asked, approve=False)
        assert "a person has denied this call" in said(await calling)
    assert tasks.asked[OWN_KEY]["params"]["url"].endswith(asked)
    assert tasks.seen.count("input_required") == 1


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_opens_pages_waits_with_its_person(world: ParkingWorld, mode: str) -> None:
    """In each era: its person opens the address, an approver answers there, and the call is made."""
    opened: list[str] = []

    async def elicit(context: Json, params: Json) -> Json:
        assert isinstance(params, ElicitRequestURLParams)
        opened.append(params.url)
        answering.append(asyncio.create_task(world.answer(await question(world))))
        return ElicitResult(action="accept")

    answering: list[asyncio.Task[Json]] = []
    async with client(world, mode, elicitation_callback=elicit) as mcp:
        result = await mcp.call_tool("echo", PAY)
    await asyncio.gather(*answering)
    assert result.structured_content["arguments"] == PAY
    assert len(opened) == 1
    assert "/console/approvals/apr_" in opened[0]
    assert await world.asked() == 1


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_person_who_opens_nothing_is_not_asked_again(world: ParkingWorld, mode: str) -> None:
    """The client reads text, at once, also if it makes the same call again."""
    times = 0

    async def elicit(context: Json, params: Json) -> Json:
        nonlocal times
        times += 1
        return ElicitResult(action="decline")

    async with client(world, mode, elicitation_callback=elicit) as mcp:
        for _ in range(3):
            assert "not decided yet" in said(await mcp.call_tool("echo", PAY))
    assert times == 1
    assert world.paid == []


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_plain_client_reads_text(world: ParkingWorld, mode: str) -> None:
    """With the command and the address for an approver."""
    async with client(world, mode) as mcp:
        text = said(await mcp.call_tool("echo", PAY))
    assert "remit approve apr_" in text
    assert "/console/approvals/apr_" in text
