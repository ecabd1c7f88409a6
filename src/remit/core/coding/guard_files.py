# SPDX-License-Identifier: Apache-2.0
"""Calls that no rule may permit to a coding assistant: those that would switch off its guard.

A shell command may hide what it writes. Such a command is judged as one that can do anything, and the client
reports a change of its settings itself.
"""

from __future__ import annotations

import re
from typing import Final

from remit.core.coding.calls import CodingCall
from remit.core.coding.paths import absolute

#: Files that decide which hooks a client runs, in a project or a home.
_SETTINGS: Final = re.compile(
    r"(?:^|/)(?:\.claude(?:/settings[^/]*\.json|/hooks(?:/.*)?|/plugins(?:/.*)?|\.json)?|managed-settings[^/]*(?:/.*)?"
    r"|\.codex(?:/(?:[^/]*config\.toml|hooks\.json|requirements\.toml))?|\.cursor(?:/hooks\.json|/hooks(?:/.*)?)?"
    r"|\.gemini(?:/(?:settings\.json|extensions(?:/.*)?))?|\.github/(?:hooks(?:/.*)?|copilot/settings[^/]*\.json)"
    r"|\.copilot(?:/(?!session-state/).*)?)$|^/etc/(?:codex|cursor|gemini-cli|github-copilot|remit)(?:/.*)?$",
    re.IGNORECASE,
)
#: Commands of remit by which a person acts. An agent has `remit connect`, `run` and what only reads.
_OF_PEOPLE: Final = frozenset(
    {
        "agent", "approval", "approve", "approver", "declassify", "delegation", "deny", "end", "erase",
        "guard", "lock", "login", "person", "policy", "reload", "restart", "stop", "suspend", "task", "tool",
        "unlock", "up", "wrap",
    }
)  # fmt: skip
_READING: Final = frozenset({"file.read", "file.read-foreign", "file.read-outside", "file.read-secret"})
_SAFE_SHELL: Final = frozenset({"shell.look", "shell.look-outside"})


def steers_client(call: CodingCall, cwd: str) -> str:
    """Return the file by which a call would change a client's hooks; empty if there is none."""
    if call.tool in _READING or call.tool in _SAFE_SHELL:
        return ""
    command = call.command
    paths = command.writes if command is not None else call.paths
    found = next((one for one in paths if _SETTINGS.search(one)), "")
    if found or command is None:
        return found
    # A program that remit does not know may write each path that the command names.
    said = call.arguments.get("command")
    words = re.split(r"[\s'\"`=;|&<>(){}\[\],$]+", said) if isinstance(said, str) else []
    return next((one for one in words if "." in one and _SETTINGS.search(absolute(one, cwd))), "")


def acts_as_person(call: CodingCall) -> bool:
    """Return whether a shell command runs a command of remit by which a person acts."""
    said = call.arguments.get("command")
    if call.command is None or not isinstance(said, str):
        return False
    words = [one.rpartition("/")[2] for one in re.split(r"[\s'\"`;|&<>(){}$]+", said)]
    return any(
        word == "remit" and any(later in _OF_PEOPLE for later in words[at + 1 : at + 8])
        for at, word in enumerate(words)
    )
