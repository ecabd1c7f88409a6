# SPDX-License-Identifier: Apache-2.0
"""A coding assistant's call of a built-in tool, as a call of one of remit's described tools.

The client's name of a tool says what kind of tool it is; the arguments decide which description applies:
`shell.look` for a command that only reads, `shell.send` for one that sends. `templates/coding/tools.yaml`
describes these tools. A tool that is not listed here stays undescribed, which is the worst case.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from typing import Final

import msgspec

from remit.core.coding.paths import CodingPathKind, absolute, kind_of, relative
from remit.core.coding.programs import Deed
from remit.core.coding.shell import ShellCommand, parse
from remit.core.json_value import Json
from remit.core.tools.tool import is_tool_name

CLAUDE_CODE: Final = "claude-code"
CODEX: Final = "codex"
GEMINI: Final = "gemini-cli"
CURSOR: Final = "cursor"
COPILOT: Final = "copilot"
CLIENTS: Final = (CLAUDE_CODE, CODEX, COPILOT, CURSOR, GEMINI)

OTHER: Final = "other"
"""The tool of calls that no description covers."""

#: What each client's own tools are: shell, read, list, write, patch, fetch, search, agent, note.
_KINDS: Final[dict[str, dict[str, str]]] = {
    CLAUDE_CODE: {
        "Bash": "shell", "Monitor": "shell", "Read": "read", "NotebookRead": "read", "LS": "list",
        "Glob": "list",
        "Grep": "list", "Write": "write", "Edit": "write", "MultiEdit": "write", "NotebookEdit": "write",
        "WebFetch": "fetch", "WebSearch": "search", "Task": "agent", "Agent": "agent",
        "BashOutput": "later",
        "TaskOutput": "later", "AgentOutputTool": "later", "KillShell": "note", "TaskStop": "note",
        "TodoWrite": "note", "TodoRead": "note", "TaskCreate": "note", "TaskUpdate": "note",
        "TaskList": "note",
        "TaskGet": "note", "ExitPlanMode": "note", "EnterPlanMode": "note", "AskUserQuestion": "note",
        "Skill": "note", "SlashCommand": "note", "ToolSearch": "note", "StructuredOutput": "note",
    },
    CODEX: {
        "Bash": "shell", "shell": "shell", "shell_command": "shell", "exec_command": "shell",
        "container.exec": "shell",
        "local_shell": "shell", "apply_patch": "patch", "read_file": "read", "view_image": "read",
        "list_dir": "list", "grep_files": "list", "web_search": "search", "update_plan": "note",
        "multi_agent_v1wait_agent": "later", "multi_agent_v1close_agent": "note",
        "multi_agent_v1send_input": "agent", "request_user_input": "note",
        "spawn_agent": "agent", "send_input": "agent", "wait": "later",
        "wait_agent": "later", "close_agent": "note", "get_goal": "note", "create_goal": "note",
        "update_goal": "note",
    },
    COPILOT: {
        "bash": "shell", "read_bash": "later", "stop_bash": "note", "list_bash": "note", "view": "read",
        "create": "write", "edit": "write", "str_replace_editor": "write", "apply_patch": "patch",
        "grep": "list", "rg": "list", "glob": "list", "web_fetch": "fetch", "web_search": "search",
        "task": "agent", "write_agent": "agent", "read_agent": "later", "list_agents": "note",
        "skill": "note", "ask_user": "note", "update_todo": "note", "report_intent": "note",
        "exit_plan_mode": "note",
    },
    GEMINI: {
        "run_shell_command": "shell", "read_file": "read", "read_many_files": "read",
        "list_directory": "list",
        "glob": "list", "search_file_content": "list", "grep_search": "list", "write_file": "write",
        "replace": "write", "web_fetch": "fetch", "google_web_search": "search", "write_todos": "note",
        "save_memory": "note", "codebase_investigator": "agent", "delegate_to_agent": "agent",
        "ask_user": "note", "activate_skill": "note", "invoke_agent": "agent", "update_topic": "note",
        "list_background_processes": "later", "read_background_output": "later", "enter_plan_mode": "note",
        "exit_plan_mode": "note",
    },
    CURSOR: {
        "Shell": "shell", "run_terminal_cmd": "shell", "Read": "read", "read_file": "read",
        "list_dir": "list",
        "Grep": "list", "grep_search": "list", "file_search": "list", "codebase_search": "list",
        "Write": "write", "edit_file": "write", "search_replace": "write", "delete_file": "write",
        "Glob": "list", "LS": "list", "SemanticSearch": "list", "StrReplace": "write", "Delete": "write",
        "WebSearch": "search", "TodoWrite": "note",
        "web_search": "search", "WebFetch": "fetch", "Task": "agent", "todo_write": "note",
    },
}  # fmt: skip
_PATHS: Final = (
    "file_path", "notebook_path", "absolute_path", "target_file", "path", "dir_path", "directory",
    "target_directory", "paths", "include",
)  # fmt: skip
_TEXTS: Final = ("content", "file_text", "new_string", "new_str", "new_source", "code_edit", "edits")
_PATCHED: Final = re.compile(r"^\*\*\* (?:Add File|Update File|Delete File|Move to): (.+)$", re.MULTILINE)
_URL: Final = re.compile(r"https?://[^\s'\"<>)\]]+")
_SHELL: Final = {
    Deed.FETCH: "shell.fetch",
    Deed.INSTALL: "shell.install",
    Deed.SEND: "shell.send",
    Deed.ANY: "shell.any",
}
_READS: Final = {
    CodingPathKind.WORKSPACE: "file.read",
    CodingPathKind.SYSTEM: "file.read",
    CodingPathKind.FOREIGN: "file.read-foreign",
    CodingPathKind.OUTSIDE: "file.read-outside",
    CodingPathKind.SECRET: "file.read-secret",
    CodingPathKind.GUARDED: "file.read-secret",
}
_WRITES: Final = {
    CodingPathKind.WORKSPACE: "file.write",
    CodingPathKind.FOREIGN: "file.write",
    CodingPathKind.SECRET: "file.write",
    CodingPathKind.SYSTEM: "file.write-outside",
    CodingPathKind.OUTSIDE: "file.write-outside",
    CodingPathKind.GUARDED: "file.write-guarded",
}
#: The worst kind first.
_RANK: Final = tuple(reversed(CodingPathKind))


class CodingCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call in remit's terms: `tool` is described, `arguments` are what its description knows.

    `described` is false for a tool that is unknown, or was called with arguments of an unknown form. `text`
    is what the call writes to a file.
    """

    tool: str
    arguments: dict[str, Json]
    described: bool = True
    command: ShellCommand | None = None
    paths: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    text: str = ""


