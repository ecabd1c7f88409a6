# SPDX-License-Identifier: Apache-2.0
"""What scans found, as plain values."""

from __future__ import annotations

from typing import Any

from remit.core.discovery.discovered import Discovered, FilePlace
from remit.core.discovery.secret_fingerprint import SUBJECT, keyed_fingerprint
from remit.core.findings.kinds import FindingKind

KEY = b"the key of the fingerprints of tests"


def an_exposed(secret: str = "the-first", file: str = "prompts/agent.md", **evidence: Any) -> Discovered:
    """Return an exposed secret of a prompt; `evidence` is added to what the scan tells of it."""
    return Discovered(
        kind=FindingKind.SECRET_EXPOSED,
        about=SUBJECT + keyed_fingerprint(KEY, secret.encode()),
        which="",
        says="A database password stands in a prompt",
        places=(FilePlace(file=file, line=3),),
        owner="lena",
        evidence={"rule": "password-in-prose", "type": "postgresql", "tail": secret[-4:], **evidence},
    )


def a_server(name: str = "files", **changes: Any) -> Discovered:
    """Return an MCP server that no one governs."""
    known: dict[str, Any] = {
        "kind": FindingKind.UNGOVERNED_SERVER,
        "about": f"server:{name}",
        "which": "",
        "says": f"claude-code reaches {name} without remit",
        "places": (FilePlace(file=".mcp.json", inside=f"mcpServers.{name}"),),
    }
    return Discovered(**(known | changes))
