# SPDX-License-Identifier: Apache-2.0
"""Commands of remit in the story: run and shown as a person would run and see them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from remit.cli.demo.narrator import Narrator
from remit.cli.demo.stage import Stage, remit_command


def user_folders(stage: Stage) -> dict[str, str]:
    """Return the variables that keep the story out of the folders of the person who plays it."""
    home = str(stage.folder / "home")
    return {"XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home}


async def run(
    stage: Stage, tell: Narrator, *args: str, by: str = "admin", cwd: Path | None = None, given: str = ""
) -> tuple[int, str]:
    """Run a command of remit as a person would; return its exit code and output.

    Without `by` the person is the one who has signed in with `remit login`. `given` is the standard input.
    """
    environment = {
        **os.environ,
        **tell.environment,
        "REMIT_SESSION": stage.sessions.get(by, ""),
        **user_folders(stage),
    }
    process = await asyncio.create_subprocess_exec(
        *remit_command(*args),
        cwd=cwd or stage.folder,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate(given.encode())
    return process.returncode or 0, out.decode()


async def show(
    stage: Stage, tell: Narrator, *args: str, code: int = 0, by: str = "admin", cwd: Path | None = None
) -> str:
    """Run a command and show it with its output."""
    tell.command("remit " + " ".join(args))
    got, out = await run(stage, tell, *args, by=by, cwd=cwd)
    tell.output(out)
    tell.claim(got == code, f"exit code {got}")
    return out
