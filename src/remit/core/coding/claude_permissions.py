# SPDX-License-Identifier: Apache-2.0
"""Claude Code's own permission rules, as far as they say whether it asks its person before a call.

The rules are `Tool` or `Tool(content)`: `Bash(npm run:*)`, `Edit(src/**)`, `WebFetch(domain:example.org)`,
`mcp__server__tool`. Deny comes before ask, ask before allow. What a person answered with "always" inside a
session is in no file, so the number of questions is an estimate: at least, and at most.
"""

from __future__ import annotations

import enum
import fnmatch
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from remit.core.coding.calls import CodingCall
from remit.core.coding.paths import CodingPathKind, kind_of, relative
from remit.core.coding.programs import Deed
from remit.core.json_value import Json

_EDITS: Final = frozenset({"Edit", "Write", "MultiEdit", "NotebookEdit"})
_READS: Final = frozenset({"Read", "Glob", "Grep", "LS", "NotebookRead"})
_MODES: Final = frozenset({"default", "acceptEdits", "plan", "bypassPermissions", "dontAsk", "auto"})


class Asks(enum.StrEnum):
    """Whether a client asks its person before a call."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"


class PermissionRules(msgspec.Struct, frozen=True):
    """The rules in force: of the user, and of the project."""

    allow: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    mode: str = ""

    def joined(self, other: PermissionRules) -> PermissionRules:
        """Return both sets of rules together; the other's mode comes first."""
        return PermissionRules(
            (*self.allow, *other.allow),
            (*self.ask, *other.ask),
            (*self.deny, *other.deny),
            other.mode or self.mode,
        )

    @property
    def broad(self) -> tuple[str, ...]:
        """The rules that allow everything of a tool that can do anything."""
        return tuple(one for one in self.allow if one in ("Bash", "Bash(*)", "Bash(:*)", "*"))


def rules_of(settings: Mapping[str, Json]) -> PermissionRules:
    """Return the rules in a file of Claude Code's settings; what has another form is left out."""
    written = settings.get("permissions")
    if not isinstance(written, dict):
        return PermissionRules()
    allow, ask, deny = (texts(written.get(name)) for name in ("allow", "ask", "deny"))
    mode = written.get("defaultMode")
    return PermissionRules(allow, ask, deny, mode if isinstance(mode, str) else "")


def texts(value: Json) -> tuple[str, ...]:
    """Return the texts of a list, at most 5,000 of at most 1,000 characters."""
    return (
        tuple(one[:1000] for one in value[:5000] if isinstance(one, str)) if isinstance(value, list) else ()
    )


def asks(name: str, call: CodingCall | None, rules: PermissionRules, mode: str, workspace: str) -> Asks:
    """Return whether Claude Code asks before a call, by its mode and rules."""
    mode = mode or rules.mode
    if mode not in _MODES or mode == "auto":
        return Asks.UNKNOWN
    if mode in ("bypassPermissions", "dontAsk") or _any(rules.deny, name, call, workspace):
        return Asks.NO
    if _any(rules.ask, name, call, workspace):
        return Asks.YES
    if _any(rules.allow, name, call, workspace):
        return Asks.NO
    return Asks.YES if _guarded(name, call, mode, workspace) else Asks.NO


def _guarded(name: str, call: CodingCall | None, mode: str, workspace: str) -> bool:
    """Return whether a call needs permission that no rule gives."""
    if name.startswith("mcp__") or name in ("WebFetch", "WebSearch", "ExitPlanMode", "Skill"):
        return True
    if call is None:
        return False
    kinds = {kind_of(one, workspace) for one in call.paths}
    inside = kinds <= {CodingPathKind.WORKSPACE, CodingPathKind.FOREIGN, CodingPathKind.SECRET}
    if name in _EDITS:
        return not (mode == "acceptEdits" and inside)
    if name in _READS:
        return not inside
    if name == "Bash" and call.command is not None:
        return not (call.command.deed is Deed.LOOK and call.command.parsed and inside)
    return name == "Monitor"


def _any(rules: Sequence[str], name: str, call: CodingCall | None, workspace: str) -> bool:
    return any(_fits(rule, name, call, workspace) for rule in rules)


def _fits(rule: str, name: str, call: CodingCall | None, workspace: str) -> bool:
    tool, opened, content = rule.partition("(")
    content = content.removesuffix(")") if opened else ""
    if tool.startswith("mcp__"):
        return name == tool or name.startswith(tool + "__") or fnmatch.fnmatchcase(name, tool)
    if tool != name and not (tool == "Edit" and name in _EDITS) and not (tool == "Read" and name in _READS):
        return False
    if not content or content == "*":
        return True
    if call is None:
        return False
    if name == "Bash":
        return _command(content, call)
    if name == "WebFetch":
        wanted = content.removeprefix("domain:")
        return any(fnmatch.fnmatchcase(urlsplit(one).hostname or "", wanted) for one in call.to)
    wanted = content.removeprefix("./").lstrip("/").replace("~/", "~/")
    below = [relative(one, workspace).lstrip("/") for one in call.paths]
    return bool(below) and all(fnmatch.fnmatchcase(one, wanted) for one in below)


def _command(content: str, call: CodingCall) -> bool:
    said = call.arguments.get("command")
    if not isinstance(said, str):
        return False
    command = call.command
    # A rule for one command does not cover a line of several programs, unless it is the line as it is.
    if command is None or (not command.parsed and content != said):
        return False
    if content.endswith(":*"):
        first = content.removesuffix(":*")
        return said == first or (said.startswith(first + " ") and not _several(said))
    return fnmatch.fnmatchcase(said, content) and ("*" not in content or not _several(said))


def _several(said: str) -> bool:
    return any(sign in said for sign in ("&&", "||", ";", "|", "\n", "$(", "`"))
