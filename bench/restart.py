# SPDX-License-Identifier: Apache-2.0
"""What a restart and a reload cost a client that calls without a pause: failed calls."""

import tempfile
import time
from pathlib import Path

from bench.figure import Figure
from tests.clients.hammering import Hammer
from tests.gateways.remit_up import Remit, furnished

FAILED = "restart: calls that failed during restarts and reloads"
_LINES = 8
_HOW = (
    "a real `remit up` (SQLite, MCP server over stdio), {lines} connections of a client without a pause, "
    "half of them fresh for each call; {rounds} times `remit restart` and `remit reload`; {answered} calls"
)


def restart(quick: bool) -> list[Figure]:
    """Hammer while remit restarts and reloads."""
    rounds = 1 if quick else 5
    with tempfile.TemporaryDirectory() as folder, furnished(Path(folder)) as remit:
        types = remit.folder / "tasks" / "tidy-note.yaml"
        types.write_text(types.read_text().replace("calls: 50", "calls: 1000000"))
        remit.ask("reload")
        task = remit.ask("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=shopping", by="ana")
        key = remit.folder / ".remit" / "agents" / "note-bot.key.json"
        hammer = Hammer(remit.url, key, str(task["id"]))
        with hammer.swinging(_LINES):
            for _ in range(rounds):
                _after_some(hammer, remit, "restart")
                _after_some(hammer, remit, "reload")
            _wait(hammer)
    how = _HOW.format(lines=_LINES, rounds=rounds, answered=hammer.answered)
    if hammer.failed:
        how += f"; the first failure: {hammer.failed[0]}"
    return [Figure(name=FAILED, value=float(len(hammer.failed)), unit="", how=how)]


def _after_some(hammer: Hammer, remit: Remit, command: str) -> None:
    _wait(hammer)
    remit.ask(command)


def _wait(hammer: Hammer) -> None:
    """Return once each connection has had several answers."""
    wanted = hammer.answered + 10 * _LINES
    while hammer.answered < wanted and not hammer.failed:
        time.sleep(0.01)
