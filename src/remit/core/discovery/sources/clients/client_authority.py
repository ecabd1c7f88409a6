# SPDX-License-Identifier: Apache-2.0
"""What a client may do without asking its person, in the words of its settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from remit.core.coding.claude_permissions import rules_of
from remit.core.json_value import Json

#: Settings that give an agent everything: the client, where the setting is, and its widest values.
_WIDE: Final[tuple[tuple[str, tuple[str, ...], tuple[Json, ...]], ...]] = (
    ("claude-code", ("permissions", "defaultMode"), ("bypassPermissions", "dontAsk")),
    ("claude-code", ("permissionMode",), ("bypassPermissions", "dontAsk")),
    ("claude-code", ("bypassPermissionsModeAccepted",), (True,)),
    ("claude-code", ("enableAllProjectMcpServers",), (True,)),
    ("codex", ("sandbox_mode",), ("danger-full-access",)),
    ("codex", ("approval_policy",), ("never",)),
    ("gemini", ("autoAccept",), (True,)),
    ("gemini", ("tools", "autoAccept"), (True,)),
    ("gemini", ("general", "defaultApprovalMode"), ("yolo",)),
    ("qwen", ("tools", "approvalMode"), ("yolo",)),
    ("cursor", ("approvalMode",), ("unrestricted", "yolo")),
    ("cursor", ("yolo",), (True,)),
    ("vscode", ("chat.tools.autoApprove",), (True,)),
    ("vscode", ("chat.tools.global.autoApprove",), (True,)),
    ("zed", ("agent", "always_allow_tool_actions"), (True,)),
    ("goose", ("GOOSE_MODE",), ("auto",)),
    ("opencode", ("permission",), ("allow",)),
    ("opencode", ("permission", "bash"), ("allow",)),
    ("crush", ("options", "skip_permissions_requests"), (True,)),
    ("amazon-q", ("allowedTools",), (["*"],)),
    ("kiro", ("allowedTools",), (["*"],)),
)
_HOOK: Final = ("remit_hook.py", "remit guard", "remit hook")
_MOST: Final = 20


def authority_of(client: str, root: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the settings of a client that give it wide authority, as `name: value`."""
    return tuple(dict.fromkeys(_found(client, root)))[:_MOST]


def _found(client: str, root: Mapping[str, Json]) -> Iterator[str]:
    for one, names, widest in _WIDE:
        value = _at(root, names) if one == client else None
        if value is not None and any(value == wide and type(value) is type(wide) for wide in widest):
            yield f"{'.'.join(names)}: {_text(value)}"
    if client == "claude-code":
        for rule in rules_of(root).broad:
            yield f"permissions.allow: {rule}"
    if client == "codex":
        profiles = root.get("profiles")
        for name, profile in list(profiles.items())[:_MOST] if isinstance(profiles, dict) else ():
            if isinstance(profile, dict):
                yield from (f"profiles.{str(name)[:60]}.{said}" for said in _found_in_profile(profile))


def _found_in_profile(profile: Mapping[str, Json]) -> Iterator[str]:
    if profile.get("sandbox_mode") == "danger-full-access":
        yield "sandbox_mode: danger-full-access"
    if profile.get("approval_policy") == "never":
        yield "approval_policy: never"


def _at(root: Json, names: tuple[str, ...]) -> Json:
    for name in names:
        root = root.get(name) if isinstance(root, dict) else None
    return root


def _text(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_guarded(root: Mapping[str, Json]) -> bool:
    """Return whether the client's hooks ask remit before each call."""
    waiting: list[Json] = [root.get("hooks")]
    for _ in range(5_000):
        if not waiting:
            break
        one = waiting.pop()
        if isinstance(one, str) and any(sign in one for sign in _HOOK):
            return True
        if isinstance(one, dict) and any("remit-guard" in str(name).lower() for name in one):
            return True  # the header of hooks by HTTP
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    return False
