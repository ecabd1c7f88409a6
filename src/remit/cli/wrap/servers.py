# SPDX-License-Identifier: Apache-2.0
"""A server of a client's configuration as an upstream of remit. Reads and writes no files."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path, PureWindowsPath
from typing import Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from remit.cli.wrap.placeholders import Values, parts_of
from remit.config.reading.secret_reference import looks_secret, read_secret
from remit.core.coding.client_servers import KEPT, URL_NAMES, common, looks_secret_to
from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.core.tasks.plan import PLAN_TOOL

_READ: Final = frozenset({"args", "command", "cwd", "env", "headers", "type", *URL_NAMES})
_HTTP: Final = ("http", "streamable-http", "streamableHttp", "streamable_http")
_BRIDGE: Final = [sys.executable, "-P", "-m", "remit.relay.sse_bridge"]
_LEAD: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,31}) (\S+)")
#: Values of variables that are not secret: switches, numbers, levels, absolute paths.
_HARMLESS: Final = re.compile(
    r"true|false|yes|no|on|off|[0-9]{1,6}|debug|info|warn|warning|error|production|development|test|"
    r"utf-?8|(?:/[A-Za-z0-9._ -]+)+/?|[A-Za-z]:(?:[\\/][A-Za-z0-9._ -]+)+[\\/]?",
    re.IGNORECASE,
)
_SECRET_QUERY: Final = re.compile(r"key|token|secret|passw|auth|sig|code|credential", re.IGNORECASE)


class WrappedServer(NamedTuple):
    """A server under its new name: its section of `remit.yaml`, and secrets by the names of their files.

    `fixed` are the variables whose values of this moment were put into a longer text.
    """

    name: str
    upstream: str
    section: dict[str, Json]
    secrets: dict[str, str]
    fixed: tuple[str, ...] = ()


def rewritten(
    entry: Mapping[str, Json], command: list[str], env: Mapping[str, str] | None = None
) -> dict[str, Json]:
    """Return an entry that starts `command` instead, with the client's other settings."""
    out: dict[str, Json] = {"type": "stdio"} if "type" in entry else {}
    program: dict[str, Json] = {"command": command[0], "args": command[1:]}
    if env:
        program["env"] = dict(env)
    if isinstance(entry.get("command"), dict):
        program["path"] = program.pop("command")
        program = {"command": program}
    return out | program | {name: value for name, value in entry.items() if name in KEPT}


def upstream_name(name: str, taken: Iterable[str]) -> str:
    """Return a name that `remit.yaml` accepts and no other upstream has."""
    base = re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")[:56] or "server"
    used, number = {PLAN_TOOL.upstream, *taken}, 2
    wanted = base
    while wanted in used:
        wanted, number = f"{base}-{number}", number + 1
    return wanted


def wrapped(
    name: str, entry: Mapping[str, Json], upstream: str, home: Path, values: Values, secrets: str
) -> tuple[WrappedServer, list[ConfigInvalid]]:
    """Return a server as an upstream, and everything that cannot be carried over.

    `home` is the base folder of its relative paths, `secrets` the folder of secrets as `remit.yaml` names it.
    """
    reading = _Reading(name, upstream, home, values, secrets)
    section = reading.section(common(entry))
    server = WrappedServer(name, upstream, section, reading.found, tuple(dict.fromkeys(reading.fixed)))
    return server, reading.problems


