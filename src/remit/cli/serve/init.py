# SPDX-License-Identifier: Apache-2.0
"""`remit init`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from remit.cli.output import terminal
from remit.cli.parser import verb

app = verb("init")


@app.default
def init(
    folder: Path = Path("."),
    /,
    *,
    engine: Literal["cedar", "rego"] = "cedar",
    sample: Literal["notes", "task-types"] = "notes",
) -> None:
    """Write a small working configuration: one MCP server, its tools, a task type, and default policies.

    The command overwrites nothing. For example, begin in an empty folder with `remit init` and `remit up`,
    then replace the sample server with your own.

    Parameters
    ----------
    folder
        The folder to write to.
    engine
        The language of the policies. Rego needs `pip install 'remit[rego]'` and the program `opa`.
    sample
        What to begin with: a server of notes that runs, or three task types with rehearsed cases, to which
        you add your own servers (`experiment`, `retrieve`, `self-heal`).
    """
    from remit.config.scaffold import scaffold

    types = sample == "task-types"
    written = scaffold(folder, engine=engine, task_types=types)
    if terminal.is_json():
        terminal.answer({"folder": str(folder.absolute()), "files": [str(one) for one in written]})
        return
    terminal.say("Wrote ", terminal.text(str(folder.absolute()), "bold"))
    says = {
        "remit.yaml": "the governed servers, and where remit stores data",
        "policies": f"the limits on everything ({engine.capitalize()} policies)",
        "tools": "each tool's effect, audience and result labels",
        "tasks": "task types: who may run and request them, and what they may call",
        "servers": "a small MCP server to try it on",
        "notes": "the notes that the server serves",
        "tests": "cases: what the policies have to decide",
    }
    tops = list(dict.fromkeys(one.relative_to(folder).parts[0] for one in written))
    terminal.picture(terminal.facts((f"  {top}", says.get(top, "")) for top in tops))
    terminal.say("")
    terminal.say("Next:", style="bold")
    if folder.absolute() != Path.cwd():
        terminal.copyable(f"  cd {folder}")
    terminal.say("  remit policy check   ", terminal.text("# check the configuration", "dim"))
    if types:
        terminal.say(
            "  remit policy test    ", terminal.text("# rehearse the cases, no server needed", "dim")
        )
        terminal.say("Then read docs/howto/start-from-a-task-type.md, and add your servers.", style="dim")
        return
    terminal.say(
        "  remit up             ", terminal.text("# run it; the first start shows how to sign in", "dim")
    )
    terminal.say("Then, in another terminal, run your own agent in a task of the sample type:", style="dim")
    terminal.copyable("  remit agent register note-bot --owner admin --purpose 'keeps notes tidy'")
    terminal.copyable("  remit run --agent note-bot --task tidy-note -p note=shopping -- YOUR-AGENT")
