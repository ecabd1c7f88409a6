# SPDX-License-Identifier: Apache-2.0
"""The task type that fits what was done, and the descriptions that it needs, as a patch of a bundle's folder.

It grants what the sessions used, as tightly as they show: programs, hosts, folders. Calls that remit would
have stopped, and calls that the person refused, are no evidence. Every line is for review.
"""

from __future__ import annotations

import json
from typing import Final

from remit.cli.hindsight.account import Account, ToolUse
from remit.cli.hindsight.bundle import PURPOSE, TASK_TYPE, client_tools, drafts
from remit.cli.hindsight.survey import Survey
from remit.cli.output.terminal import counted
from remit.core.coding.calls import CLIENTS, OTHER
from remit.core.credentials.known_secrets import without_secrets
from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.core.safe_text import escaped
from remit.core.tools.constraint import load, path_fault
from remit.core.tools.suggestions import tools_text

MAX_VALUES: Final = 400
_FILES: Final = "file."
_SHELL: Final = "shell."
#: Arguments of a shell command that the programs and hosts already describe.
_FREE: Final = ("command", "outside", "packages", "secret_files")


def patch(account: Account, found: Survey, person: str, agent: str) -> str:
    """Return the patch, as `git apply` and `patch -p1` read it."""
    made = {f"tasks/{TASK_TYPE}.yaml": task_type(account, person, agent)}
    for client in sorted(found.clients):
        made[f"tools/{client}.yaml"] = client_tools(client)
    for upstream, some in drafts(found).items():
        made[f"tools/mcp-{upstream}.yaml"] = without_secrets(tools_text(upstream, some))
    return "".join(_added(name, escaped(text, yaml=True)) for name, text in made.items())


def _added(name: str, text: str) -> str:
    lines = text.split("\n")[:-1]
    body = "".join(f"+{line}\n" for line in lines)
    return f"--- /dev/null\n+++ b/{name}\n@@ -0,0 +1,{len(lines)} @@\n{body}"


def task_type(account: Account, person: str, agent: str) -> str:
    """Return the text of the task type; each grant with the number of calls behind it."""
    out = [
        "# SPDX-License-Identifier: Apache-2.0",
        f"# Drafted by `remit hindsight` from {account.calls} calls. Each grant names the calls behind it.",
        "# Review every line: drop what no session needs again, and what should have been a question.",
        f"task: {TASK_TYPE}",
        f"purpose: {PURPOSE}",
        f"run_by: [{_json(agent)}]",
        f"requested_by: [{_json(person)}]",
        "deadline: 12h",
        "budgets: {calls: 5000}",
        "grants:",
    ]
    undescribed = []
    for tool, use in sorted(account.uses.items(), key=lambda one: (-one[1].calls, one[0])):
        name = tool.partition("/")[2]
        if tool.partition("/")[0] in CLIENTS and name.partition(".")[0] == OTHER:
            undescribed.append(tool)
            continue
        out += [f"  # {counted(use.calls, 'call')}", f"  - tool: {_json(without_secrets(tool))}"]
        arguments = _arguments(name, use) if tool.partition("/")[0] in CLIENTS else None
        if arguments is None:
            out.append("    other_arguments: true")
        elif arguments:
            out.append("    arguments:")
            out += [f"      {key}: {_json(value)}" for key, value in arguments.items()]
    if len(out) and out[-1] == "grants:":
        out[-1] = "grants: []"
    for one in undescribed:
        out.append(
            f"# No description fits {_json(without_secrets(one))}: describe it in tools/ before you grant it."
        )
    return "\n".join(out) + "\n"


def _arguments(name: str, use: ToolUse) -> dict[str, Json] | None:
    """Return the constraints of a grant; None where the tool takes any arguments."""
    anything: Json = {"anything": {}}
    if name.startswith(_FILES):
        roots = _most(use.roots)
        inside: list[Json] = [_under(one) for one in roots]
        made: dict[str, Json] = {"paths": {"each": inside[0] if len(inside) == 1 else {"any": inside}}}
        if name == "file.write":
            made["content_sha256"] = anything
        elif "write" in name:
            made["content"] = anything
        return made
    if name.startswith(_SHELL):
        arguments = dict.fromkeys(_FREE, anything)
        arguments["programs"] = {"each": {"one_of": list(_most(use.programs))}}
        if not use.programs:
            arguments["programs"] = anything
        arguments["to"] = {"optional": _hosts(use)} if use.hosts else {"optional": {"length": {"max": 0}}}
        return arguments
    if name == "web.fetch":
        return {"to": _hosts(use)}
    return None


def _hosts(use: ToolUse) -> Json:
    seen = _most(use.hosts)
    hosts = [one for one in seen if _is_host(one)]
    named: Json = {"one_of": list(seen)}
    return {"each": {"any": [{"url_host": list(hosts)}, named]} if hosts else named}


def _is_host(value: str) -> bool:
    try:
        load({"url_host": [value]}, "host")
    except ConfigInvalid:
        return False
    return True


def _under(root: str) -> Json:
    normal = root[:1] in (".", "/") and not path_fault(root)
    return {"path_under": root} if normal else {"prefix": root}


def _most(counted: dict[str, int]) -> list[str]:
    ranked = sorted(counted, key=lambda one: (-counted[one], one))
    return sorted(ranked[:MAX_VALUES])


def _json(value: Json) -> str:
    return escaped(json.dumps(value, ensure_ascii=False), yaml=True)