class _Reading:
    """One server on its way to become an upstream."""

    def __init__(self, name: str, upstream: str, home: Path, values: Values, secrets: str) -> None:
        self._name, self._upstream, self._home = name, upstream, home
        self._values, self._secrets = values, secrets
        self.found: dict[str, str] = {}
        self.fixed: list[str] = []
        self.problems: list[ConfigInvalid] = []

    def section(self, entry: Mapping[str, Json]) -> dict[str, Json]:
        for key in sorted(set(entry) - _READ - KEPT):
            self._refuse(f"has `{key[:60]}`, which remit does not support")
        if sum(bool(entry.get(key)) for key in ("command", *URL_NAMES)) != 1:
            self._refuse("must have either a command or a URL")
            return {}
        runs = bool(entry.get("command"))
        section = self._program(entry) if runs else self._address(entry)
        kind = "env" if runs else "headers"
        given = entry.get(kind) or {}
        if not isinstance(given, dict):
            self._refuse(f"needs a mapping as its `{kind}`")
            given = {}
        values = {key: self._value(key, value, header=not runs) for key, value in given.items()}
        if not runs and "command" in section:
            # An SSE server, behind a program: it gets the headers by its environment.
            kind, values = "env", {f"HEADER_{key}": value for key, value in values.items()}
        if values:
            section[kind] = section.get(kind, {}) | values
        if runs:
            section["environment"] = "inherit"
        section["mode"] = "observe"
        return section

    def _program(self, entry: Mapping[str, Json]) -> dict[str, Json]:
        if entry.get("type", "stdio") != "stdio" or entry.get("headers"):
            self._refuse("has a type that does not fit its command")
        words = [entry["command"], *(entry.get("args") or [])] if _is_list(entry.get("args")) else []
        if not words or not all(isinstance(one, str) for one in words):
            self._refuse("needs a list of plain words as its command")
            return {}
        arguments: dict[str, str] = {}
        before, command = "", []
        for word in words:
            command.append(self._word(word, before, arguments))
            before = word
        cwd = self._filled(str(entry.get("cwd") or ""), "cwd") or str(self._home)
        absolute = Path(cwd).expanduser().is_absolute() or PureWindowsPath(cwd).is_absolute()
        section: dict[str, Json] = {
            "command": command,
            "cwd": str(Path(cwd).expanduser()) if absolute else str(self._home / cwd),
        }
        return section | ({"arguments": arguments} if arguments else {})

    def _word(self, word: str, before: str, arguments: dict[str, str]) -> str:
        """Return a word of the command; secrets and variables become references among `arguments`."""
        out = ""
        for text, part in parts_of(word):
            out += text
            if part is None:
                continue
            known = self._values.known(part.name)
            if known is not None:
                out += known
            elif self._values.is_set(part.name):
                out += f"${{{part.name}}}"
                arguments[part.name] = f"env:{part.name}"
            elif part.default is not None:
                out += part.default
            else:
                self._unset(part.name)
        start = looks_secret_to(out, before, looks_secret)
        if start is None or arguments.keys() & {part.name for _, part in parts_of(out) if part}:
            return out
        name = f"SECRET_{len(self.found) + 1}"
        arguments[name] = self._kept(name, out[start:])
        return f"{out[:start]}${{{name}}}"

    def _address(self, entry: Mapping[str, Json]) -> dict[str, Json]:
        kind = entry.get("type", "http")
        url = next(entry[key] for key in URL_NAMES if entry.get(key))
        if not isinstance(url, str):
            self._refuse("needs a plain text as its URL")
            return {}
        named = [part for _, part in parts_of(url) if part and _SECRET_QUERY.search(part.name)]
        hidden = {value for one in named if (value := self._values.of(one))}
        url = self._filled(url, "url")
        try:
            parts = urlsplit(url)
        except ValueError:
            self._refuse("has a URL that cannot be read")
            return {}
        older = kind == "sse" or ("type" not in entry and parts.path.rstrip("/").endswith("/sse"))
        if not older and kind not in _HTTP:
            self._refuse(f"uses `{str(kind)[:40]}`; remit speaks streamable HTTP and SSE")
        arguments: dict[str, str] = {}
        shown = self._without_secrets(parts, hidden, arguments)
        login, _, host = parts.netloc.rpartition("@")
        if any(one in host for one in hidden):
            self._refuse("has a secret in the host of its URL")
        section: dict[str, Json] = {"url": shown}
        if older and (arguments or login):
            # Other users of the machine can read the arguments of a program, but not its variables.
            section = {"command": _BRIDGE, "env": {"SSE_URL": self._kept("SSE_URL", url)}}
        elif older:
            section = {"command": [*_BRIDGE, url]}
        else:
            section |= {"arguments": arguments} if arguments else {}
            if login and _names(entry.get("headers"), "authorization"):
                self._refuse("has a login in its URL and an `Authorization` header", "keep one of them, or ")
            elif login:
                section["headers"] = {"Authorization": f"Basic {self._kept('LOGIN', _basic(login))}"}
        return section

    def _without_secrets(self, parts: SplitResult, hidden: set[str], arguments: dict[str, str]) -> str:
        """Return an address without its login; secrets in path and query become references.

        `hidden` are values of placeholders that name a secret.
        """

        def is_secret(text: str) -> bool:
            return looks_secret(unquote(text)) or any(one in text for one in hidden)

        def moved(secret: str) -> str:
            name = f"SECRET_{len(self.found) + 1}"
            arguments[name] = self._kept(name, secret)
            return f"${{{name}}}"

        path = "/".join(moved(one) if is_secret(one) else one for one in parts.path.split("/"))
        query = []
        for pair in parts.query.split("&") if parts.query else ():
            key, equals, value = pair.partition("=")
            secret = value and (_SECRET_QUERY.search(unquote(key)) or is_secret(value))
            query.append(f"{key}{equals}{moved(value) if secret else value}")
        return parts._replace(
            netloc=parts.netloc.rpartition("@")[2], path=path, query="&".join(query)
        ).geturl()

    def _value(self, key: str, value: Json, *, header: bool) -> str:
        """Return the `remit.yaml` value of a variable or header; keep a possible secret as a file."""
        if not isinstance(value, str | int | float | bool):
            self._refuse(f"needs a text as `{key[:60]}`")
            return ""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        reference = self._values.whole(text)
        if reference is not None:
            lead, part = reference
            if self._values.is_set(part.name):
                return f"{lead} env:{part.name}" if lead else f"env:{part.name}"
            if part.default is None and self._values.known(part.name) is None:
                self._unset(part.name)
                return ""
        text = self._filled(text, key)
        if any(ch in text for ch in "\r\n\0") or (header and not text):
            self._refuse(f"has an empty or multi-line value of `{key[:60]}`")
            return ""
        if _is_harmless(key, text):
            return text
        if not text:
            self._refuse(f"has an empty value of `{key[:60]}`, which looks like the name of a secret")
            return ""
        lead_in = _LEAD.fullmatch(text) if header else None
        kept = self._kept(key, lead_in[2] if lead_in else text)
        return f"{lead_in[1]} {kept}" if lead_in else kept

    def _filled(self, text: str, key: str) -> str:
        """Return a text with the values of its placeholders at this moment."""
        out = ""
        for before, part in parts_of(text):
            out += before
            if part is None:
                continue
            value = self._values.of(part)
            if value is None:
                self._unset(part.name)
                continue
            out += value
            if self._values.is_set(part.name):
                self.fixed.append(f"{key}: {part.name}")
        return out

    def _kept(self, key: str, value: str) -> str:
        file = f"{self._upstream}.{re.sub(r'[^A-Za-z0-9_.-]', '_', key)}"
        self.found[file] = value
        return f"file:{self._secrets}/{file}"

    def _unset(self, name: str) -> None:
        first = f"set {name}, or " if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else ""
        self._refuse(f"needs `{name[:60]}`, which has no value here", first)

    def _refuse(self, why: str, first: str = "") -> None:
        name = self._name[:80]
        fault = ConfigInvalid(
            f"server `{name}` {why}", remediation=f"{first}leave it out with `--skip {name}`"
        )
        if all(fault.message != one.message for one in self.problems):
            self.problems.append(fault)


def _names(headers: Json, name: str) -> bool:
    return isinstance(headers, dict) and any(one.lower() == name for one in headers)


def _basic(login: str) -> str:
    """Return the name and password of an address as clients send them: RFC 7617."""
    name, _, password = login.partition(":")
    return base64.b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode()


def _is_list(given: Json) -> bool:
    return given is None or isinstance(given, list)


def _is_harmless(key: str, value: str) -> bool:
    try:
        plain = read_secret(value, name=key, folder=Path())
    except ConfigInvalid:
        return False
    return not plain.secret and (not value or _HARMLESS.fullmatch(value) is not None)
