# SPDX-License-Identifier: Apache-2.0
"""What `remit hindsight` takes for 1,000 sessions of about 100 MB: seconds, and the most memory it held.

The transcripts are made up (`tests.samples.assistant_sessions`). The command runs as a separate process, as
a person starts it, in a home that holds nothing else.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.figure import Figure
from tests.samples.assistant_sessions import many

SESSIONS = 1_000
SECONDS = "hindsight: 1,000 sessions"
MEMORY = "hindsight: memory"
PROCESSOR = "hindsight: processor time"
#: Runs the command, and writes the most memory that its process held to standard error.
_PROGRAM = (
    "import resource, sys\n"
    "from remit.cli.main import run\n"
    "code = run(sys.argv[1:])\n"
    "sys.stderr.write(f'\\n{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}')\n"
    "sys.exit(code)\n"
)


def hindsight(quick: bool) -> list[Figure]:
    """Measure one run over all sessions; a quick one has a tenth of them, and is not compared."""
    count = SESSIONS // 10 if quick else SESSIONS
    with tempfile.TemporaryDirectory(prefix="remit-bench-") as kept:
        home = Path(kept)
        size = many(home, sessions=count)
        before, began = _used(), time.perf_counter()
        command = [sys.executable, "-c", _PROGRAM, "hindsight", kept, "--json"]
        done = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "HOME": kept})
        seconds, processor = time.perf_counter() - began, _used() - before
    answer = json.loads(done.stdout)
    if answer["sessions"] != {"claude-code": count} or answer["decisions"]["stopped"]:
        raise RuntimeError(f"a replay went wrong: {answer['decisions']}")
    peak_mb = int(done.stderr.rsplit(b"\n", 1)[1]) / 1024
    how = f"one process, {count} sessions, {size / 1e6:.0f} MB, {answer['did']['calls']} calls"
    name = SECONDS if not quick else f"hindsight: {count} sessions"
    return [
        Figure(name=name, value=seconds, unit="s", how=how),
        Figure(name=PROCESSOR, value=processor, unit="s", how=how),
        Figure(name=MEMORY, value=peak_mb, unit="MB", how=f"{how}; the most that the process held"),
    ]


def _used() -> float:
    """Return the processor time of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
