# SPDX-License-Identifier: Apache-2.0
"""A process that rotates all keys without pause is killed, again and again: nothing that was sealed is lost,
and every kind has one key that signs.
"""

import asyncio
import random
import signal
import sys
from pathlib import Path

import pytest

from remit.adapters.runtime.system import SystemClock, SystemEntropy
from remit.core.keys.own_keys import KeyStanding
from tests.worlds.keys import Kept

pytestmark = pytest.mark.slow

KILLS = 12
ROOT = Path(__file__).parents[3]


async def rotate_and_kill(folder: Path, lines: int) -> list[str]:
    """Let a process rotate until it has said so many lines, kill it, and give what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.worlds.keys", str(folder), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    said: list[str] = []
    while len(said) < lines:
        line = await process.stdout.readline()
        assert line, "the process ended by itself"
        said.append(line.decode().strip())
    # Somewhere in what comes next: a rotation, a walk over the subjects, a file half written.
    await asyncio.sleep(random.uniform(0, 0.05))
    process.send_signal(signal.SIGKILL)
    rest = (await process.stdout.read()).decode().splitlines()
    await process.wait()
    return said + rest


async def test_kills_between_and_within_rotations_lose_nothing(tmp_path: Path) -> None:
    """What was committed can be read after each kill, before and after the keys are put in order."""
    said: list[str] = []
    for kill in range(KILLS):
        said += await rotate_and_kill(tmp_path, 7 * random.randint(1, 6))
        kept = Kept(tmp_path, SystemClock(), entropy=lambda _: SystemEntropy())
        await kept.open()
        for _ in range(2):
            readable = set(await kept.said())
            assert {f"of {name}" for name in said} <= readable, f"after kill {kill}"
            await kept.rotations.keep()
        held = kept.rotations.held()
        for kind in {one.kind for one in held}:
            current = [one for one in held if one.kind is kind and one.standing is KeyStanding.CURRENT]
            assert len(current) == 1
        assert len(kept.keys.sealing.held()) == 1
        await kept.store.close()
