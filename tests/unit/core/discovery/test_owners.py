# SPDX-License-Identifier: Apache-2.0
"""Whose a place is: by home folders, also copied ones, and by several places together."""

from __future__ import annotations

import pytest

from remit.core.discovery.owners import HomeFolders, one_owner


@pytest.mark.parametrize(
    ("file", "person"),
    [
        ("home/ada/x.env", "ada"),
        ("C:\\Users\\ada\\x.env", "ada"),
        ("laptops/ada/notes/x.env", "ada"),
        ("laptops/bo/x.env", ""),
        ("repositories/crm/.claude/settings.json", ""),
        ("home/runner/x.env", ""),
        ("x.env", ""),
    ],
)
def test_a_copy_of_a_home_is_known_by_what_only_homes_hold(file: str, person: str) -> None:
    """Such as a shell's history; a project's settings of a client make no home."""
    homes = HomeFolders(
        ["laptops/ada/.bash_history", "repositories/crm/.claude/settings.json", "backup/.aws/config"]
    )
    assert homes.person_of(file) == person
    assert homes.person_of("backup/x") == ""


def test_two_homes_have_no_one_person() -> None:
    """Their owners are named together, each once."""
    assert HomeFolders().person_of("/home/ada/x", "/home/bo/y") == ""
    assert one_owner(["ada", "", "@ada", "bo, ada", "team", "more"]) == "ada, bo, team"
