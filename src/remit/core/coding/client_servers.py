# SPDX-License-Identifier: Apache-2.0
"""How clients write the MCP servers of their configuration, as one form.

mcpServers                       most clients (JSON, comments allowed)
projects -> FOLDER -> mcpServers `~/.claude.json`, for one project
servers; mcp -> servers          VS Code's mcp.json; its settings
context_servers                  Zed's settings
[mcp_servers.NAME]               Codex's config.toml

    {"command": "npx", "args": [...], "env": {...}}              most clients
    {"command": {"path": "npx", "args": [...]}}                  Zed, before 2025-10
    {"command": ["npx", ...], "environment": {...}}              opencode
    {"cmd": "npx", "args": [...], "envs": {...}, "uri": ...}     Goose
    {"url": ..., "bearer_token_env_var": ..., "http_headers": {...}, "env_vars": [...]}    Codex
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from remit.core.json_value import Json

#: Where servers are, in the files that `remit wrap` changes.
PLACES: Final = (("mcpServers",), ("servers",), ("mcp", "servers"), ("context_servers",))
TOML_PLACE: Final = ("mcp_servers",)
#: Settings of a client for a server that do not change how it is reached; kept unchanged.
KEPT: Final = frozenset(
    {
        "alwaysAllow", "always_allow", "autoApprove", "description", "disabled", "disabledTools",
        "disabled_tools", "enabled", "enabledTools", "enabled_tools", "excludeTools", "gallery",
        "includeTools", "initTimeout", "required", "source", "startup_timeout_ms", "startup_timeout_sec",
        "timeout", "tool_timeout_sec", "trust", "version",
    }
)  # fmt: skip
#: Names of a server's address: in most clients, Windsurf, Gemini.
URL_NAMES: Final = ("url", "serverUrl", "httpUrl")
#: Settings that list the tools which a client calls without asking.
ALLOWED_NAMES: Final = ("autoApprove", "alwaysAllow", "always_allow", "autoApproved")
_SECRET_OPTION: Final = re.compile(
    r"--?[\w-]*(?:token|secret|passw|pwd|api[-_]?key|auth|credential|private[-_]?key|access[-_]?key)[\w-]*",
    re.IGNORECASE,
)
_HEADER: Final = re.compile(
    r"[\w-]*(?:authorization|token|secret|api[-_]?key|cookie|auth)[\w-]*:\s*(?:(?:Bearer|Basic|token)\s+)?(?=\S)",
    re.IGNORECASE,
)
_QUERY: Final = re.compile(
    r"[a-z][a-z0-9+.-]*://\S*[?&][\w-]*(?:key|token|secret|passw|sig|credential)[\w-]*=", re.IGNORECASE
)
_STEM: Final = re.compile(r"([^/\\]*?)(?:\.[A-Za-z0-9]+)?$")


def program_name(command: str) -> str:
    """Return a program's name without its folder and its ending (`npx` for `C:\\node\\npx.cmd`)."""
    found = _STEM.search(command[-400:])
    return found[1].lower() if found else ""


def is_ours(entry: Mapping[str, Json]) -> bool:
    """Return whether an entry already starts `remit connect`."""
    entry = common(entry)
    command, args = entry.get("command"), entry.get("args")
    if not isinstance(command, str) or not isinstance(args, list):
        return False
    runs_remit = program_name(command) == "remit" or "-m remit" in " ".join(map(str, args[:3]))
    return runs_remit and "connect" in args[:4] and "--upstream" in args


def is_off(entry: Mapping[str, Json]) -> bool:
    """Return whether the client has switched a server off."""
    return entry.get("disabled") is True or entry.get("enabled") is False


def common(entry: Mapping[str, Json]) -> dict[str, Json]:
    """Return an entry as most clients write it; what is unknown stays as it is."""
    out = dict(entry)
    if isinstance(program := out.get("command"), dict):
        out |= {key: program[key] for key in ("args", "env") if key in program}
        out["command"] = program.get("path", "")
    headers: dict[str, Json] = dict(out.get("headers") or {}) if isinstance(out.get("headers"), dict) else {}
    if isinstance(given := out.pop("http_headers", None), dict):
        headers |= given
    if isinstance(named := out.pop("env_http_headers", None), dict):
        headers |= {key: f"${{{name}}}" for key, name in named.items()}
    if isinstance(token := out.pop("bearer_token_env_var", None), str):
        headers["Authorization"] = f"Bearer ${{{token}}}"
    if headers:
        out["headers"] = headers
    if isinstance(names := out.pop("env_vars", None), list):
        passed = {name: f"${{{name}}}" for name in names if isinstance(name, str)}
        given = out.get("env")
        out["env"] = passed | (given if isinstance(given, dict) else {})
    return out


def loose(entry: Mapping[str, Json]) -> dict[str, Json]:
    """Return an entry of any client as most clients write it, for reading alone.

    It also reads the forms of opencode, Goose, Continue and LM Studio, which `remit wrap` does not rewrite.
    """
    out = common(entry)
    if isinstance(words := out.get("command"), list):
        texts = [one for one in words if isinstance(one, str)]
        rest = out.get("args")
        out |= {
            "command": texts[0] if texts else "",
            "args": texts[1:] + (rest if isinstance(rest, list) else []),
        }
    if isinstance(program := out.get("cmd"), str) and not out.get("command"):
        out["command"] = program
    for given in ("environment", "envs"):
        if isinstance(out.get(given), dict) and not isinstance(out.get("env"), dict):
            out["env"] = out[given]
    if isinstance(transport := out.get("transport"), dict):
        out |= {
            key: transport[key]
            for key in ("command", "args", "env", "url")
            if key in transport and key not in out
        }
    if isinstance(options := out.get("requestOptions"), dict) and isinstance(options.get("headers"), dict):
        out.setdefault("headers", options["headers"])
    url = next(
        (out[name] for name in (*URL_NAMES, "uri", "endpoint") if isinstance(out.get(name), str)), None
    )
    if url is not None:
        out["url"] = url
    return out


def looks_secret_to(word: str, before: str, looks_secret: Callable[[str], bool]) -> int | None:
    """Return where a secret begins in a word of a command that follows the word `before`; None without one.

    `--token=X` keeps its name, and so does `Authorization: Bearer X`; an address with a password or a key is
    secret as a whole.
    """
    option, equals, _ = word.partition("=")
    if equals and _SECRET_OPTION.fullmatch(option):
        return len(option) + 1
    if header := _HEADER.match(word):
        return header.end()
    if word and not word.startswith("-") and _SECRET_OPTION.fullmatch(before):
        return 0
    return 0 if looks_secret(word) or _QUERY.match(word) else None
