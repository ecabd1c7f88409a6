# SPDX-License-Identifier: Apache-2.0
"""A server of a client's configuration as an upstream of remit. Reads and writes no files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from remit.cli.wrap.jsonc import Span
from remit.config.reading.secret_reference import looks_secret, read_secret
from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.core.tasks.plan import PLAN_TOOL

#: Where clients keep their servers: most clients; VS Code's mcp.json; VS Code's settings.
PLACES: Final = (("mcpServers",), ("servers",), ("mcp", "servers"))
#: Settings of a client for a server that do not change how it is reached; kept unchanged.
KEPT: Final = frozenset(
    {
        "alwaysAllow", "autoApprove", "description", "disabled", "disabledTools", "enabledTools",
        "excludeTools", "gallery", "includeTools", "initTimeout", "timeout", "trust", "version",
    }
)  # fmt: skip
#: Names of a server's address: in most clients, Windsurf, Gemini.
_URLS: Final = ("url", "serverUrl", "httpUrl")
_READ: Final = frozenset({"args", "command", "cwd", "env", "headers", "type", *_URLS})
_WHOLE_VARIABLE: Final = re.compile(
    r"(?:(Bearer|Basic|token) )?\$(?:\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)\}|([A-Z_][A-Z0-9_]*))"
)
_PLACEHOLDER: Final = re.compile(r"\$\{[^}]*\}")
_LEAD: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,31}) (\S+)")
#: Values of variables that are not secret: switches, numbers, levels, absolute paths.
_HARMLESS: Final = re.compile(
    r"true|false|yes|no|on|off|[0-9]{1,6}|debug|info|warn|warning|error|production|development|test|"
    r"utf-?8|(?:/[A-Za-z0-9._ -]+)+/?",
    re.IGNORECASE,
)
_SECRET_QUERY: Final = re.compile(r"key|token|secret|passw|auth|sig|code|credential", re.IGNORECASE)


class WrappedServer(NamedTuple):
    """A server under its new name: its section of `remit.yaml`, and secrets by the names of their files."""

    name: str
    upstream: str
    section: dict[str, Json]
    secrets: dict[str, str]


def servers_of(root: Span, file: str) -> tuple[tuple[str, ...], Span]:
    """Return the path of the servers and their value; raises `ConfigInvalid` for any other shape."""
    for place in PLACES:
        found = root.at(place)
        if found is None:
            continue
        if isinstance(found.value, dict) and all(isinstance(one, dict) for one in found.value.values()):
            return place, found
        raise ConfigInvalid(
            "is not a mapping of servers", file=file, key=".".join(place), remediation="nothing was changed"
        )
    raise ConfigInvalid(
        "has no MCP servers",
        file=file,
        remediation="give a file with `mcpServers` (most clients) or `servers` (VS Code); nothing was "
        "changed",
    )


def is_ours(entry: Mapping[str, Json]) -> bool:
    """Return whether an entry already starts `remit connect`."""
    command, args = entry.get("command"), entry.get("args")
    if not isinstance(command, str) or not isinstance(args, list):
        return False
    runs_remit = PurePath(command).stem == "remit" or args[:2] == ["-m", "remit"]
    return runs_remit and "connect" in args[:3] and "--upstream" in args


def is_off(entry: Mapping[str, Json]) -> bool:
    """Return whether the client has switched a server off."""
    return entry.get("disabled") is True


def rewritten(entry: Mapping[str, Json], command: list[str]) -> dict[str, Json]:
    """Return an entry that starts `command` instead, with the client's other settings."""
    out: dict[str, Json] = {"type": "stdio"} if "type" in entry else {}
    out |= {"command": command[0], "args": command[1:]}
    return out | {name: value for name, value in entry.items() if name in KEPT}


def upstream_name(name: str, taken: Iterable[str]) -> str:
    """Return a name that `remit.yaml` accepts and no other upstream has."""
    base = re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")[:56] or "server"
    used, number = {PLAN_TOOL.upstream, *taken}, 2
    wanted = base
    while wanted in used:
        wanted, number = f"{base}-{number}", number + 1
    return wanted


def check_variables(server: WrappedServer, environ: Mapping[str, str]) -> None:
    """Refuse a server with unset variables: remit would not start, and no server would be reachable.

    Raises `ConfigInvalid`.
    """
    for value in (*server.section.get("env", {}).values(), *server.section.get("headers", {}).values()):
        reference = read_secret(value, name="", folder=Path())
        if reference.scheme == "env" and reference.name not in environ:
            what = f"needs the variable `{reference.name}`, which is not set"
            raise _refuse(server.name, what, f"set {reference.name}, or ")


