# SPDX-License-Identifier: Apache-2.0
"""The bundle of the rehearsal: the built-in descriptions, and drafts for the MCP tools that were used."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Final

from remit.cli.hindsight.survey import Survey
from remit.core.json_value import Json
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import Budgets, TaskType
from remit.core.tools.suggestions import ToolDraft, UpstreamFacts, drafted, tools_text
from remit.core.tools.tool import Tool
from remit.rehearse.folder import PATIENCE_S
from remit.rehearse.rehearsal import AGENT, PERSON

TASK_TYPE: Final = "coding"
PURPOSE: Final = "What a person does with a coding assistant in a project"
#: Source code may be quoted to hosts that the person names; secrets and what is confidential may not.
CLEARANCE: Final = {"self": "restricted", "internal": "confidential", "external": "internal"}
#: What a person's own MCP servers hold, until the person says otherwise.
_MCP_CLASS: Final = "internal"
_TOP_CLASS: Final = "restricted"


def client_tools(client: str) -> str:
    """Return the file that describes a client's built-in tools."""
    place = files("remit") / "templates" / "coding" / "tools.yaml"
    text = place.read_text(encoding="utf-8")
    return text.replace("@client@", client)


def drafts(found: Survey) -> dict[str, list[ToolDraft]]:
    """Return a draft for each MCP tool, by upstream, from its name and the arguments that were seen."""
    made: dict[str, list[ToolDraft]] = {}
    facts = UpstreamFacts(data_class=_MCP_CLASS)
    for tool in sorted(found.mcp):
        surface: dict[str, Json] = {"name": tool.name, "inputSchema": found.schema(tool)}
        seen = Tool(upstream=tool.upstream, name=tool.name, surface=surface)
        made.setdefault(tool.upstream, []).append(drafted(seen, facts, _TOP_CLASS))
    return made


def write(folder: Path, found: Survey) -> list[str]:
    """Write the bundle to an empty folder; return the ids of all tools, described or not."""
    tools = folder / "tools"
    tools.mkdir(parents=True)
    ids: list[str] = []
    for client in sorted(found.clients):
        text = client_tools(client)
        (tools / f"{client}.yaml").write_text(text, encoding="utf-8")
        ids += [f"{client}/{name}" for name in described_names(text)]
        ids += [f"{client}/{name}" for name in sorted(found.others.get(client, ()))]
    for upstream, made in drafts(found).items():
        (tools / f"mcp-{upstream}.yaml").write_text(tools_text(upstream, made), encoding="utf-8")
        ids += [f"{upstream}/{draft.name}" for draft in made]
    upstreams = sorted({one.partition("/")[0] for one in ids})
    config = {
        "upstreams": {name: {"command": ["rehearsed"], "mode": "observe"} for name in upstreams},
        "classes": {"clearance": CLEARANCE},
    }
    (folder / "remit.yaml").write_text(json.dumps(config), encoding="utf-8")
    return ids


def task_type(tools: list[str]) -> TaskType:
    """Return the task type of the rehearsal: every tool, with any arguments, for as long as it takes."""
    return TaskType(
        name=TASK_TYPE,
        purpose=PURPOSE,
        run_by=(AGENT,),
        requested_by=(PERSON,),
        grants=tuple(GrantTemplate(one, other_arguments=True) for one in tools),
        budgets=Budgets(),
        deadline_s=PATIENCE_S,
        ends_when_spent=False,
    )


def described_names(text: str) -> list[str]:
    """Return the names of the tools that a file of the built-in form describes."""
    return [line.strip()[:-1] for line in text.splitlines() if line.startswith("  ") and line[2:3].isalpha()]
