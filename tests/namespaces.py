# SPDX-License-Identifier: Apache-2.0
"""Processes of a PID namespace, by the numbers that they have outside."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest

from remit.compose.programs import encloses

Json = Any
needs_namespaces = pytest.mark.skipif(not encloses(), reason="no PID namespace can be made here")
#: What a program tells of processes, by the numbers that it knows.
TOLD = ("pid", "orphan", "stranger")


def outside(told: Json) -> Json:
    """Return what a program told, with its numbers of processes as they are outside; `ns` is its
    namespace.
    """
    if told.get("ns") in (None, os.stat("/proc/self/ns/pid").st_ino):
        return told
    numbers = {}
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.stat(place / "ns" / "pid").st_ino == told["ns"]:
                lines = (place / "status").read_text("utf-8").splitlines()
                (inside,) = (one.split()[-1] for one in lines if one.startswith("NSpid:"))
                numbers[int(inside)] = int(place.name)
    return {name: numbers.get(value, value) if name in TOLD else value for name, value in told.items()}


def parent(pid: int) -> int:
    """Return the parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[1])


def guard_of(program: int) -> int:
    """Return the guard of a program: its parent, or that of the first process of its namespace."""
    above = parent(program)
    mine, inner = (os.stat(f"/proc/{one}/ns/pid").st_ino for one in ("self", above))
    return above if mine == inner else parent(above)
