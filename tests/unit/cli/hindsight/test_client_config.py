# SPDX-License-Identifier: Apache-2.0
"""What clients' configurations let their agents reach."""

import json
from pathlib import Path
from typing import Any

import pytest

from remit.cli.hindsight.client_config import read_home

TOKEN = "ghp_" + "a1B2" * 9


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")


def test_servers_of_every_client_are_listed(tmp_path: Path) -> None:
    """Each with its program or host, never with its arguments."""
    project = tmp_path / "shop"
    _write(
        tmp_path / ".claude.json",
        {
            "mcpServers": {"tracker": {"command": "/usr/bin/npx", "args": ["--key", TOKEN]}},
            "projects": {
                str(project): {"mcpServers": {"db": {"type": "http", "url": "https://db.example/mcp?k=1"}}}
            },
        },
    )
    _write(project / ".mcp.json", {"mcpServers": {"shared": {"command": "python"}}})
    _write(
        tmp_path / ".codex" / "config.toml",
        'approval_policy = "never"\n[mcp_servers.files]\ncommand = "fs"\n',
    )
    _write(
        tmp_path / ".cursor" / "mcp.json",
        '// comment\n{"mcpServers": {"web": {"url": "https://web.example/"}}}',
    )
    _write(tmp_path / ".gemini" / "settings.json", {"mcpServers": {"g": {"httpUrl": "https://g.example"}}})
    found = read_home(tmp_path)
    assert {(one.client, one.name, one.reached_by) for one in found.servers} == {
        ("claude-code", "tracker", "program npx"),
        ("claude-code", "db", "db.example"),
        ("claude-code", "shared", "program python"),
        ("codex", "files", "program fs"),
        ("cursor", "web", "web.example"),
        ("gemini-cli", "g", "g.example"),
    }
    assert found.policies == {"codex approval_policy": "never"}
    assert [one.kind for _, one in found.secrets] == ["GitHub token"]
    assert TOKEN[5:] not in repr(found)


def test_permission_rules_are_of_the_user_and_of_each_project(tmp_path: Path) -> None:
    """The rules of both files count, and a project's mode comes first."""
    project = tmp_path / "shop"
    _write(
        tmp_path / ".claude" / "settings.json", {"permissions": {"allow": ["Bash"], "defaultMode": "plan"}}
    )
    _write(project / ".claude" / "settings.local.json", {"permissions": {"deny": ["Read(.env)"]}})
    _write(
        tmp_path / ".claude.json", {"projects": {str(project): {"allowedTools": ["Edit"]}, "relative": {}}}
    )
    rules = read_home(tmp_path).rules
    assert rules[""].broad == ("Bash",)
    assert rules[""].mode == "plan"
    assert (rules[str(project)].allow, rules[str(project)].deny) == (("Edit",), ("Read(.env)",))
    assert "relative" not in rules


@pytest.mark.parametrize(
    "content", ["{", "[" * 100_000, "7", '{"mcpServers": [1], "projects": 7}', "\ufeff{}"]
)
def test_a_broken_configuration_is_named_and_does_no_harm(tmp_path: Path, content: str) -> None:
    """What cannot be read is left out."""
    for name in (".claude.json", ".cursor/mcp.json", ".codex/config.toml", ".claude/settings.json"):
        _write(tmp_path / name, content)
    found = read_home(tmp_path)
    assert found.servers == []
    assert str(tmp_path / ".codex" / "config.toml") in found.unreadable


def test_a_link_in_place_of_a_configuration_is_not_followed(tmp_path: Path) -> None:
    """The file behind it is named as unreadable."""
    _write(tmp_path / "elsewhere.json", {"mcpServers": {"a": {"command": "b"}}})
    (tmp_path / ".claude.json").symlink_to(tmp_path / "elsewhere.json")
    found = read_home(tmp_path)
    assert found.servers == []
    assert found.unreadable == [str(tmp_path / ".claude.json")]
