# SPDX-License-Identifier: Apache-2.0
"""Processor time of a governed call by part, with one, two and four replicas, and what an idle replica costs.

    python -m bench.replica_cost [CALLS]       # the same as `python -m bench --only replica-cost`, as a table

Each replica owns a task and gets its calls over four connections: at the owner, or at the next replica, which
passes them on. Seconds of processor time are those that the system counts for each process, so a busy machine
changes them little; rates would say nothing with all processes on a few CPUs.
"""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import msgspec
import psutil

from bench.figure import Figure
from bench.measure import carried_out, running_upstream
from bench.replicas import Replicas
from bench.target import EchoServer

PARTS: Final = ("remit", "PostgreSQL", "upstream", "client")
COUNTS: Final = (1, 2, 4)
CONNECTIONS: Final = 4
IDLE_S: Final = 5.0
WARM_UP: Final = 50
OWN: Final = "replicas: CPU per call, {count}, at the owner, {part}"
PASSED_ON: Final = "replicas: CPU per call, {count}, at another, {part}"
IDLE: Final = "replicas: CPU of an idle one of {count}, {part}"
GOAL: Final = 1.15


def ratio_of(count: int) -> str:
    """Return the name of the figure that compares `count` replicas with one."""
    return f"replicas: CPU per call, {count} against 1"


class _Used(msgspec.Struct):
    """Seconds of processor time by part."""

    by_part: dict[str, float]


def _seconds(fleet: Replicas, upstream: EchoServer) -> dict[str, float]:
    """Return the seconds that remit, the database and the upstream have used so far."""
    database = psutil.Process(fleet.database)
    return {
        "remit": sum(seconds_of(psutil.Process(pid)) for pid in fleet.pids),
        "PostgreSQL": seconds_of(database) + sum(map(seconds_of, database.children(recursive=True))),
        "upstream": seconds_of(psutil.Process(upstream.pid)),
    }


def seconds_of(process: psutil.Process) -> float:
    """Return the seconds of a process and of its children that have ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0  # its parent has its seconds
    return float(times.user + times.system + times.children_user + times.children_system)


@contextmanager
def _used(fleet: Replicas, upstream: EchoServer) -> Iterator[_Used]:
    """Yield what is filled with the seconds that the block takes."""
    used, before = _Used({}), _seconds(fleet, upstream)
    yield used
    used.by_part |= {part: after - before[part] for part, after in _seconds(fleet, upstream).items()}


def _calls(fleet: Replicas, count: int, further: int) -> float:
    """Have each replica called `count` times; return the seconds of the clients."""
    tallies = carried_out(*fleet.plans(count, CONNECTIONS, further=further))
    for one in tallies:
        if one.errors or one.calls != count:
            raise RuntimeError(f"calls failed: {one.first_errors or one}")
    return sum(one.cpu_s for one in tallies)


def _measured(fleet: Replicas, upstream: EchoServer, count: int, further: int) -> Mapping[str, float]:
    """Return the microseconds of a call by part, `remit` and the others."""
    _calls(fleet, WARM_UP, further)
    with _used(fleet, upstream) as used:
        client = _calls(fleet, count, further)
    used.by_part["client"] = client
    return {part: seconds * 1e6 / (count * len(fleet.urls)) for part, seconds in used.by_part.items()}


def replica_cost(quick: bool, calls: int = 0) -> list[Figure]:
    """Measure processor time by part."""
    calls = calls or (200 if quick else 2_000)
    found: list[Figure] = []
    alone = served = 0.0
    with running_upstream(None) as upstream:
        for count in COUNTS:
            with Replicas(count, upstream.url) as fleet:
                _calls(fleet, WARM_UP, 0)
                with _used(fleet, upstream) as idle:
                    time.sleep(IDLE_S)
                for part in PARTS[:2]:
                    value = idle.by_part[part] * 1000 / IDLE_S / count
                    how = f"during {IDLE_S:.0f} s without calls, for each replica"
                    found.append(_figure(IDLE.format(count=count, part=part), value, "ms/s", how))
                told = f"{calls} calls for each replica over {CONNECTIONS} connections"
                for further, name in ((0, OWN), (1, PASSED_ON))[:count]:
                    spent = _measured(fleet, upstream, calls, further)
                    found += [
                        _figure(name.format(count=count, part=part), spent[part], "us", told)
                        for part in PARTS
                    ]
                    if further == 0:
                        served = spent["remit"] + spent["PostgreSQL"]
                        alone = alone or served
            how = f"remit and PostgreSQL, at the owner; {told}"
            found.append(_figure(ratio_of(count), served / alone, "", how))
    return found


def _figure(name: str, value: float, unit: str, how: str) -> Figure:
    return Figure(name=name, value=value, unit=unit, how=how)


if __name__ == "__main__":
    for one in replica_cost(quick=True, calls=int(sys.argv[1]) if sys.argv[1:] else 0):
        sys.stdout.write(f"{one.name:60} {one.value:10.2f} {one.unit}\n")
