# SPDX-License-Identifier: Apache-2.0
"""Step 8 of the story: your own agents, from the first look to enforced rules."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from mcp import Client, StdioServerParameters

from remit.cli.demo.commands import run, show, user_folders
from remit.cli.demo.narrator import Narrator
from remit.cli.demo.stage import Stage, examples, login_code
from remit.core.json_value import Json

#: Reads of two tickets in observe mode: enough to name the two.
READS: Final = 24
#: What the person knows of the tickets.
FACTS: Final = ("--trusted", "tickets", "--audience", "tickets=internal", "--data-class", "tickets=internal")


async def step_8(stage: Stage, tell: Narrator) -> None:
    """Wrap a client's configuration, work in observe mode, apply what `remit suggest` drafts, and undo."""
    tell.chapter(8, "And for your own agents: observe, suggest, enforce")
    home = stage.folder / "own"
    client_file = _client_file(stage, home)
    original = client_file.read_bytes()
    tell.command("remit wrap .mcp.json")
    code, out = await run(stage, tell, "wrap", str(client_file), cwd=home)
    tell.output(out)
    tell.claim(code == 0, "the client now goes through remit, in observe mode")
    entry = json.loads(client_file.read_bytes())["mcpServers"]["tickets"]
    tell.claim("connect" in entry["args"], "its entry starts `remit connect`", " ".join(entry["args"]))
    await _observed(stage, tell, entry, home)
    await _suggested(stage, tell, home)
    await _enforced(stage, tell, entry, home)
    code, _ = await run(stage, tell, "wrap", str(client_file), "--undo", cwd=home)
    tell.claim(
        code == 0 and client_file.read_bytes() == original, "and `--undo` restores the file, byte for byte"
    )


def _client_file(stage: Stage, home: Path) -> Path:
    """Write a client's file with one server, and a few tickets for it."""
    home.mkdir()
    server, tickets = examples() / "servers" / "tickets.py", home / "tickets"
    tickets.mkdir()
    for name in ("T-1", "T-2", "T-3"):
        shutil.copy(examples() / "story" / "tickets" / "T-1.jsonl", tickets / f"{name}.jsonl")
    written = {"mcpServers": {"tickets": {"command": sys.executable, "args": [str(server), str(tickets)]}}}
    file = home / ".mcp.json"
    file.write_text(json.dumps(written, indent=2) + "\n")
    return file


async def _observed(stage: Stage, tell: Narrator, entry: dict[str, Json], home: Path) -> None:
    async with _client(stage, tell, entry, home) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        tell.claim("read" in names, "the client sees the same tools as before", ", ".join(names))
        results = [
            await client.call_tool("read", {"ticket": f"T-{1 + number % 2}"}) for number in range(READS)
        ]
        tell.claim(
            not any(one.is_error for one in results),
            f"it reads two tickets, {READS} times: decided and recorded; none is refused",
        )


async def _suggested(stage: Stage, tell: Narrator, home: Path) -> None:
    code = login_code(stage.folder / "home" / "remit" / "up.log")
    await run(stage, tell, "login", "--code-stdin", by="", cwd=home, given=code)
    out = await show(stage, tell, "suggest", *FACTS, by="", cwd=home)
    tell.claim(
        "tickets/read" in out and f"2 values in {READS} uses" in out,
        "remit suggests one grant, as tight as the evidence",
    )
    _, found = await run(stage, tell, "suggest", *FACTS, "--json", by="", cwd=home)
    digest = json.loads(found)["digest"]
    tell.command("remit suggest ... --apply")
    code_of, _ = await run(stage, tell, "suggest", *FACTS, "--apply", "--confirm", digest, by="", cwd=home)
    tell.claim(code_of == 0, "a person reviews the difference and puts it in force")
    config = stage.folder / "home" / "remit" / "remit.yaml"
    config.write_text(config.read_text().replace("mode: observe", "mode: enforce"))
    tell.say("In remit.yaml: `mode: enforce`.")
    await show(stage, tell, "reload", by="", cwd=home)


async def _enforced(stage: Stage, tell: Narrator, entry: dict[str, Json], home: Path) -> None:
    async with _client(stage, tell, entry, home) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        tell.claim(names == ["read"], "the next session is shown only what the work needs", ", ".join(names))
        result = await client.call_tool("read", {"ticket": "T-1"})
        tell.claim(not result.is_error, "its usual work passes")
        other = await client.call_tool("read", {"ticket": "T-3"})
        told = "".join(getattr(one, "text", "") for one in other.content).partition("\n")[0]
        tell.claim(
            other.is_error is True and "`ticket` is not permitted" in told,
            "a ticket that it never needed: refused",
            told,
        )
        comment = await client.call_tool("comment", {"ticket": "T-1", "text": "x"})
        tell.claim(comment.is_error is True, "and so is a tool that it never used")


@asynccontextmanager
async def _client(stage: Stage, tell: Narrator, entry: dict[str, Json], home: Path) -> AsyncIterator[Client]:
    """Provide the official client with the server of the entry."""
    # The client's other output is shown after it, not between the lines of the story.
    said = home / "client.log"
    params = StdioServerParameters(
        command="/bin/sh",
        args=["-c", f'exec "$0" "$@" 2>{said.name}', entry["command"], *entry["args"]],
        env={**os.environ, **entry.get("env", {}), **user_folders(stage)},
        cwd=home,
    )
    async with Client(params, mode="auto", read_timeout_seconds=30) as client:
        yield client
    if said.read_text().strip():
        tell.quote(said.read_text().strip())
