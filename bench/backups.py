# SPDX-License-Identifier: Apache-2.0
"""How long a backup, its verification and its restore take, and how much memory.

`REMIT_BENCH_EVENTS` is the number of events.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from bench.figure import Figure
from remit.compose import open_records
from remit.config import load_config
from remit.core.evidence.event import Event
from remit.core.evidence.events.decisions import DataRead
from remit.core.ids import DEFAULT_TENANT
from remit.core.label import Trust
from remit.ports.store.units import Unit
from remit.services.assembly.services import Services

EVENTS: Final = 200_000
MEMORY: Final = "backup: peak memory of the largest command"
_BATCH: Final = 128


class _Ran(NamedTuple):
    seconds: float
    memory_mib: float


def backups(quick: bool) -> list[Figure]:
    """Back up, verify and restore a store of events with sealed values."""
    count = int(os.environ.get("REMIT_BENCH_EVENTS", "") or (20_000 if quick else EVENTS))
    with tempfile.TemporaryDirectory(prefix="bench-backup-") as name:
        folder = Path(name)
        (folder / "remit.yaml").write_text(
            "upstreams: {files: {command: [cat]}}\nstore: {durability: buffered}\n"
        )
        asyncio.run(_fill(folder, count))
        ran = {
            "made": _run(folder, "backup", "one.remit", "--without-keys"),
            "verified": _run(folder, "backup", "verify", "one.remit"),
            "restored": _run(folder, "restore", "one.remit"),
        }
        stored = (folder / ".remit" / "remit.db").stat().st_size
        packed = (folder / "one.remit").stat().st_size
    how = f"{count:,} events with sealed values, SQLite, {stored / 2**20:.0f} MiB; the whole command"
    return [
        *(
            Figure(
                name=f"backup: {what}",
                value=count / one.seconds,
                unit="events/s",
                how=f"{how}, {one.seconds:.1f} s",
            )
            for what, one in ran.items()
        ),
        Figure(name="backup: an event in the file", value=packed / count, unit="B", how=how),
        Figure(name=MEMORY, value=max(one.memory_mib for one in ran.values()), unit="MiB", how=how),
    ]


async def _fill(folder: Path, count: int) -> None:
    async with open_records(load_config(folder / "remit.yaml"), own_policies=True) as services:
        waiting = []
        for unit in _units(services, count):
            waiting.append(services.store.submit(unit))
            if len(waiting) == _BATCH:
                await asyncio.gather(*waiting)
                waiting.clear()
        await asyncio.gather(*waiting)


def _units(services: Services, count: int) -> Iterator[Unit]:
    for number in range(count):
        read = DataRead(
            tool=f"desk/tool-{number % 40}",
            data_class="confidential",
            categories=["contract"],
            trust=Trust.UNTRUSTED,
            record=f"contracts/C-{number}.md",
        )
        event = Event.of(
            read,
            at=services.clock.now(),
            tenant=DEFAULT_TENANT,
            task=f"tsk_{number // 30}",
            agent=f"agent-{number % 200}",
            call=f"dec_{number}",
            subject=f"person-{number % 500}",
        )
        yield Unit(events=(event,))


def _run(folder: Path, *words: str) -> _Ran:
    """Run a command; give its time, and the most memory that it held."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "remit", *words], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(
            f"`remit {' '.join(words)}` failed: {process.stderr.read().decode() if process.stderr else ''}"
        )
    return _Ran(time.perf_counter() - began, used.ru_maxrss / 1024)
