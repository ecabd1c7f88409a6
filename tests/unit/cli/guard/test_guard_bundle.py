# SPDX-License-Identifier: Apache-2.0
"""The guard's section goes into remit's configuration, and comes out again."""

from __future__ import annotations

import pytest
import yaml

from remit.cli.guard.bundle import with_clearance, with_guard, without_guard

EMPTY = "# mine\nupstreams:\n\n  # nothing yet\n\n# listen: {}\n"
FULL = "upstreams:\n  notes:\n    command: [notes]\n"


@pytest.mark.parametrize("text", [EMPTY, FULL])
def test_a_section_is_added_replaced_and_removed(text: str) -> None:
    """The second installation replaces the first; removing it leaves what was there."""
    once = with_guard(text, "claude-code", {"person": "mia", "mode": "ask"})
    assert yaml.safe_load(once)["guards"]["claude-code"]["person"] == "mia"
    twice = with_guard(once, "claude-code", {"person": "mia", "mode": "enforce"})
    assert yaml.safe_load(twice)["guards"] == {"claude-code": {"person": "mia", "mode": "enforce"}}
    assert twice.count("guards:") == 1
    left = yaml.safe_load(without_guard(twice, "claude-code"))
    assert "guards" not in left
    assert left["upstreams"] == (yaml.safe_load(text)["upstreams"] or {})
    assert without_guard(twice, "claude-code").startswith(text[:8])


def test_two_clients_have_a_line_each() -> None:
    """Removing one leaves the other."""
    text = with_guard(with_guard(FULL, "claude-code", {"mode": "ask"}), "codex", {"mode": "observe"})
    assert set(yaml.safe_load(text)["guards"]) == {"claude-code", "codex"}
    assert yaml.safe_load(without_guard(text, "claude-code"))["guards"] == {"codex": {"mode": "observe"}}


def test_a_clearance_that_someone_chose_stays() -> None:
    """The usual clearance is written only where there is none."""
    chosen = f"{FULL}classes:\n  clearance: {{external: public}}\n"
    assert with_clearance(chosen) == chosen
    assert yaml.safe_load(with_clearance(FULL))["classes"]["clearance"]["external"] == "internal"
