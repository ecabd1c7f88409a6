# SPDX-License-Identifier: Apache-2.0
"""The example servers do what the story needs of them, over both transports and in both protocol eras."""

import asyncio
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import (
    CallToolResult,
    LoggingMessageNotificationParams,
    ResourceTemplateReference,
    TextContent,
    TextResourceContents,
)

from tests.servers.postgres_server import PostgresServer

EXAMPLES = Path(__file__).parents[3] / "examples"
STORY = EXAMPLES / "story"

Era = str
VERSIONS = {"auto": "2026-07-28", "legacy": "2025-11-25"}


@pytest.fixture(params=list(VERSIONS))
def era(request: pytest.FixtureRequest) -> Era:
    """How the client negotiates: each protocol era once."""
    era: Era = request.param
    return era


@pytest.fixture
def story(tmp_path: Path) -> Path:
    """A copy of the story's data that a test may change."""
    return Path(shutil.copytree(STORY, tmp_path / "story"))


def over_stdio(server: str, folder: Path, era: Era, *options: str, **settings: Any) -> Client:
    """A client that starts an example server and talks to it over its standard streams."""
    argv = [str(EXAMPLES / "servers" / f"{server}.py"), str(folder), *options]
    params = StdioServerParameters(command=sys.executable, args=argv)
    return Client(params, mode=era, read_timeout_seconds=120, **settings)


@asynccontextmanager
async def over_http(server: str, *arguments: str) -> AsyncIterator[str]:
    """The URL of an example server that runs while the block does."""
    argv = [str(EXAMPLES / "servers" / f"{server}.py"), *arguments, "--http", "0"]
    process = await asyncio.create_subprocess_exec(sys.executable, *argv, stderr=asyncio.subprocess.PIPE)
    try:
        assert process.stderr is not None
        async for line in process.stderr:
            if found := re.search(rb"http://127\.0\.0\.1:\d+", line):
                yield found[0].decode() + "/mcp"
                break
        else:
            pytest.fail(f"`{server}` ended before it said where it listens")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def text(result: CallToolResult) -> str:
    """The text of a result's first content block."""
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