def coding_call(client: str, name: str, given: Json, *, cwd: str, workspace: str) -> CodingCall:
    """Return a client's call of a built-in tool in remit's terms.

    `cwd` is the folder that relative paths start from, `workspace` the folder that the person opened.
    """
    kind = _KINDS.get(client, {}).get(name, "")
    made = None
    if isinstance(given, str):
        given = {"input": given}
    if isinstance(given, dict):
        if kind == "shell":
            made = _shell(given, cwd, workspace)
        elif kind == "patch":
            made = _patch(_text(given, "input", "patch", "command"), cwd, workspace)
        elif kind in ("read", "list", "write"):
            made = _file(kind, given, cwd, workspace)
        elif kind == "fetch":
            made = _fetch(given)
        elif kind == "search":
            made = CodingCall(tool="web.search", arguments={"query": _text(given, "query", "input")})
        elif kind == "agent":
            brief = _text(given, "prompt", "objective", "message")
            made = CodingCall(tool="agent", arguments={"brief": brief})
        elif kind in ("note", "later"):
            made = CodingCall(tool=kind, arguments={})
    return made or CodingCall(
        tool=f"{OTHER}.{name}" if is_tool_name(f"{OTHER}.{name}") else OTHER,
        arguments=given if isinstance(given, dict) else {},
        described=False,
    )


def _text(given: dict[str, Json], *names: str) -> str:
    return next((value for name in names if isinstance(value := given.get(name), str)), "")


def _shell(given: dict[str, Json], cwd: str, workspace: str) -> CodingCall | None:
    said = given.get("command", given.get("cmd", given.get("input")))
    if isinstance(said, list) and said and all(isinstance(one, str) for one in said):
        words = [str(one) for one in said]
        if words[0] == "apply_patch" and len(words) > 1:
            return _patch(words[1], cwd, workspace)
        # Codex wraps a command as `bash -lc TEXT`; what counts is the text.
        wrapped = len(words) == 3 and words[1] in ("-c", "-lc") and words[0].endswith("sh")
        said = words[2] if wrapped else shlex.join(words)
    if not isinstance(said, str):
        return None
    where = _text(given, "workdir", "directory", "dir_path")
    if said.lstrip().startswith("apply_patch"):
        return _patch(said, cwd, workspace)
    return shell_call(parse(said, absolute(where, cwd) if where else cwd, workspace), said, workspace)


