# SPDX-License-Identifier: Apache-2.0
"""`remit hindsight`."""

from __future__ import annotations

import getpass
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from remit.cli.output import terminal
from remit.cli.parser import Switch, verb

if TYPE_CHECKING:
    from remit.cli.hindsight.report import Hindsight

app = verb("hindsight")

#: The agent that the drafted task type names; `remit agent` registers it.
AGENT = "coding-assistant"


@app.default
def hindsight(*path: Path, patch: Switch = False) -> None:
    """Show what your coding assistants did, and what remit would have done about it.

    Reads the transcripts and configurations that Claude Code, Codex and Gemini CLI keep, and Cursor's list of
    MCP servers, and replays each session in process. Nothing is changed, started or connected to, and nothing
    leaves this machine; temporary files are deleted at the end. For example, run it before you install
    anything else, and read which calls a person would have been asked about.

    Parameters
    ----------
    path
        A transcript, a folder of transcripts, or a home folder (default: yours).
    patch
        Print only a patch with a task type that fits what was done, and the descriptions that it needs.
    """
    from remit.cli.hindsight.report import told, wire

    made = look(list(path) or [Path.home()], progress=not terminal.is_json() and not patch)
    if patch:
        sys.stdout.write(made.patch)
    elif terminal.is_json():
        terminal.answer(wire(made))
    else:
        told(made)


def look(paths: list[Path], *, progress: bool = False) -> Hindsight:
    """Read and replay everything at these paths; raises `NotFound` if there is no transcript."""
    from remit.cli.hindsight import bundle
    from remit.cli.hindsight.account import Account
    from remit.cli.hindsight.client_config import read_home
    from remit.cli.hindsight.patch import patch
    from remit.cli.hindsight.prompts import Prompts
    from remit.cli.hindsight.replay import Replay
    from remit.cli.hindsight.report import Hindsight
    from remit.cli.hindsight.survey import survey
    from remit.cli.hindsight.transcript_files import find
    from remit.core.errors import NotFound
    from remit.rehearse import Rehearsal

    paths = [one.expanduser().absolute() for one in paths]
    for one in paths:
        if not one.exists():
            raise NotFound(f"`{one}` does not exist", remediation="give a transcript, or a folder of them")
    files = find(paths)
    configured = read_home(next((one for one in paths if one.is_dir()), Path.home()))
    if not files.files:
        places = ", ".join(str(one) for one in paths)
        raise NotFound(
            f"no transcripts of coding assistants below {places}",
            remediation="give the folder that holds them, such as `~/.claude/projects`",
        )
    found = survey(files.files)
    account, prompts = Account(), Prompts(rules=configured.rules)
    with tempfile.TemporaryDirectory(prefix="remit-hindsight-", ignore_cleanup_errors=True) as kept:
        folder = Path(kept, "bundle")
        tools = bundle.write(folder, found)
        with Rehearsal(folder, own_policies=True) as rehearsal:
            rehearsal.run(rehearsal.stage.add_type(bundle.task_type(tools), open_to_all=True))
            replay = Replay(rehearsal, found, account, prompts)
            with _shown(sum(one.size_bytes for one in files.files), progress=progress) as step:
                for file in files.files:
                    replay.file(file)
                    step(file.size_bytes)
    return Hindsight(
        account=account,
        prompts=prompts,
        configured=configured,
        found=files,
        survey=found,
        patch=patch(account, found, getpass.getuser(), AGENT),
    )


@contextmanager
def _shown(total: int, *, progress: bool) -> Iterator[Callable[[int], None]]:
    """Show progress on a terminal's standard error while files are replayed."""
    console = terminal.err()
    if not (progress and console.is_terminal):
        yield lambda size: None
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = TextColumn("[dim]{task.description}"), BarColumn(), TextColumn("[dim]{task.percentage:.0f} %")
    with Progress(*columns, console=console, transient=True) as bar:
        shown = bar.add_task("replaying", total=max(total, 1))
        yield lambda size: bar.advance(shown, size)