def lines(file: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file; none where there is no file."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []


@pytest.mark.parametrize(
    ("server", "tools"),
    [
        ("contracts", {"read", "list", "write_summary", "export"}),
        ("mail", {"send", "inbox"}),
        ("deploy", {"draft", "deploy"}),
        ("tickets", {"create", "comment", "read", "list"}),
    ],
)
async def test_each_server_speaks_both_eras_over_http(server: str, tools: set[str], tmp_path: Path) -> None:
    """One process answers each client in the era it asks for, and describes each tool and argument."""
    async with over_http(server, str(tmp_path)) as url:
        for mode, version in VERSIONS.items():
            async with Client(url, mode=mode, read_timeout_seconds=120) as client:
                assert client.protocol_version == version
                listed = (await client.list_tools()).tools
            assert {t.name for t in listed} == tools
            for tool in listed:
                assert tool.description
                assert tool.annotations is not None
                assert all(p.get("description") for p in tool.input_schema.get("properties", {}).values())


async def test_a_contract_is_read_summarised_and_exported(story: Path, era: Era) -> None:
    """The effects of each tool are files that a test can read."""
    legal = story / "legal"
    async with over_stdio("contracts", legal, era) as client:
        assert client.protocol_version == VERSIONS[era]
        listed = await client.call_tool("list")
        assert listed.structured_content == {"result": ["contracts/C-42.md", "contracts/C-43.md"]}
        read = await client.call_tool("read", {"path": "contracts/C-42.md"})
        assert "1,200 pressure gauges" in text(read)
        await client.call_tool("write_summary", {"contract": "C-42", "text": "Gauges, four lots."})
        await client.call_tool("export", {"contract": "C-42", "to": "https://share.example.org/in"})
    assert (legal / "summaries/C-42.md").read_text("utf-8") == "Gauges, four lots."
    (export,) = lines(legal / "exports.jsonl")
    assert (export["contract"], export["to"]) == ("C-42", "https://share.example.org/in")


async def test_contracts_are_resources_with_a_prompt_and_completion(story: Path, era: Era) -> None:
    """The parts of MCP beside tools work too, so a gateway can be tried on them."""
    async with over_stdio("contracts", story / "legal", era) as client:
        templates = (await client.list_resource_templates()).resource_templates
        assert {t.uri_template for t in templates} == {"contract://{contract}", "summary://{contract}"}
        (content,) = (await client.read_resource("contract://C-43")).contents
        assert isinstance(content, TextResourceContents)
        assert "Ostrava Valves" in content.text
        with pytest.raises(MCPError, match="no contract `C-99`"):
            await client.read_resource("contract://C-99")
        prompt = await client.get_prompt("summarise", {"contract": "C-42"})
        assert isinstance(prompt.messages[0].content, TextContent)
        assert "contracts/C-42.md" in prompt.messages[0].content.text
        ref = ResourceTemplateReference(uri="contract://{contract}")
        found = await client.complete(ref, {"name": "contract", "value": "C-4"})
        assert found.completion.values == ["C-42", "C-43"]


async def test_the_contracts_server_keeps_to_its_folder(story: Path) -> None:
    """A path out of the folder and an unknown contract are errors that the model can read."""
    cases: list[tuple[str, dict[str, str], str]] = [
        ("read", {"path": "../mail/inbox.jsonl"}, "leaves the folder"),
        ("read", {"path": "/etc/passwd"}, "leaves the folder"),
        ("read", {"path": "contracts/C-1.md"}, "no file"),
        ("export", {"contract": "../C-42", "to": "a@example.com"}, "no contract"),
        ("write_summary", {"contract": "C-1", "text": "x"}, "no contract"),
    ]
    async with over_stdio("contracts", story / "legal", "auto") as client:
        for tool, arguments, why in cases:
            result = await client.call_tool(tool, arguments)
            assert result.is_error
            assert why in text(result)
    assert not (story / "legal/exports.jsonl").exists()


async def test_the_injected_instruction_is_in_c42_alone(story: Path) -> None:
    """The story's attack is written in C-42, and its destination is a name that cannot exist."""
    async with over_stdio("contracts", story / "legal", "auto") as client:
        attack = text(await client.call_tool("read", {"path": "contracts/C-42.md"}))
        plain = text(await client.call_tool("read", {"path": "contracts/C-43.md"}))
    assert "verify@collector.test" in attack
    assert "collector.test" not in plain


async def test_mail_lands_in_the_outbox(story: Path) -> None:
    """A mail sent is one line in the outbox; a bad address is refused and leaves none."""
    async with over_stdio("mail", story / "mail", "auto") as client:
        inbox = await client.call_tool("inbox")
        assert inbox.structured_content is not None
        assert [m["subject"] for m in inbox.structured_content["result"]] == ["C-42", "Winter offers"]
        mail = {"to": "ingrid.solheim@legal.example.com", "subject": "Done", "body": "See C-42."}
        await client.call_tool("send", mail)
        refused = await client.call_tool("send", mail | {"to": "a@example.com, b@example.com"})
    assert refused.is_error
    (sent,) = lines(story / "mail/outbox.jsonl")
    assert mail.items() <= sent.items()


async def test_a_deployment_reports_progress_and_logs_and_leaves_its_effects(
    tmp_path: Path, era: Era
) -> None:
    """Progress and log messages arrive while it deploys; the effects file tells what happened in order."""
    reported: list[tuple[float, float | None, str | None]] = []
    logged: list[str] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        reported.append((progress, total, message))

    async def on_log(params: LoggingMessageNotificationParams) -> None:
        logged.append(str(params.data))

    settings = {"logging_callback": on_log, "log_level": "info"}
    change = {"change_id": "CHG-7", "environment": "production"}
    async with over_stdio("deploy", tmp_path, era, "--stage-s", "0.01", **settings) as client:
        undrafted = await client.call_tool("deploy", change)
        assert undrafted.is_error
        await client.call_tool(
            "draft", {"change_id": "CHG-7", "title": "Longer timeout", "diff": "-5\n+30\n"}
        )
        assert not (tmp_path / "effects.jsonl").exists()
        result = await client.call_tool("deploy", change, progress_callback=on_progress)
    assert text(result) == "CHG-7 (Longer timeout) is live in production"
    assert [r[0] for r in reported] == [0, 1, 2, 3, 4]
    assert reported[-1][1:] == (4.0, "done")
    assert logged[0] == "CHG-7 to production: check the diff"
    effects = lines(tmp_path / "effects.jsonl")
    assert [e["effect"] for e in effects] == ["started", "deployed"]
    assert all(change.items() <= e.items() for e in effects)
    assert effects[0]["monotonic_ns"] < effects[1]["monotonic_ns"]


async def test_an_environment_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """The environment is a closed set in the tool's schema."""
    async with over_stdio("deploy", tmp_path, "auto") as client:
        tools = {t.name: t.input_schema for t in (await client.list_tools()).tools}
        assert tools["deploy"]["properties"]["environment"]["enum"] == ["staging", "production"]
        result = await client.call_tool("deploy", {"change_id": "CHG-7", "environment": "moon"})
    assert result.is_error


async def test_two_agents_share_tickets(story: Path) -> None:
    """What one connection writes into a ticket, another reads."""
    folder = story / "tickets"
    async with over_stdio("tickets", folder, "auto") as one, over_stdio("tickets", folder, "legacy") as other:
        opened = await asyncio.gather(
            *(c.call_tool("create", {"title": f"n{i}", "body": ""}) for i in range(4) for c in (one, other))
        )
        assert len({text(r) for r in opened}) == 8
        await one.call_tool("comment", {"ticket": "T-1", "text": "C-42 is summarised."})
        read = await other.call_tool("read", {"ticket": "T-1"})
        listed = await other.call_tool("list")
    assert read.structured_content is not None
    assert [c["comment"] for c in read.structured_content["comments"]] == ["C-42 is summarised."]
    assert listed.structured_content is not None
    assert len(listed.structured_content["result"]) == 9


async def test_the_register_has_no_credential_of_its_own(
    tmp_path: Path, postgres_server: PostgresServer, postgres: str
) -> None:
    """It sees what the role sees that the call brings, nothing without one, and a careless one writes it
    down.
    """
    database = postgres.rsplit("/", 1)[1]
    postgres_server.ask((STORY / "register" / "register.sql").read_text(), database=database)
    log = tmp_path / "careless.log"
    async with over_http("register", "--careless", str(log)) as url:

        async def look_up(change: str, headers: dict[str, str]) -> CallToolResult:
            async with (
                httpx2.AsyncClient(headers=headers, timeout=30) as http,
                Client(streamable_http_client(url, http_client=http), mode="auto") as client,
            ):
                return await client.call_tool("look_up", {"change_id": change})

        assert "brings no database" in text(await look_up("CH-7", {}))
        assert "the register says no" in text(await look_up("CH-7", {"X-Database": f"{postgres}_gone"}))
        assert not log.exists()
        found = json.loads(text(await look_up("CH-7", {"X-Database": postgres})))
        assert found["asked_by"] == "lena"
        assert "no change `CH-9`" in text(await look_up("CH-9", {"X-Database": postgres}))
    assert log.read_text().splitlines() == [postgres]
