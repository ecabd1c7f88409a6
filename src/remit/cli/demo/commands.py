# SPDX-License-Identifier: Apache-2.0
"""Commands of remit in the story: run and shown as a person would run and see them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from remit.cli.demo.narrator import Narrator
from remit.cli.demo.stage import Stage, remit_command


async def run(
    stage: Stage, tell: Narrator, *args: str, by: str = "admin", cwd: Path | None = None
) -> tuple[int, str]:
    """Run a command of remit as a person would; return its exit code and output."""
    environment = {
        **os.environ,
        **tell.environment,
        "REMIT_SESSION": stage.sessions.get(by, ""),
        "XDG_CONFIG_HOME": str(stage.folder / "home"),
        "XDG_STATE_HOME": str(stage.folder / "home"),
    }
    process = await asyncio.create_subprocess_exec(
        *remit_command(*args),
        cwd=cwd or stage.folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def show(stage: Stage, tell: Narrator, *args: str, code: int = 0, by: str = "admin") -> str:
    """Run a command and show it with its output."""
    tell.command("remit " + " ".join(args))
    got, out = await run(stage, tell, *args, by=by)
    tell.output(out)
    tell.claim(got == code, f"exit code {got}")
    return out
