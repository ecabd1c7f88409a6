# SPDX-License-Identifier: Apache-2.0
"""What `remit discover` takes for a mixed tree of 1 GB: speed for each core, memory, and a second scan.

The command runs as a person starts it, with its own state. The speed is that of processor time, all processes
together: what one core reads in a second. The memory is the most that all processes held at one time.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from bench.figure import Figure
from tests.samples.mixed_tree import mixed_tree

SIZE = 1_000_000_000
SPEED = "discovery: speed of one core"
MEMORY = "discovery: memory"
AGAIN = "discovery: unchanged rescan"
#: Ends the names of a whole run's figures.
END = ": mixed tree of 1 GB"
_LOOK_S = 0.1


def discovery(quick: bool) -> list[Figure]:
    """Measure a first scan and a second one; a quick run has a twentieth of the tree, and is not compared."""
    size = SIZE // 20 if quick else SIZE
    with tempfile.TemporaryDirectory(prefix="remit-bench-") as kept:
        tree = Path(kept, "tree")
        secrets = mixed_tree(tree, size)
        first = _scan(tree, Path(kept, "state"))
        second = _scan(tree, Path(kept, "state"))
    counts, again = first.answer["counts"], second.answer["counts"]
    if counts["secrets"] < secrets or again["secrets"] != counts["secrets"] or not first.answer["complete"]:
        raise RuntimeError(f"a scan went wrong: {secrets} secrets, {counts}, then {again}")
    read = counts["read_bytes"]
    how = f"{counts['files']:,} files, {read / 1e6:,.0f} MB, {first.seconds:.1f} s on {os.cpu_count()} cores"
    end = ": small mixed tree" if quick else END
    return [
        Figure(name=SPEED + end, value=read / 1e6 / first.processor_s, unit="MB/s", how=how),
        Figure(name=MEMORY + end, value=first.peak_mb, unit="MB", how=f"{how}; all processes together"),
        Figure(
            name=AGAIN + end,
            value=second.seconds,
            unit="s",
            how=f"{again['unchanged']:,} files unchanged; {second.processor_s:.1f} s of processor time",
        ),
    ]


class _Scan:
    """One run of the command, and what its processes took."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {}
        self.seconds = self.processor_s = self.peak_mb = 0.0


def _scan(tree: Path, state: Path) -> _Scan:
    made = _Scan()
    before, began = _used(), time.perf_counter()
    command = [sys.executable, "-m", "remit", "discover", str(tree), "--json"]
    environment = {**os.environ, "XDG_STATE_HOME": str(state)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as started:
        watch = threading.Thread(target=_watch, args=(psutil.Process(started.pid), made))
        watch.start()
        assert started.stdout is not None
        made.answer = json.loads(started.stdout.read())
        started.wait()
        watch.join()
    made.seconds, made.processor_s = time.perf_counter() - began, _used() - before
    return made


def _watch(process: psutil.Process, made: _Scan) -> None:
    """Note the most memory of a process and its children, counting pages that they share once."""
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        held = 0
        for one in (process, *process.children(recursive=True)):
            try:
                held += one.memory_full_info().pss
            except psutil.Error:
                continue
        made.peak_mb = max(made.peak_mb, held / 1e6)
        time.sleep(_LOOK_S)


def _used() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
