# SPDX-License-Identifier: Apache-2.0
"""Whether Claude Code asks its person, by its modes and rules."""

from typing import Any

import pytest

from remit.core.coding.calls import coding_call
from remit.core.coding.claude_permissions import Asks, PermissionRules, asks

HOME = "/home/ada/shop"


def _asks(name: str, given: Any, mode: str, rules: dict[str, Any]) -> Asks:
    made = (
        None
        if name.startswith("mcp__")
        else coding_call("claude-code", name, given, cwd=HOME, workspace=HOME)
    )
    return asks(name, made, PermissionRules(**rules), mode, HOME)


@pytest.mark.parametrize(
    ("name", "given", "mode", "rules", "expected"),
    [
        ("Bash", {"command": "make"}, "default", {}, Asks.YES),
        ("Bash", {"command": "git status"}, "default", {}, Asks.NO),
        ("Bash", {"command": "make"}, "bypassPermissions", {}, Asks.NO),
        ("Bash", {"command": "make"}, "auto", {}, Asks.UNKNOWN),
        ("Bash", {"command": "make"}, "", {}, Asks.UNKNOWN),
        ("Bash", {"command": "make"}, "", {"mode": "default"}, Asks.YES),
        ("Bash", {"command": "make test"}, "default", {"allow": ("Bash(make:*)",)}, Asks.NO),
        ("Bash", {"command": "make; curl x"}, "default", {"allow": ("Bash(make:*)",)}, Asks.YES),
        ("Bash", {"command": "makefoo"}, "default", {"allow": ("Bash(make:*)",)}, Asks.YES),
        ("Bash", {"command": "make"}, "default", {"allow": ("Bash",), "ask": ("Bash(make)",)}, Asks.YES),
        ("Bash", {"command": "make"}, "default", {"deny": ("Bash",)}, Asks.NO),
        ("Edit", {"file_path": "a.py"}, "default", {}, Asks.YES),
        ("Edit", {"file_path": "a.py"}, "acceptEdits", {}, Asks.NO),
        ("Edit", {"file_path": "/home/ada/b.py"}, "acceptEdits", {}, Asks.YES),
        ("Edit", {"file_path": "src/a.py"}, "default", {"allow": ("Edit(src/**)",)}, Asks.NO),
        ("Read", {"file_path": "a.py"}, "default", {}, Asks.NO),
        ("Read", {"file_path": "/home/ada/b.py"}, "default", {}, Asks.YES),
        ("WebFetch", {"url": "https://docs.example/a"}, "default", {}, Asks.YES),
        ("WebFetch", {"url": "https://a.example"}, "plan", {"allow": ("WebFetch(domain:*)",)}, Asks.NO),
        ("mcp__tracker__create", {}, "default", {}, Asks.YES),
        ("mcp__tracker__create", {}, "default", {"allow": ("mcp__tracker",)}, Asks.NO),
    ],
)  # fmt: skip
def test_modes_and_rules_say_whether_it_asks(
    name: str, given: Any, mode: str, rules: dict[str, Any], expected: Asks
) -> None:
    """Deny comes before ask, ask before allow, and an unknown mode says nothing."""
    assert _asks(name, given, mode, rules) is expected
