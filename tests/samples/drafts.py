# SPDX-License-Identifier: Apache-2.0
"""Drafts of tools for tests, and the tools that a person gets by accepting every proposal in them."""

import re
from pathlib import Path
from typing import Any

from remit.config import load_bundle, load_config
from remit.core.tools.suggestions import ToolDraft, UpstreamFacts, drafted, tools_text
from remit.core.tools.tool import Tool

Json = Any

STRING = {"type": "string"}
_PROPOSED = re.compile(r"^( +)# (?!Its description: )", re.MULTILINE)


def draft(
    name: str,
    properties: dict[str, Json] | None = None,
    *,
    required: tuple[str, ...] = (),
    hints: dict[str, Json] | None = None,
    says: str = "",
    gives: Json = None,
    facts: UpstreamFacts | None = None,
) -> ToolDraft:
    """Draft one tool from its name, the properties of its arguments, and what its server says."""
    surface: dict[str, Json] = {
        "name": name,
        "description": says,
        "inputSchema": {"type": "object", "properties": properties or {}, "required": list(required)},
        "outputSchema": gives,
        "annotations": hints,
    }
    return drafted(Tool(upstream="up", name=name, surface=surface), facts or UpstreamFacts(), "restricted")


def gives(**properties: Json) -> Json:
    """Return the schema of a result with these fields."""
    return {"type": "object", "properties": properties}


def loaded(tmp_path: Path, drafts: list[ToolDraft], *, whole: bool = False) -> dict[str, Tool]:
    """Load drafts through the real loader, as they are written, or as a `whole`, with every proposal."""
    text = tools_text("up", drafts)
    files = {
        "remit.yaml": "upstreams: {up: {url: 'https://up.example/mcp'}}\n"
        "directory: {example.com: internal}\n",
        "policies/first.cedar": "permit (principal, action, resource);\n",
        "tools/up.yaml": all_proposed(text) if whole else text,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return load_bundle(load_config(tmp_path)).tools


def all_proposed(text: str) -> str:
    """Return a drafted tool file in which every comment that proposes a line is this line."""
    return _PROPOSED.sub(r"\1", text)
