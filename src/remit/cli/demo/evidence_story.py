# SPDX-License-Identifier: Apache-2.0
"""Steps 7 and 8 of the story: the three questions with the evidence, and your own agents."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from mcp import Client, StdioServerParameters

from remit.cli.demo.commands import run, show
from remit.cli.demo.narrator import Narrator
from remit.cli.demo.stage import Stage, examples
from remit.core.evidence.checkpoint import VerifierKey
from remit.core.evidence.verification import verify_export
from remit.core.json_value import Json


async def step_7(stage: Stage, tell: Narrator, task: str) -> None:
    """Ask the three questions, verify the evidence offline, and attack the evidence."""
    tell.chapter(7, "Who is the agent, what may it do, and is all of this true?")
    await show(stage, tell, "who", "contract-bot")
    await show(stage, tell, "can", task)
    file = stage.folder / "evidence.jsonl"
    await show(stage, tell, "audit", "export", file.name)
    lines = file.read_bytes().splitlines(keepends=True)
    key = json.loads(lines[0])["verifier"]
    tell.say("Only the file and the public key: no server, no database.")
    await show(stage, tell, "audit", "verify", file.name, "--key", key)
    tell.say("The receipt of the end verifies alone, too:")
    await show(stage, tell, "audit", "verify", "receipt.jsonl", "--key", key)
    tell.say("Now copies of the evidence are tampered with:")
    for title, attacked in attacks(lines):
        report = verify_export(attacked, VerifierKey.parse(key))
        why = f"{report.faults[0].code}: {report.faults[0].text}" if report.faults else ""
        tell.claim(not report.holds, f"{title}: caught", why)


def attacks(lines: list[bytes]) -> list[tuple[str, list[bytes]]]:
    """Return attacked copies of an export: one byte changed, the last event removed, two events swapped."""
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


async def step_8(stage: Stage, tell: Narrator) -> None:
    """Wrap a client's configuration for your own agents, work in observe mode, and undo the wrapping."""
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
    code, out = await run(stage, tell, "wrap", str(client_file), cwd=home)
    tell.output(out)
    tell.claim(code == 0, "the client now goes through remit, in observe mode")
    entry = json.loads(client_file.read_bytes())["mcpServers"]["tickets"]
    tell.claim("connect" in entry["args"], "its entry starts `remit connect`", " ".join(entry["args"]))
    await _use(tell, entry, home)
    code, _ = await run(stage, tell, "wrap", str(client_file), "--undo", cwd=home)
    tell.claim(
        code == 0 and client_file.read_bytes() == original, "and `--undo` restores the file, byte for byte"
    )


async def _use(tell: Narrator, entry: dict[str, Json], home: Path) -> None:
    # The client's other output is shown after it, not between the lines of the story.
    said = home / "client.log"
    params = StdioServerParameters(
        command="/bin/sh",
        args=["-c", f'exec "$0" "$@" 2>{said.name}', entry["command"], *entry["args"]],
        env={**os.environ, **entry.get("env", {})},
        cwd=home,
    )
    async with Client(params, mode="auto", read_timeout_seconds=30) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        tell.claim("read" in names, "the client sees the same tools as before", ", ".join(names))
        result = await client.call_tool("read", {"ticket": "T-1"})
        tell.claim(not result.is_error, "and its calls are decided and recorded; none is refused")
    if said.read_text().strip():
        tell.quote(said.read_text().strip())
