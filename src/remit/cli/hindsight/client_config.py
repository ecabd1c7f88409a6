# SPDX-License-Identifier: Apache-2.0
"""What the clients' configurations let their agents reach: MCP servers and permission rules.

Only files with known names in known places are opened, and a link is not followed. No server is started or
connected to. Values of variables and headers are not kept; a literal secret is counted by its fingerprint.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from remit.core.coding.calls import CLAUDE_CODE, CODEX, CURSOR, GEMINI
from remit.core.coding.claude_permissions import PermissionRules, rules_of, texts
from remit.core.coding.client_servers import is_off, loose
from remit.core.credentials.known_secrets import FoundSecret, known_secrets
from remit.core.errors import RemitError
from remit.core.jsonc import parse

MAX_BYTES: Final = 8 * 1024 * 1024
MAX_PROJECTS: Final = 2_000


class ReachableServer(msgspec.Struct, frozen=True, kw_only=True):
    """An MCP server of a client's configuration: how it is reached, without arguments and values."""

    client: str
    name: str
    place: str
    reached_by: str
    enabled: bool = True


class Configured(msgspec.Struct):
    """Everything that the configurations say."""

    servers: list[ReachableServer] = []
    rules: dict[str, PermissionRules] = {}
    policies: dict[str, str] = {}
    secrets: list[tuple[str, FoundSecret]] = []
    read: list[str] = []
    unreadable: list[str] = []


def read_home(home: Path) -> Configured:
    """Read the clients' configurations in a home."""
    found = Configured(servers=[], rules={}, policies={}, secrets=[], read=[], unreadable=[])
    _claude(home, found)
    codex = _object(home / ".codex" / "config.toml", found)
    _servers(codex.get("mcp_servers"), CODEX, "~/.codex/config.toml", found)
    for name in ("approval_policy", "sandbox_mode"):
        if isinstance(value := codex.get(name), str):
            found.policies[f"{CODEX} {name}"] = value[:80]
    cursor = _object(home / ".cursor" / "mcp.json", found)
    _servers(cursor.get("mcpServers"), CURSOR, "~/.cursor/mcp.json", found)
    gemini = _object(home / ".gemini" / "settings.json", found)
    _servers(gemini.get("mcpServers"), GEMINI, "~/.gemini/settings.json", found)
    return found


def _claude(home: Path, found: Configured) -> None:
    settings = _object(home / ".claude" / "settings.json", found)
    local = _object(home / ".claude" / "settings.local.json", found)
    found.rules[""] = rules_of(settings).joined(rules_of(local))
    state = _object(home / ".claude.json", found)
    _servers(state.get("mcpServers"), CLAUDE_CODE, "~/.claude.json", found)
    projects = state.get("projects")
    for folder, known in list(projects.items())[:MAX_PROJECTS] if isinstance(projects, dict) else ():
        if not isinstance(known, dict) or not PurePath(folder).is_absolute():
            continue
        _servers(known.get("mcpServers"), CLAUDE_CODE, f"~/.claude.json: {folder}", found)
        allowed = PermissionRules(allow=texts(known.get("allowedTools")))
        off = texts(known.get("disabledMcpjsonServers"))
        for name in ("settings.json", "settings.local.json"):
            allowed = allowed.joined(rules_of(_object(Path(folder, ".claude", name), found)))
        shared = _object(Path(folder, ".mcp.json"), found)
        _servers(shared.get("mcpServers"), CLAUDE_CODE, f"{folder}/.mcp.json", found, off)
        found.rules[folder] = allowed


def _servers(written: object, client: str, place: str, found: Configured, off: tuple[str, ...] = ()) -> None:
    for name, entry in written.items() if isinstance(written, dict) else ():
        if not isinstance(entry, dict):
            continue
        enabled = not is_off(entry) and name not in off
        found.servers.append(
            ReachableServer(
                client=client, name=str(name)[:80], place=place, reached_by=_reached(entry), enabled=enabled
            )
        )
        for value in _strings(entry):
            found.secrets += [(f"{place}: {name}", one) for one in known_secrets(value)]


def _reached(entry: Mapping[str, Any]) -> str:
    """Return a server's host, or its program; never its arguments, which may hold secrets."""
    entry = loose(entry)
    url, command = entry.get("url"), entry.get("command")
    if isinstance(url, str) and url:
        try:
            return urlsplit(url).hostname or "an unreadable address"
        except ValueError:
            return "an unreadable address"
    return f"program {PurePath(command).name[:60]}" if isinstance(command, str) and command else "nothing"


def _strings(value: object, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < 8 and isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _strings(one, depth + 1)


def _decoded(text: str, path: Path) -> Any:
    """Decode TOML, or JSON; only JSON with comments needs the slower reader."""
    if path.suffix == ".toml":
        return tomllib.loads(text)
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return parse(text, path.name).value


def _object(path: Path, found: Configured) -> dict[str, Any]:
    """Return the object in a file of JSON or TOML; empty where there is none, or it cannot be read."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        found.unreadable.append(str(path))
        return {}
    with open(opened, "rb") as file:  # opened without following links
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            found.unreadable.append(str(path))
            return {}
        content = file.read(MAX_BYTES + 1)
    try:
        if len(content) > MAX_BYTES:
            raise ValueError
        made = _decoded(content.decode("utf-8-sig"), path)
    except (ValueError, RecursionError, RemitError):
        found.unreadable.append(str(path))
        return {}
    found.read.append(str(path))
    return made if isinstance(made, dict) else {}
