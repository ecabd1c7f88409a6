# SPDX-License-Identifier: Apache-2.0
"""Known clients: the files of each, and where its servers are in them."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

Names = tuple[str, ...]
#: Stands for each member.
EACH: Final = "*"
_COMMON: Final[tuple[Names, ...]] = (("mcpServers",),)
_VSCODE: Final[tuple[Names, ...]] = (("servers",), ("mcp", "servers"), ("settings", "mcp", "servers"))
#: Where a server may be in a file whose client is not known.
ANYWHERE: Final[tuple[Names, ...]] = (
    ("mcpServers",),
    ("projects", EACH, "mcpServers"),
    ("mcp", "servers"),
    ("mcp_servers",),
    ("context_servers",),
    ("mcp", "mcpServers"),
)


class ClientForm(NamedTuple):
    """A client, the paths of its files, and where its servers are; `settings` hold its authority."""

    client: str
    files: str
    places: tuple[Names, ...] = _COMMON


FORMS: Final = (
    ClientForm("claude-code", r"\.claude\.json", (("mcpServers",), ("projects", EACH, "mcpServers"))),
    ClientForm("claude-code", r"\.mcp\.json"),
    ClientForm("claude-code", r"\.claude/settings(?:\.local)?\.json|managed-(?:settings|mcp)\.json"),
    ClientForm("claude-desktop", r"claude_desktop_config\.json"),
    ClientForm("cursor", r"\.cursor/(?:mcp|cli|cli-config|permissions)\.json"),
    ClientForm(
        "vscode", r"\.vscode/(?:mcp|settings)\.json|Code(?: - Insiders)?/User/(?:mcp|settings)\.json", _VSCODE
    ),
    ClientForm("vscode", r"[^/]*\.code-workspace", _VSCODE),
    ClientForm("windsurf", r"(?:\.codeium|windsurf)/(?:[^/]*/)?mcp_config\.json"),
    ClientForm("antigravity", r"\.gemini/antigravity/mcp_config\.json"),
    ClientForm("codex", r"\.codex/(?:config|managed_config|requirements)\.toml", (("mcp_servers",),)),
    ClientForm("gemini", r"\.gemini/settings\.json"),
    ClientForm("qwen", r"\.qwen/settings\.json"),
    ClientForm("zed", r"\.?zed/settings\.json", (("context_servers",),)),
    ClientForm("cline", r"cline_mcp_settings\.json"),
    ClientForm("roo", r"mcp_settings\.json|\.roo/mcp\.json"),
    ClientForm(
        "continue",
        r"\.continue/(?:config\.(?:json|ya?ml)|mcpServers/[^/]*\.(?:json|ya?ml))",
        (("mcpServers",), ("experimental", "modelContextProtocolServers")),
    ),
    ClientForm("junie", r"\.junie/(?:mcp/)?mcp\.json"),
    ClientForm("lm-studio", r"\.lmstudio/mcp\.json"),
    ClientForm("amazon-q", r"\.?amazonq/(?:mcp|default|(?:cli-)?agents/[^/]*)\.json|\.amazonq/mcp\.json"),
    ClientForm("kiro", r"\.kiro/(?:settings/mcp|agents/[^/]*)\.json"),
    ClientForm("goose", r"goose/config\.ya?ml", (("extensions",),)),
    ClientForm("opencode", r"opencode\.jsonc?", (("mcp",),)),
    ClientForm("copilot", r"\.copilot/(?:mcp-config|config)\.json"),
    ClientForm("trae", r"\.trae/mcp\.json"),
    ClientForm("crush", r"\.?crush\.json", (("mcp",),)),
    ClientForm("librechat", r"librechat\.ya?ml"),
    ClientForm("mcp", r"(?:\.?mcp|mcp[-_.]?(?:servers|config|settings))\.json", (*_COMMON, ("servers",))),
)
_FILES: Final = re.compile("|".join(rf"(?P<f{n}>(?:^|.*/)(?:{one.files})\Z)" for n, one in enumerate(FORMS)))
_ENDINGS: Final = (".json", ".jsonc", ".json5", ".toml", ".yaml", ".yml", ".code-workspace")
_SIGNS: Final = (b"mcpServers", b"mcp_servers", b"context_servers")


def form_of(file: str) -> ClientForm | None:
    """Return the known client that a file belongs to, by its path."""
    found = _FILES.match(file.replace("\\", "/")[-500:])
    return FORMS[int(str(found.lastgroup)[1:])] if found else None


def has_servers(file: str, content: bytes) -> bool:
    """Return whether a file of unknown name seems to configure MCP servers."""
    return file.lower().endswith(_ENDINGS) and any(sign in content for sign in _SIGNS)
