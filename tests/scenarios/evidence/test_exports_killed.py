# SPDX-License-Identifier: Apache-2.0
"""A real `remit up` is killed again and again while it exports: each event arrives, and the lines hold."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from remit.compose import open_records
from remit.config import load_config
from tests.gateways.remit_up import Remit
from tests.samples.exported_lines import checked, indexes, lines_of

KILLS = 3
WAIT_S = 60
CONFIGURED = """
evidence:
  exports:
    archive: {to: file, path: audit.jsonl, rotate: 64 KiB, people: true}
"""


def wait_until(holds: Callable[[], bool]) -> None:
    """Return once it holds."""
    until = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def more_starts(path: Path, number: int) -> bool:
    """Return whether more starts of remit than a number were exported."""
    return starts(path) > number


def starts(path: Path) -> int:
    """Return how often the start of remit was exported."""
    texts = [one.read_bytes() for one in path.parent.glob(f"{path.name}*")]
    return sum(one.count(b'"event_code":"system.started"') for one in texts)


async def test_no_kill_loses_an_event(tmp_path: Path) -> None:
    """The configuration alone makes the export; the last start sends what the kills had left."""
    made = Remit(tmp_path / "house")
    made.folder.mkdir(parents=True)
    assert made("init", ".").code == 0
    config = made.folder / "remit.yaml"
    config.write_text(config.read_text() + CONFIGURED)
    path = made.folder / "audit.jsonl"
    for number in range(KILLS):
        made.start()
        wait_until(partial(more_starts, path, number))
        made.stop(signal.SIGKILL)
    before = starts(path)
    made.start()
    wait_until(partial(more_starts, path, before))
    assert made.stop() == 0
    lines = lines_of(path)
    async with open_records(load_config(config)) as services:
        key = services.evidence.log.verifier
    code, said = checked(lines, key)
    assert code == 0, said
    seen = sorted(set(indexes(lines)))
    assert seen == list(range(len(seen)))
