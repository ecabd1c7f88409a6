# SPDX-License-Identifier: Apache-2.0
"""The clients that can be put under guard: where their settings are, and what was seen of their versions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from remit.cli.guard import hook_settings
from remit.core.coding.calls import CLAUDE_CODE, CODEX, COPILOT, CURSOR, GEMINI
from remit.core.errors import NotFound
from remit.core.hooks.forms import ALIASES, FORMS

_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
_ASKING_S: Final = 20.0


class ClientSettings(NamedTuple):
    """A client: its program and its settings: the user's, and those that only an administrator changes.

    `place` and `managed_place` hold the secret of hooks by a command; empty where hooks are sent by HTTP.
    """

    name: str
    program: str
    user: Path
    managed: Path
    tested: str
    place: Path | None = None
    managed_place: Path | None = None


def client(name: str) -> ClientSettings:
    """Return a client by name; raises `NotFound` for one whose hooks remit does not know."""
    name = ALIASES.get(name, name)
    form = FORMS.get(name)
    if form is None:
        raise NotFound(
            f"remit knows no hooks of `{name[:40]}`", remediation=f"the clients are: {', '.join(FORMS)}"
        )
    user, managed = _FILES[name]()
    found = ClientSettings(name, _PROGRAMS[name], user, managed, form.version)
    if not form.by_command:
        return found
    file = f"hook-{name}.json"
    return found._replace(place=hook_settings.notes() / file, managed_place=_system("remit", "remit") / file)


def _system(folder: str, mac: str) -> Path:
    """Return a folder of this machine that only an administrator changes."""
    return Path("/Library/Application Support") / mac if sys.platform == "darwin" else Path("/etc") / folder


def _own(variable: str, folder: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / folder)


def _claude_code() -> tuple[Path, Path]:
    system = _system("claude-code", "ClaudeCode")
    return _own(
        "CLAUDE_CONFIG_DIR", ".claude"
    ) / "settings.json", system / "managed-settings.d" / "50-remit.json"


def _codex() -> tuple[Path, Path]:
    return _own("CODEX_HOME", ".codex") / "hooks.json", Path("/etc/codex/hooks.json")


def _copilot() -> tuple[Path, Path]:
    return _own("COPILOT_HOME", ".copilot") / "hooks" / "remit.json", Path(
        "/etc/github-copilot/policy.d/50-remit.json"
    )


def _cursor() -> tuple[Path, Path]:
    return Path.home() / ".cursor" / "hooks.json", _system("cursor", "Cursor") / "hooks.json"


def _gemini() -> tuple[Path, Path]:
    return Path.home() / ".gemini" / "settings.json", _system("gemini-cli", "GeminiCli") / "settings.json"


_FILES: Final = {
    CLAUDE_CODE: _claude_code,
    CODEX: _codex,
    COPILOT: _copilot,
    CURSOR: _cursor,
    GEMINI: _gemini,
}
_PROGRAMS: Final = {
    CLAUDE_CODE: "claude",
    CODEX: "codex",
    COPILOT: "copilot",
    CURSOR: "cursor",
    GEMINI: "gemini",
}


def version_of(found: ClientSettings) -> str:
    """Return the version of a client's program; empty where it is not installed here."""
    program = shutil.which(found.program)
    if program is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - the client's own program
            [program, "--version"], capture_output=True, text=True, timeout=_ASKING_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = _VERSION.search(done.stdout)
    return match[0] if match else ""
