# SPDX-License-Identifier: Apache-2.0
"""A client's configuration file: where its servers are, and changes to their entries alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import tomlkit
from tomlkit.exceptions import TOMLKitError

from remit.core.coding.client_servers import PLACES, TOML_PLACE
from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.core.jsonc import Span, parse, replaced, written_at

_BOM: Final = "\ufeff"
_KINDS: Final = (
    "`mcpServers` (most clients), `servers` (VS Code), `context_servers` (Zed) or `mcp_servers` (Codex)"
)


class Change(NamedTuple):
    """A rewritten entry: its text before and after."""

    before: str
    after: str


class ClientFile(Protocol):
    """A file that was read."""

    @property
    def place(self) -> tuple[str, ...]:
        """The path of the servers."""
        ...

    @property
    def entries(self) -> Mapping[str, dict[str, Json]]:
        """The servers by name."""
        ...

    def changed(self, fresh: Mapping[str, Json]) -> tuple[str, dict[str, Change]]:
        """Return the text with other entries, and each change; every other byte stays."""
        ...

    def restored(self, changes: Mapping[str, Change]) -> tuple[str, list[str], list[str]]:
        """Return the text with earlier entries, the names of these, and those that were edited since."""
        ...


def read(content: bytes, file: Path, project: str = "", place: tuple[str, ...] = ()) -> ClientFile:
    """Read a client's file; raises `ConfigInvalid`.

    `project` chooses a project's servers in a file that has several; `place` is where they were before.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigInvalid("is not UTF-8", file=str(file), remediation="save it as UTF-8") from None
    if file.suffix == ".toml":
        return _Toml(text, file.name)
    root = parse(text, file.name)
    at = place or _place(root, file, project)
    found = root.at(at)
    if found is None:
        found = Span({}, 0, 0)
    if not isinstance(found.value, dict) or not all(isinstance(one, dict) for one in found.value.values()):
        raise ConfigInvalid(
            "is not a mapping of servers",
            file=file.name,
            key=".".join(at),
            remediation="correct it; nothing was changed",
        )
    return _Json(text, file.name, at, found)


def _place(root: Span, file: Path, project: str) -> tuple[str, ...]:
    projects = root.at(("projects",))
    if project:
        folder = str(Path(project).expanduser().absolute())
        for name in dict.fromkeys((folder, str(Path(folder).resolve()), project)):
            if root.at(("projects", name, "mcpServers")) is not None:
                return "projects", name, "mcpServers"
        raise ConfigInvalid(
            f"has no servers of project `{folder}`", file=file.name, remediation=_projects(projects)
        )
    for place in PLACES:
        found = root.at(place)
        if found is not None and (found.value or projects is None):
            return place
    if projects is not None and (known := _projects(projects)):
        raise ConfigInvalid("has no servers for all projects", file=file.name, remediation=known)
    raise ConfigInvalid(
        "has no MCP servers", file=file.name, remediation=f"give a file with {_KINDS}; nothing was changed"
    )


def _projects(projects: Span | None) -> str:
    members = projects.members if projects is not None else {}
    known = [
        name for name, one in members.items() if (found := one.members.get("mcpServers")) and found.value
    ]
    return "choose one with `--project`: " + ", ".join(known[:5]) if known else ""


class _Json:
    def __init__(self, text: str, file: str, place: tuple[str, ...], servers: Span) -> None:
        self._text, self._file, self._servers = text, file, servers
        self.place = place
        self.entries: Mapping[str, dict[str, Json]] = servers.value

    def changed(self, fresh: Mapping[str, Json]) -> tuple[str, dict[str, Change]]:
        spans, changes = [], {}
        for name, value in fresh.items():
            span = self._servers.members[name]
            after = written_at(self._text, span, value)
            spans.append((span, after))
            changes[name] = Change(self._text[span.start : span.end], after)
        return replaced(self._text, spans), changes

    def restored(self, changes: Mapping[str, Change]) -> tuple[str, list[str], list[str]]:
        spans, back, left = [], [], []
        for name, change in changes.items():
            span = self._servers.members.get(name)
            if span is not None and span.value == parse(change.after, self._file).value:
                spans.append((span, change.before))
                back.append(name)
            else:
                left.append(name)
        return replaced(self._text, spans), back, left


class _Toml:
    """Codex's file. tomlkit keeps comments, order and blanks; line ends stay as they are."""

    def __init__(self, text: str, file: str) -> None:
        self._bom = _BOM if text.startswith(_BOM) else ""
        self._text, self._file = text.removeprefix(_BOM), file
        self.place = TOML_PLACE
        try:
            found = tomlkit.parse(self._text).unwrap().get(TOML_PLACE[0])
        except TOMLKitError as fault:
            raise ConfigInvalid(
                f"is not TOML ({fault})", file=file, remediation="correct it; nothing was changed"
            ) from None
        if found is None:
            raise ConfigInvalid(
                "has no MCP servers", file=file, remediation=f"give a file with {_KINDS}; nothing was changed"
            )
        if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
            raise ConfigInvalid(
                "is not a mapping of servers",
                file=file,
                key=TOML_PLACE[0],
                remediation="correct it; nothing was changed",
            )
        self.entries: Mapping[str, dict[str, Json]] = found

    def changed(self, fresh: Mapping[str, Json]) -> tuple[str, dict[str, Change]]:
        changes = {name: Change(json.dumps(self.entries[name]), json.dumps(fresh[name])) for name in fresh}
        return self._with(fresh), changes

    def restored(self, changes: Mapping[str, Change]) -> tuple[str, list[str], list[str]]:
        back = [name for name, one in changes.items() if self.entries.get(name) == json.loads(one.after)]
        text = self._with({name: json.loads(changes[name].before) for name in back})
        return text, back, [name for name in changes if name not in back]

    def _with(self, fresh: Mapping[str, Json]) -> str:
        document = tomlkit.parse(self._text)
        servers: Any = document[TOML_PLACE[0]]
        ending = "\r\n" if "\r\n" in self._text else "\n"
        for name, value in fresh.items():
            entry = servers[name]
            for key in [key for key in entry if key not in value]:
                del entry[key]
            for key, one in value.items():
                if key not in entry:
                    item = tomlkit.item(one)
                    if isinstance(one, dict):  # on one line, so that the entry stays in one place
                        item = tomlkit.inline_table()
                        item.update(one)
                    item.trivia.trail = ending
                    entry[key] = item
                elif entry[key] != one:
                    entry[key] = one  # keeps the comment of its line
        return self._bom + tomlkit.dumps(document)
