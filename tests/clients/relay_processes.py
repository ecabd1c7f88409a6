# SPDX-License-Identifier: Apache-2.0
"""The processes of remit beside a client, and their memory, as Linux shows them in /proc."""

import re
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")
_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


def shims(client: int) -> list[int]:
    """Return the processes of remit that a client started itself."""
    children = (_PROC / str(client) / "task" / str(client) / "children").read_text().split()
    return [int(pid) for pid in children if b"--upstream" in (_PROC / pid / "cmdline").read_bytes()]


def relays(client: int) -> list[int]:
    """Return the relay processes of a client."""
    found = []
    for path in _PROC.iterdir():
        if path.name.isdecimal():
            try:
                words = (path / "cmdline").read_bytes()
            except OSError:
                continue
            if b"--shims=" in words and f",{client},".encode() in words:
                found.append(int(path.name))
    return found


def pss_mb(pids: Iterable[int]) -> float:
    """Return the memory of processes in megabytes, each shared page divided by those that share it."""
    total = 0
    for pid in pids:
        found = _PSS.search((_PROC / str(pid) / "smaps_rollup").read_text())
        assert found is not None
        total += int(found[1])
    return total / 1024