def shell_call(read: ShellCommand, said: str, workspace: str) -> CodingCall:
    """Return the call of a parsed shell command."""
    outside = read.outside(workspace)
    tool = _shell_tool(read, outside, workspace)
    arguments: dict[str, Json] = {"command": said, "programs": list(read.programs)}
    if read.to and read.deed >= Deed.FETCH:
        arguments["to"] = list(read.to)
    if read.secrets and read.deed >= Deed.FETCH:
        arguments["secret_files"] = [relative(one, workspace) for one in read.secrets]
    if read.packages:
        arguments["packages"] = list(read.packages)
    if outside:
        arguments["outside"] = list(outside)
    paths = tuple(dict.fromkeys((*read.reads, *read.writes)))
    return CodingCall(tool=tool, arguments=arguments, command=read, paths=paths, to=read.to)


def _shell_tool(read: ShellCommand, outside: tuple[str, ...], workspace: str) -> str:
    """Return the tool that describes a command: by its worst program, and the worst of its paths."""
    local = read.here is not Deed.LOOK and read.deed <= Deed.WORK
    if local and outside:
        return "shell.any"
    if any(kind_of(one, workspace, write=True) is CodingPathKind.GUARDED for one in read.writes):
        return "shell.guarded" if read.deed <= Deed.WORK else "shell.any"
    if local:
        return "shell.local" if read.here is Deed.FETCH else "shell.local-send"
    if read.deed is Deed.LOOK:
        if read.secrets:
            return "shell.secret"
        away = any(kind_of(one, workspace) is CodingPathKind.OUTSIDE for one in read.reads)
        return "shell.look-outside" if away else "shell.look"
    if read.deed is Deed.WORK:
        return "shell.work-secret" if read.secrets else "shell.outside" if outside else "shell.work"
    if outside:
        return "shell.any"
    if read.deed is Deed.INSTALL and not read.packages:
        return "shell.install-listed"
    return "shell.fetch-file" if read.deed is Deed.FETCH and read.writes else _SHELL[read.deed]


def _patch(text: str, cwd: str, workspace: str) -> CodingCall | None:
    found = [absolute(one.strip(), cwd) for one in _PATCHED.findall(text)]
    return _written(found, text, workspace) if found else None


def _file(kind: str, given: dict[str, Json], cwd: str, workspace: str) -> CodingCall | None:
    said: list[str] = []
    for name in _PATHS:
        value = given.get(name)
        said += [value] if isinstance(value, str) else []
        said += [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
    if not said and kind != "list":
        return None
    found = [absolute(one, cwd) for one in said] or [absolute(".", cwd)]
    if kind == "write":
        texts = [value for name in _TEXTS if (value := given.get(name)) is not None]
        text = texts[0] if texts and isinstance(texts[0], str) else msgspec.json.encode(texts).decode()
        return _written(found, text, workspace)
    worst = _worst(found, workspace, write=False)
    paths: list[Json] = [relative(one, workspace) for one in found]
    return CodingCall(tool=_READS[worst], arguments={"paths": paths}, paths=tuple(found))


def _written(found: list[str], text: str, workspace: str) -> CodingCall:
    worst = _worst(found, workspace, write=True)
    paths: list[Json] = [relative(one, workspace) for one in found]
    arguments: dict[str, Json] = {"paths": paths}
    if _WRITES[worst] == "file.write":
        # In the workspace the text decides nothing; its digest binds an approval to it.
        arguments["content_sha256"] = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    else:
        arguments["content"] = text
    return CodingCall(tool=_WRITES[worst], arguments=arguments, paths=tuple(found), text=text)


def _worst(paths: list[str], workspace: str, *, write: bool) -> CodingPathKind:
    kinds = {kind_of(one, workspace, write=write) for one in paths}
    return next(one for one in _RANK if one in kinds)


def _fetch(given: dict[str, Json]) -> CodingCall | None:
    url = _text(given, "url")
    found = [url] if url else _URL.findall(_text(given, "prompt", "input"))
    if not found:
        return None
    to: list[Json] = list(dict.fromkeys(found))
    return CodingCall(tool="web.fetch", arguments={"to": to}, to=tuple(dict.fromkeys(found)))
