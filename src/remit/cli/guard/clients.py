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

from remit.core.coding.calls import CLAUDE_CODE
from remit.core.errors import NotFound
from remit.core.hooks import claude_code

_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
_ASKING_S: Final = 20.0


class ClientSettings(NamedTuple):
    """A client: its program, its settings (the user's, and those that only an administrator changes), and the
    version whose hooks remit was tested with.
    """

    name: str
    program: str
    user: Path
    managed: Path
    tested: str


def client(name: str) -> ClientSettings:
    """Return a client by name; raises `NotFound` for one whose hooks remit does not know."""
    if name != CLAUDE_CODE:
        raise NotFound(
            f"remit knows no hooks of `{name[:40]}`", remediation=f"the clients are: {CLAUDE_CODE}"
        )
    own = Path(os.environ.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude")
    system = (
        Path("/Library/Application Support/ClaudeCode")
        if sys.platform == "darwin"
        else Path("/etc/claude-code")
    )
    return ClientSettings(
        name=name,
        program="claude",
        user=own / "settings.json",
        managed=system / "managed-settings.d" / "50-remit.json",
        tested=claude_code.KNOWN_VERSION,
    )


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
