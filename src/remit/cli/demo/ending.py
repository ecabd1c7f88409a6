# SPDX-License-Identifier: Apache-2.0
"""Steps 6 to 8 of the story: an end under fire, the three questions and the evidence, and one's own
agents.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters
from rich.table import Table

from remit.cli.demo.shell import run, show
from remit.cli.demo.stage import Stage, examples
from remit.cli.demo.teller import Teller
from remit.core.checkpoint import VerifierKey
from remit.core.export import verify_export

Json = Any

LOOPS = 32


class Hammer:
    """Thirty-two loops that call one tool as fast as they can, and note when each answer came."""

    def __init__(self, stage: Stage, token: str) -> None:
        """Use the newest era by hand: one request, one answer, nothing hidden."""
        self._stage = stage
        self._token = token
        self._stop = False
        self.permitted_at: list[float] = []
        self.refused_at: list[float] = []
        self.codes: set[str] = set()

    async def loop(self) -> None:
        """Call until told to stop."""
        call = {"name": "git__git_status", "arguments": {"repo_path": str(self._stage.folder / "repo")}}
        while not self._stop:
            try:
                answer = await self._stage.raw("tools/call", call, self._token)
            except httpx2.HTTPError:
                continue
            now = time.monotonic()
            told = answer.json()
            if "result" in told:
                self.permitted_at.append(now)
            else:
                self.refused_at.append(now)
                self.codes.add(str(told.get("error", {}).get("data", {}).get("code", answer.status_code)))

    def stop(self) -> None:
        """Let every loop finish the call that it has in hand."""
        self._stop = True


async def step_6(stage: Stage, tell: Teller, task: str, token: str) -> None:
    """The task ends while thirty-two loops hammer the gateway with its token."""
    tell.chapter(6, f"The task ends while {LOOPS} loops hammer the gateway with its token")
    hammer = Hammer(stage, token)
    loops = [asyncio.create_task(hammer.loop()) for _ in range(LOOPS)]
    await asyncio.sleep(1.0)
    before = len(hammer.permitted_at)
    started = time.monotonic()
    scope = {"kind": "task", "name": task, "reason": "the change is out"}
    closure = await stage.ask("POST", "/api/v1/end", scope, by="lena")
    returned = time.monotonic()
    await asyncio.sleep(0.7)
    hammer.stop()
    await asyncio.gather(*loops)
    late = [at for at in hammer.permitted_at if at > returned]
    tell.claim(before > 0, f"before the end {before} calls were permitted")
    tell.claim(
        not late,
        "after the end returned not one call passed",
        f"{len(hammer.refused_at)} were refused: {', '.join(sorted(hammer.codes))}",
    )
    tell.claim(
        bool(hammer.refused_at), f"the end took {(returned - started) * 1000:.1f} ms as the caller saw it"
    )
    table = Table("what was derived", "first refused after", box=None, header_style="dim")
    for item in closure["closings"]:
        after = item["refused_after_ms"]
        table.add_row(f"{item['kind']}  {item['name']}", "still open" if after is None else f"{after:.2f} ms")
    table.add_row("calls in flight, outcome unknown", str(len(closure["indeterminate"])))
    tell.table(table)
    tell.claim(closure["closed"], f"the closure {closure['id']} has nothing left open")
    answer = await stage.raw("tools/list", {}, token)
    tell.claim(answer.status_code in (401, 403), "the token is dead at every door: it cannot even list")


async def step_7(stage: Stage, tell: Teller, task: str) -> None:
    """The three questions, the evidence offline, and the evidence attacked."""
    tell.chapter(7, "Who is it, what may it do, and is all of this true?")
    await show(stage, tell, "who", "contract-bot")
    await show(stage, tell, "can", task)
    file = stage.folder / "evidence.jsonl"
    await show(stage, tell, "audit", "export", str(file))
    lines = file.read_bytes().splitlines(keepends=True)
    key = json.loads(lines[0])["verifier"]
    tell.say("The file alone, and the public key: no server, no database.")
    await show(stage, tell, "audit", "verify", str(file), "--key", key)
    tell.say("Now copies of it are attacked:")
    for title, attacked in attacks(lines):
        report = verify_export(attacked, VerifierKey.parse(key))
        why = f"{report.faults[0].code}: {report.faults[0].text}" if report.faults else ""
        tell.claim(not report.holds, f"{title}: caught", why)


def attacks(lines: list[bytes]) -> list[tuple[str, list[bytes]]]:
    """Give attacked copies of an export: one byte, the last event, two swapped."""
    middle = len(lines) // 2
    flipped = list(lines)
    flipped[middle] = flipped[middle].replace(b'\\"tenant\\":\\"default\\"', b'\\"tenant\\":\\"defau1t\\"', 1)
    dropped = [*lines[:-2], lines[-1]]
    swapped = list(lines)
    swapped[middle], swapped[middle + 1] = swapped[middle + 1], swapped[middle]
    return [
        ("one byte changed", flipped),
        ("the last event dropped", dropped),
        ("two events swapped", swapped),
    ]


async def step_8(stage: Stage, tell: Teller) -> None:
    """One's own agents: wrap a client's configuration, work in observe mode, undo."""
    tell.chapter(8, "And for your own agents: one command")
    home = stage.folder / "own"
    home.mkdir()
    server = examples() / "servers" / "tickets.py"
    shutil.copytree(stage.folder / "tickets", home / "tickets")
    written = {
        "mcpServers": {"tickets": {"command": sys.executable, "args": [str(server), str(home / "tickets")]}}
    }
    client_file = home / ".mcp.json"
    client_file.write_text(json.dumps(written, indent=2) + "\n")
    original = client_file.read_bytes()
    tell.command("remit wrap .mcp.json")
    code, out = await run(stage, "wrap", str(client_file), cwd=home)
    tell.output(out)
    tell.claim(code == 0, "the client now goes through remit, in observe mode")
    entry = json.loads(client_file.read_bytes())["mcpServers"]["tickets"]
    tell.claim("connect" in entry["args"], "its entry starts `remit connect`", " ".join(entry["args"]))
    await _use(tell, entry, home)
    code, _ = await run(stage, "wrap", str(client_file), "--undo", cwd=home)
    tell.claim(
        code == 0 and client_file.read_bytes() == original, "and `--undo` gives the file back, byte for byte"
    )


async def _use(tell: Teller, entry: dict[str, Json], home: Path) -> None:
    params = StdioServerParameters(
        command=entry["command"], args=entry["args"], env={**os.environ, **entry.get("env", {})}, cwd=home
    )
    async with Client(params, mode="auto", read_timeout_seconds=30) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        tell.claim("read" in names, "the client sees the tools it always saw", ", ".join(names))
        result = await client.call_tool("read", {"ticket": "T-1"})
        tell.claim(not result.is_error, "and its calls pass, decided and recorded, refused by nobody")
