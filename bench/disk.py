# SPDX-License-Identifier: Apache-2.0
"""What one durable write costs on this disk, in the same run as everything that waits for it."""

import os
import statistics
import tempfile
import time
from pathlib import Path

from bench.figure import Figure

FDATASYNC = "disk: append of 4 KB and fdatasync"


def fdatasync(quick: bool) -> list[Figure]:
    """The median of some hundreds of appends, each made durable."""
    rounds = 200 if quick else 500
    # Systems without fdatasync pay for the file's metadata too.
    sync = getattr(os, "fdatasync", os.fsync)
    block = os.urandom(4096)
    folder = Path("build")
    folder.mkdir(exist_ok=True)
    took: list[float] = []
    with tempfile.NamedTemporaryFile(dir=folder, prefix="fdatasync-") as file:
        for _ in range(rounds):
            start = time.perf_counter()
            os.write(file.fileno(), block)
            sync(file.fileno())
            took.append(time.perf_counter() - start)
    how = f"median of {rounds} in `build/`, by {sync.__name__}"
    return [Figure(name=FDATASYNC, value=statistics.median(took) * 1e3, unit="ms", how=how)]
