# SPDX-License-Identifier: Apache-2.0
"""What `guard install` writes into remit's folder: the guard's section, tool descriptions and a task type."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from remit.cli.hindsight.bundle import CLEARANCE, client_tools, described_names
from remit.cli.wrap.backup import replace_file
from remit.config import Config
from remit.core.coding.calls import CLAUDE_CODE
from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.services.guard.client import SESSION, SUBAGENT

TASK_TYPE: Final = "coding"
PURPOSE: Final = "a coding assistant on this machine"
_MARK: Final = "# Written by `remit guard install`."
_GUARDS: Final = re.compile(r"^guards:[^\n]*\n", re.MULTILINE)
_NO_UPSTREAMS: Final = re.compile(
    r"^upstreams:[ \t]*(?:#[^\n]*)?\n(?=(?:[ \t]*(?:#[^\n]*)?\n)*(?:\S|\Z))", re.MULTILINE
)


def with_guard(text: str, client: str, section: dict[str, Json]) -> str:
    """Return the text of a configuration with the section of a guard, new or replaced."""
    line = f"  {client}: {json.dumps(section)}\n"
    known = re.compile(rf"^[ \t]+{re.escape(client)}: \{{[^\n]*\}}[ \t]*(?:#[^\n]*)?\n", re.MULTILINE)
    text = _NO_UPSTREAMS.sub("upstreams: {}\n", text)
    found = _GUARDS.search(text)
    if found is None:
        return f"{text.rstrip()}\n\n# Coding assistants whose hooks ask remit.\nguards:\n{line}"
    block = known.search(text, found.end())
    if block is not None:
        return text[: block.start()] + line + text[block.end() :]
    return text[: found.end()] + line + text[found.end() :]


def without_guard(text: str, client: str) -> str:
    """Return the text of a configuration without the section of a guard."""
    known = re.compile(rf"^[ \t]+{re.escape(client)}: \{{[^\n]*\}}[ \t]*(?:#[^\n]*)?\n", re.MULTILINE)
    text = known.sub("", text, count=1)
    return re.sub(
        r"(?:# Coding assistants whose hooks ask remit\.\n)?^guards:\n(?![ \t]+\S)",
        "",
        text,
        flags=re.MULTILINE,
    )


def task_type(client: str) -> str:
    """Return the task type of a client's sessions: each client has its own tools to grant."""
    return TASK_TYPE if client == CLAUDE_CODE else f"{TASK_TYPE}-{client}"


def write_bundle(config: Config, client: str, agent: str, person: str) -> list[Path]:
    """Write the descriptions of a client's tools and its task type; return the files.

    Files that a person wrote stay: raises `ConfigInvalid` for a task type of that name.
    """
    tools = client_tools(client)
    written = [config.at(config.tools) / f"{client}.yaml"]
    written[0].parent.mkdir(parents=True, exist_ok=True)
    if not written[0].exists():
        written[0].write_text(tools, encoding="utf-8")
    kind = task_type(client)
    task = config.at(config.tasks) / f"{kind}.yaml"
    task.parent.mkdir(parents=True, exist_ok=True)
    if task.exists() and _MARK not in task.read_text(encoding="utf-8"):
        raise ConfigInvalid(
            f"task type `{kind}` exists already",
            file=str(task),
            remediation="rename it, or name another one with `--task`",
        )
    content = _task(client, agent, person, described_names(tools))
    if task.exists():
        replace_file(task, content.encode("utf-8"))
    else:
        task.write_text(content, encoding="utf-8")
    return [*written, task]


def with_clearance(text: str) -> str:
    """Return a configuration in which hosts that the person names may learn source code."""
    if re.search(r"^classes:", text, re.MULTILINE):
        return text
    said = json.dumps({"clearance": CLEARANCE})
    return f"{text.rstrip()}\n\n# Source code may go to hosts that the person names.\nclasses: {said}\n"


def _task(client: str, agent: str, person: str, tools: list[str]) -> str:
    grants = "\n".join(f"  - {{tool: {client}/{name}, other_arguments: true}}" for name in tools)
    return f"""# SPDX-License-Identifier: Apache-2.0
{_MARK} Sessions of a coding assistant are tasks of this type.
#
# It grants every built-in tool; flow and effects decide what a call may do. Narrow it with what
# `remit hindsight --patch` shows of your own sessions.
task: {task_type(client)}
purpose: What a person does with a coding assistant in a project
run_by: {json.dumps([agent, agent + SUBAGENT])}
requested_by: {json.dumps([person])}
delegates: {{to: {json.dumps([agent + SUBAGENT])}, max_depth: 1}}
parameters:
  {SESSION}: {{description: The client's id of the session, constraint: {{length: {{max: 200}}}}}}
deadline: 24h
grants:
{grants}
"""
