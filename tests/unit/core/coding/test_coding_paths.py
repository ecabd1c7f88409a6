# SPDX-License-Identifier: Apache-2.0
"""Paths seen from a workspace."""

import pytest

from remit.core.coding.paths import CodingPathKind, absolute, kind_of, relative

HOME = "/home/ada/shop"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("src/cart.py", CodingPathKind.WORKSPACE),
        ("node_modules/pad/index.js", CodingPathKind.FOREIGN),
        ("../other/a.py", CodingPathKind.OUTSIDE),
        ("/home/ada/shop-old/a.py", CodingPathKind.OUTSIDE),
        ("/usr/include/a.h", CodingPathKind.SYSTEM),
        (".env", CodingPathKind.SECRET),
        ("~/.ssh/known_hosts", CodingPathKind.SECRET),
        (".env.example", CodingPathKind.WORKSPACE),
        ("src/../../../ben/a", CodingPathKind.OUTSIDE),
        ("C:\\Users\\ada\\a.txt", CodingPathKind.OUTSIDE),
    ],
)
def test_a_path_is_what_its_place_and_name_say(path: str, kind: CodingPathKind) -> None:
    """Where a path lies, and what its name holds by nature, decide."""
    assert kind_of(absolute(path, HOME), HOME) is kind


@pytest.mark.parametrize(
    "path",
    [
        ".claude/settings.json", "~/.claude.json", ".mcp.json", ".git/hooks/pre-commit", "~/.bashrc",
        "remit.yaml", ".remit/token", "~/.codex/config.toml", ".vscode/tasks.json",
    ],
)  # fmt: skip
def test_what_steers_an_assistant_is_guarded_against_writes(path: str) -> None:
    """Settings, hooks and remit's own files are not ordinary files of a workspace."""
    assert kind_of(absolute(path, HOME), HOME, write=True) is CodingPathKind.GUARDED


def test_a_path_below_a_workspace_is_written_from_there() -> None:
    """Relative paths are of the workspace; others stay absolute."""
    assert relative(f"{HOME}/src/a.py", HOME) == "src/a.py"
    assert relative("/home/ada/shop-old/a.py", HOME) == "/home/ada/shop-old/a.py"
    assert relative(HOME, HOME) == "."
