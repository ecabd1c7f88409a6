# SPDX-License-Identifier: Apache-2.0
"""Calls that would switch off an assistant's guard are known by their paths and words."""

from __future__ import annotations

import pytest

from remit.core.coding.calls import CLAUDE_CODE, coding_call
from remit.core.coding.guard_files import acts_as_person, steers_client

CWD = "/home/mia/project"


@pytest.mark.parametrize(
    ("command", "steers"),
    [
        ("sed -i s/a/b/ ~/.claude/settings.json", True),
        ("echo '{}' > .claude/settings.local.json", True),
        ("python3 -c \"open('/home/mia/.claude/settings.json','w')\"", True),
        ("rm -rf .claude", True),
        ("cp x .cursor/hooks.json", True),
        ("mv hooks.json .codex/hooks.json", True),
        ("echo >> ~/.codex/work.config.toml", True),
        ("rm ~/.copilot/hooks/remit.json", True),
        ("echo '{}' > .github/copilot/settings.local.json", True),
        ("rm -r /etc/remit", True),
        ("echo x > ~/.copilot/session-state/1/plan.md", False),
        ("mkdir -p etc/cursor", False),
        ("cat ~/.claude/settings.json", False),
        ("grep -r settings.json .", False),
        ("echo '{}' > src/settings.json", False),
        ("python3 -m pytest -q", False),
    ],
)
def test_a_command_that_writes_a_clients_settings_is_known(command: str, steers: bool) -> None:
    """Reading them is not writing them, and other files of that name are not them."""
    call = coding_call(CLAUDE_CODE, "Bash", {"command": command}, cwd=CWD, workspace=CWD)
    assert bool(steers_client(call, CWD)) is steers


@pytest.mark.parametrize(
    "path", [".claude/settings.json", "/etc/claude-code/managed-settings.json", "~/.claude.json"]
)
def test_an_edit_of_a_clients_settings_is_known(path: str) -> None:
    """In the project, in the home, and the system's."""
    call = coding_call(CLAUDE_CODE, "Write", {"file_path": path, "content": "{}"}, cwd=CWD, workspace=CWD)
    assert steers_client(call, CWD)
    read = coding_call(CLAUDE_CODE, "Read", {"file_path": path}, cwd=CWD, workspace=CWD)
    assert not steers_client(read, CWD)


@pytest.mark.parametrize(
    ("command", "acts"),
    [
        ("remit end everything", True),
        ("cd /tmp && /opt/x/bin/remit approve apr_1", True),
        ("bash -c 'remit policy apply'", True),
        ("python -m remit guard uninstall claude-code", True),
        ("remit --config x --json login", True),
        ("remit explain dec_1", False),
        ("git commit -m 'remit: end of line'", False),
        ("ls remit", False),
    ],
)
def test_a_command_of_a_person_is_known(command: str, acts: bool) -> None:
    """Whatever path or wrapper it is called by."""
    call = coding_call(CLAUDE_CODE, "Bash", {"command": command}, cwd=CWD, workspace=CWD)
    assert acts_as_person(call) is acts
