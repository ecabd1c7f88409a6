# SPDX-License-Identifier: Apache-2.0
"""An MCP server for changes: draft one, deploy one.

Drafts are files in `drafts/`. A deployment reports progress and logs as it goes, and each of its effects is a
line in `effects.jsonl` (`started` before the first stage, `deployed` after the last), so a test can count
what really happened, and when, by a clock that other processes of the machine share.

    python deploy.py FOLDER               over stdio
    python deploy.py FOLDER --http 8003   over streamable HTTP at /mcp on that port (0: any free one)
"""

import argparse
import json
import re
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp_types import ToolAnnotations
from pydantic import Field

# 2026-07-28 deprecates log messages, but clients of both revisions still show them.
warnings.filterwarnings("ignore", category=MCPDeprecationWarning)

CHANGE = re.compile(r"[A-Z]{2,5}-[0-9]{1,6}")
STAGES = ("check the diff", "build", "roll out", "probe")

ChangeId = Annotated[str, Field(description="The change's number, such as CHG-7")]
Environment = Literal["staging", "production"]


class Pipeline:
    """Drafts and deployments in one folder."""

    def __init__(self, root: Path, stage_s: float) -> None:
        self.root = root
        self.stage_s = stage_s

    def draft(
        self,
        change_id: ChangeId,
        title: Annotated[str, Field(description="What the change does, in one line")],
        diff: Annotated[str, Field(description="The change itself, as a unified diff")],
    ) -> str:
        """Write the draft of a change, in place of an earlier one. Nothing is deployed. Returns its path."""
        if not CHANGE.fullmatch(change_id):
            raise ToolError(f"`{change_id}` is not a change number; give one such as CHG-7")
        file = self.root / "drafts" / f"{change_id}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"change_id": change_id, "title": title, "diff": diff}, indent=2), "utf-8")
        return file.relative_to(self.root).as_posix()

    async def deploy(
        self,
        change_id: ChangeId,
        environment: Annotated[Environment, Field(description="Where to")],
        ctx: Context,
    ) -> str:
        """Deploy a drafted change to an environment. This cannot be taken back."""
        file = self.root / "drafts" / f"{change_id}.json"
        if not CHANGE.fullmatch(change_id) or not file.is_file():
            raise ToolError(f"no draft `{change_id}`; write one with `draft` first")
        title = json.loads(file.read_text("utf-8"))["title"]
        self.effect("started", change_id, environment)
        for done, stage in enumerate(STAGES):
            await ctx.report_progress(done, len(STAGES), stage)
            await ctx.info(f"{change_id} to {environment}: {stage}", logger_name="deploy")
            await anyio.sleep(self.stage_s)
        self.effect("deployed", change_id, environment)
        await ctx.report_progress(len(STAGES), len(STAGES), "done")
        return f"{change_id} ({title}) is live in {environment}"

    def effect(self, what: str, change_id: str, environment: str) -> None:
        """Append one effect to `effects.jsonl`."""
        line = {
            "effect": what,
            "change_id": change_id,
            "environment": environment,
            "at": datetime.now(UTC).isoformat(),
            "monotonic_ns": time.monotonic_ns(),
        }
        with (self.root / "effects.jsonl").open("a", encoding="utf-8") as effects:
            effects.write(json.dumps(line) + "\n")


def build(root: Path, stage_s: float = 0.05) -> MCPServer:
    """The MCP server for the changes in `root`; each stage of a deployment takes `stage_s` seconds."""
    server = MCPServer("deploy", version="1.0.0", instructions="Drafts and deploys changes.")
    pipeline = Pipeline(root, stage_s)
    drafts = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
    deploys = ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=False)
    server.add_tool(pipeline.draft, annotations=drafts)
    server.add_tool(pipeline.deploy, annotations=deploys)
    return server


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="MCP server for changes")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--http", type=int, metavar="PORT", help="serve streamable HTTP instead of stdio")
    parser.add_argument("--stage-s", type=float, default=0.05, help="seconds that each stage takes")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.http is None:
        build(given.folder, given.stage_s).run("stdio")
    else:
        build(given.folder, given.stage_s).run("streamable-http", host="127.0.0.1", port=given.http)
