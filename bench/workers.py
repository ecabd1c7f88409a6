# SPDX-License-Identifier: Apache-2.0
"""What two workers of one machine carry against one, by the processor time of each: `remit up --workers 2`.

Client, upstreams and database are counted out: the figure is what the busiest worker spends on all calls, so
it says how many calls a second the workers alone would allow, with a CPU each.
"""

import secrets
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx2
import psutil

from bench.figure import Figure
from remit.cli.demo.database import Database
from tests.clients.hammering import Hammer
from tests.gateways.remit_up import Remit

TASKS: Final = 4
_LINES: Final = 4
RATIO: Final = "workers: calls that two allow against one"
GOAL: Final = 1.6


def workers(quick: bool) -> list[Figure]:
    """Count the processor time of one worker and of two."""
    calls = 400 if quick else 4_000
    found: list[Figure] = []
    costs = []
    for count in (1, 2):
        spent, made = _spent(count, calls)
        costs.append(max(spent) / made)
        how = f"{TASKS} tasks, {TASKS // count} owned by each worker; {_LINES} connections for each task, "
        how += f"half of them fresh for each call; {made} calls"
        for name, seconds in (("busiest worker", max(spent)), ("all workers", sum(spent))):
            value = seconds * 1e6 / made
            found.append(
                Figure(name=f"workers: CPU per call, {count}, {name}", value=value, unit="us", how=how)
            )
    how = "by the processor time of the busiest worker; client, upstreams and database counted out"
    return [*found, Figure(name=RATIO, value=costs[0] / costs[1], unit="", how=how)]


def _spent(count: int, calls: int) -> tuple[list[float], int]:
    """Return the seconds of each worker, and how many calls they carried."""
    with ExitStack() as stack:
        remit = Remit(Path(stack.enter_context(tempfile.TemporaryDirectory())) / "house")
        database = Database(secrets.token_urlsafe(12))
        stack.callback(database.remove)
        database.start()
        _furnish(remit, database.url(), count)
        stack.callback(remit.stop)
        key = remit.folder / ".remit" / "agents" / "note-bot.key.json"
        hammers = [Hammer(remit.url, key, task) for task in _spread(remit, key, count)]
        for hammer in hammers:
            stack.enter_context(hammer.swinging(_LINES))
        _until(hammers, calls // 10)
        assert remit.process is not None
        process = psutil.Process(remit.process.pid)
        pids = [one.pid for one in process.children()] if count > 1 else [process.pid]
        before, answered = _seconds(pids), _answered(hammers)
        _until(hammers, answered + calls)
        spent = [after - was for after, was in zip(_seconds(pids), before, strict=True)]
        return spent, _answered(hammers) - answered


def _furnish(remit: Remit, database: str, count: int) -> None:
    remit.folder.mkdir()
    remit("init", ".")
    remit.env["BENCH_DATABASE"] = database
    with (remit.folder / "remit.yaml").open("a") as config:
        config.write("store: {kind: postgres, url: env:BENCH_DATABASE}\n")
    types = remit.folder / "tasks" / "tidy-note.yaml"
    types.write_text(types.read_text().replace("calls: 50", "calls: 1000000"))
    remit.start("--workers", str(count))
    remit.enter()
    remit.ask("agent", "register", "note-bot", "--owner", "admin", "--purpose", "keep notes tidy")


def _open(remit: Remit) -> str:
    return str(remit.ask("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=shopping")["id"])


def _spread(remit: Remit, key: Path, count: int) -> list[str]:
    """Open tasks until each worker owns as many of those returned; many tasks spread by themselves.

    The worker that gets the first call of a task owns it.
    """
    kept: dict[str, list[str]] = {}
    while sum(map(len, kept.values())) < TASKS:
        before, task = _owned(remit), _open(remit)
        first = Hammer(remit.url, key, task)
        with first.swinging(1):
            _until([first], 1)
        owner = next(name for name, owned in _owned(remit).items() if owned > before.get(name, 0))
        if len(kept.setdefault(owner, [])) < TASKS // count:
            kept[owner].append(task)
    return [task for tasks in kept.values() for task in tasks]


def _owned(remit: Remit) -> dict[str, float]:
    """Return how many tasks each worker owns."""
    told = httpx2.get(f"{remit.url}/metrics", trust_env=False).text
    lines = [line.split() for line in told.splitlines() if line.startswith("remit_tasks_owned")]
    return {name: float(owned) for name, owned in lines}


def _seconds(pids: list[int]) -> list[float]:
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return [one.user + one.system for one in times]


def _answered(hammers: list[Hammer]) -> int:
    if failed := [one.failed[0] for one in hammers if one.failed]:
        raise RuntimeError(f"calls failed: {failed[0]}")
    return sum(one.answered for one in hammers)


def _until(hammers: list[Hammer], wanted: int) -> None:
    while _answered(hammers) < wanted:
        hammers[0].over.wait(0.05)