def wrapped(name: str, entry: Mapping[str, Json], upstream: str, home: Path) -> WrappedServer:
    """Return a server as an upstream; `home` is the base folder of its relative paths.

    Raises `ConfigInvalid` for a setting that cannot be carried over.
    """
    unknown = sorted(set(entry) - _READ - KEPT)
    if unknown:
        raise _refuse(name, f"has `{unknown[0]}`, which remit does not support")
    if sum(bool(entry.get(key)) for key in ("command", *_URLS)) != 1:
        raise _refuse(name, "must have either a command or a URL")
    secrets: dict[str, str] = {}
    section = _program(name, entry, home) if entry.get("command") else _address(name, entry)
    kind = "env" if entry.get("command") else "headers"
    given = entry.get(kind) or {}
    if not isinstance(given, dict):
        raise _refuse(name, f"needs a mapping as its `{kind}`")
    values: dict[str, str] = {}
    for key, value in given.items():
        if not isinstance(value, str | int | float | bool):
            raise _refuse(name, f"needs a text as `{key}`")
        text = (
            value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
        )
        values[key] = _value(name, key, text, upstream, secrets, header=kind == "headers")
    if values:
        section[kind] = values
    section["mode"] = "observe"
    return WrappedServer(name, upstream, section, secrets)


def _program(name: str, entry: Mapping[str, Json], home: Path) -> dict[str, Json]:
    if entry.get("type", "stdio") != "stdio" or entry.get("headers"):
        raise _refuse(name, "has a type that does not fit its command")
    command, args = entry["command"], entry.get("args") or []
    if (
        not isinstance(command, str)
        or not isinstance(args, list)
        or not all(isinstance(one, str) for one in args)
    ):
        raise _refuse(name, "needs a list of plain words as its command")
    for word in (command, *args, str(entry.get("cwd", ""))):
        if _PLACEHOLDER.search(word):
            raise _refuse(name, f"has the placeholder `{_PLACEHOLDER.findall(word)[0]}` in its command")
        if looks_secret(word):
            raise _refuse(name, "seems to have a secret among its arguments; pass it under `env`")
    cwd = Path(str(entry.get("cwd") or home)).expanduser()
    return {"command": [command, *args], "cwd": str(cwd if cwd.is_absolute() else home / cwd)}


def _address(name: str, entry: Mapping[str, Json]) -> dict[str, Json]:
    if entry.get("type", "http") not in ("http", "streamable-http", "streamableHttp"):
        raise _refuse(name, f"uses `{entry.get('type')}`; remit supports streamable HTTP")
    url = next(entry[key] for key in _URLS if entry.get(key))
    if not isinstance(url, str) or _PLACEHOLDER.search(url):
        raise _refuse(name, "needs a plain text as its URL")
    parts = urlsplit(url)
    if "@" in parts.netloc or any(_SECRET_QUERY.search(key) for key, _ in parse_qsl(parts.query)):
        raise _refuse(name, "has a secret in its URL; pass it under `headers`")
    if "type" not in entry and parts.path.rstrip("/").endswith("/sse"):
        raise _refuse(name, "uses `sse`, by its URL; remit supports streamable HTTP")
    return {"url": url}


def _value(name: str, key: str, value: str, upstream: str, secrets: dict[str, str], *, header: bool) -> str:
    """Return the `remit.yaml` value of a variable or header; put a possible secret into `secrets`."""
    found = _WHOLE_VARIABLE.fullmatch(value)
    if found:
        variable = f"env:{found[2] or found[3]}"
        return f"{found[1]} {variable}" if found[1] else variable
    if _PLACEHOLDER.search(value):
        raise _refuse(name, f"has a placeholder inside the value of `{key}`")
    if any(ch in value for ch in "\r\n\0") or (header and not value):
        raise _refuse(name, f"has an empty or multi-line value of `{key}`")
    if _is_harmless(key, value):
        return value
    if not value:
        raise _refuse(name, f"has an empty value of `{key}`, which looks like the name of a secret")
    lead = _LEAD.fullmatch(value) if header else None
    file = f"{upstream}.{re.sub(r'[^A-Za-z0-9_.-]', '_', key)}"
    secrets[file] = lead[2] if lead else value
    return f"{lead[1]} file:.remit/secrets/{file}" if lead else f"file:.remit/secrets/{file}"


def _is_harmless(key: str, value: str) -> bool:
    try:
        plain = read_secret(value, name=key, folder=Path())
    except ConfigInvalid:
        return False
    return not plain.secret and (not value or _HARMLESS.fullmatch(value) is not None)


def _refuse(name: str, why: str, first: str = "") -> ConfigInvalid:
    return ConfigInvalid(
        f"server `{name[:80]}` {why}",
        remediation=f"{first}leave it unchanged with `--skip {name[:80]}`; nothing was changed",
    )
