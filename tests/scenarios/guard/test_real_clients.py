# SPDX-License-Identifier: Apache-2.0
"""The real Codex, Copilot CLI and Gemini CLI under guard, each with a scripted model.

The programs are `codex`, `copilot` and `gemini` on the PATH (npm packages `@openai/codex`, `@github/copilot`
and `@google/gemini-cli`).
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from remit.cli.attack.cells import Cell, cells_of, judged
from remit.cli.attack.stage import attack_stage
from remit.cli.guard.clients import client as settings_of

CLIENTS = ("codex", "copilot", "gemini-cli")
_HOLDING = [(client, cell) for client in CLIENTS for cell in cells_of(client) if cell.user_holds]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows which process holds a connection"),
]


@pytest.mark.parametrize(("client", "cell"), _HOLDING, ids=[f"{one}: {cell.name}" for one, cell in _HOLDING])
def test_what_can_be_enforced_by_user_settings_holds(tmp_path: Path, client: str, cell: Cell) -> None:
    """The forbidden call leaves no mark, and the permitted one before it does."""
    name = settings_of(client).program
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"`{name}` is not installed")
    with attack_stage(tmp_path / "stage", Path(program), managed=False, client=client) as stage:
        result = judged(cell, "user", stage, cell.run(stage))
    assert result.held is True, result.note
