# SPDX-License-Identifier: Apache-2.0
"""The real Claude Code under guard, with a scripted model: what `remit doctor --attack claude-code` shows.

npm installs the program, in a pinned version, below `build/interop`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from remit.cli.attack.cells import FORBIDDEN, HARMLESS, Cell, cells_of, judged
from remit.cli.attack.stage import attack_stage
from tests.interop.environments import NodeEnvironment
from tests.interop.suite import NotInstalled

LOCK = Path(__file__).resolve().parents[2] / "interop" / "claude_code"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows which process holds a connection"),
]
_HOLDING = [one for one in cells_of("claude-code") if one.user_holds]


@pytest.fixture(scope="module")
def program() -> Path:
    """The client's own program for this platform."""
    environment = NodeEnvironment("claude-code", LOCK)
    try:
        environment.ready()
    except NotInstalled as fault:
        pytest.skip(str(fault))
    found = sorted((environment.modules / "@anthropic-ai").glob("claude-code-*/claude"))
    if not found:
        pytest.skip("`@anthropic-ai/claude-code` has no program for this platform")
    return found[0]


@pytest.mark.parametrize("cell", _HOLDING, ids=[one.name for one in _HOLDING])
def test_what_can_be_enforced_by_user_settings_holds(tmp_path: Path, program: Path, cell: Cell) -> None:
    """The forbidden call leaves no mark, and the permitted one before it does."""
    with attack_stage(tmp_path / "stage", program, managed=False) as stage:
        result = judged(cell, "user", stage, cell.run(stage))
    assert result.held is True, result.note


def test_the_model_reads_why_and_what_would_help(tmp_path: Path, program: Path) -> None:
    """The text of a refusal reaches the model; the run goes on, and ends well."""
    with attack_stage(tmp_path / "stage", program, managed=False) as stage:
        stage.start_remit()
        calls = [[("Bash", {"command": FORBIDDEN})], [("Bash", {"command": HARMLESS})]]
        run = stage.run_client({"MAIN": calls})
        assert stage.happened("mark-allowed")
        text = run.results["toolu_MAIN_0_0"]
    assert "refused by remit" in text
    assert "flow/secret" in text
    assert "What would help" in text
    assert "remit explain dec_" in text
