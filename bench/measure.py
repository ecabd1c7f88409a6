# SPDX-License-Identifier: Apache-2.0
"""Measuring a target: latency alone, throughput under load, CPU per call, peak memory, readiness.

All targets are measured in several passes, one after another in each, so that a machine that becomes slower
or faster meanwhile does so for all of them; a figure is the median of its passes.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil

from bench.calls import echo_call
from bench.figure import Figure
from bench.load import Plan, Tally
from bench.target import Child, EchoServer, Target

TEXTS = 2_000
"""Distinct calls that a run goes round in, so that no target profits from seeing the same bytes again."""


class Effort(msgspec.Struct, frozen=True):
    """How much to send in each of the passes."""

    passes: int

    alone: int
    loaded: int
    limit_s: float
    warm_up: int
    soak_share: float
    """The share of a target's soak that is really sent."""


FULL = Effort(passes=3, alone=2_000, loaded=15_000, limit_s=10, warm_up=300, soak_share=1.0)
QUICK = Effort(passes=1, alone=500, loaded=4_000, limit_s=4, warm_up=50, soak_share=0.1)


class Cpus(msgspec.Struct, frozen=True):
    """Where things run: the target has one CPU to itself; client and upstream share the other."""

    target: int | None
    others: int | None

    def words(self, direct: bool = False) -> str:
        """The layout in words; a direct call has nothing on the target's CPU."""
        if self.target is None:
            return "not pinned"
        others = f"client and upstream on CPU {self.others}"
        return others if direct else f"target on CPU {self.target}, {others}"


def layout() -> Cpus:
    """The first two CPUs that this process may use; no pinning where there is but one, or not Linux."""
    if sys.platform != "linux":
        return Cpus(None, None)
    usable = sorted(os.sched_getaffinity(0))
    return Cpus(usable[0], usable[1]) if len(usable) > 1 else Cpus(None, None)


@contextmanager
def running_upstream(cpu: int | None, module: str = "bench.upstream") -> Iterator[EchoServer]:
    """The upstream, for as long as the block runs."""
    child = Child([sys.executable, "-m", module], cpu, speaks=True)
    try:
        yield EchoServer(f"http://127.0.0.1:{child.line()}/mcp", child.pid)
    finally:
        child.stop()


def send(target: Target, concurrency: int, count: int, effort: Effort, cpu: int | None) -> Tally:
    """Have the load generator send `count` echo calls."""
    calls = [echo_call(n, target.url, target.tool, target.headers) for n in range(min(count, TEXTS))]
    limit_s = max(effort.limit_s, count / 1_000) if count > effort.loaded else effort.limit_s
    return carried_out(Plan(target.url, calls, concurrency, count, limit_s, effort.warm_up, cpu))[0]


def carried_out(*plans: Plan) -> list[Tally]:
    """Have a load generator carry out each of the plans, all at once."""
    started = []
    for plan in plans:
        ran = subprocess.Popen(
            [sys.executable, "-m", "bench.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started.append(ran)
        assert ran.stdin is not None
        ran.stdin.write(msgspec.json.encode(plan))
        ran.stdin.close()
    found = []
    for plan, ran in zip(plans, started, strict=True):
        assert ran.stdout is not None
        # The generator itself keeps the limit, and gives up on a target that no longer answers.
        out = ran.stdout.read()
        if ran.wait():
            raise RuntimeError(f"the load generator of {plan.url} ended with {ran.returncode}")
        found.append(msgspec.json.decode(out, type=Tally))
    return found


def family(pid: int) -> list[psutil.Process]:
    """A process and all its children."""
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def cpu_s(pid: int) -> float:
    """CPU seconds that a process and its children have used, in user and system mode."""
    times = [p.cpu_times() for p in family(pid)]
    return float(sum(t.user + t.system for t in times))


def peak_mb(pid: int) -> float:
    """Peak resident memory of a process and its children in MB; the present one where that is not known."""
    total = 0
    for process in family(pid):
        status = Path(f"/proc/{process.pid}/status")
        peak = (
            [x for x in status.read_text().splitlines() if x.startswith("VmHWM:")] if status.exists() else []
        )
        total += int(peak[0].split()[1]) * 1024 if peak else process.memory_info().rss
    return total / 1e6


class Measured(msgspec.Struct, frozen=True):
    """What one target did."""

    alone: Tally
    loaded: Tally
    soaked: Tally | None
    cpu_us: float
    upstream_us: float
    peak_mb: float
    sent: int
    ready_s: float
    """0 for a direct call, which starts nothing."""

    def outcomes(self) -> list[Tally]:
        """All runs."""
        return [o for o in (self.alone, self.loaded, self.soaked) if o is not None]


def measure(target: Target, effort: Effort, cpus: Cpus, *, last: bool) -> Measured:
    """Start a target before a separate upstream, send to it, read the clocks, stop it. Its soak, after which
    memory is read, is part of the last pass.
    """
    with running_upstream(cpus.others) as upstream:
        try:
            target.start(upstream, cpus.target)
            alone = send(target, 1, effort.alone, effort, cpus.others)
            before = cpu_s(target.pid), cpu_s(upstream.pid)
            loaded = send(target, 16, effort.loaded, effort, cpus.others)
            used, served = cpu_s(target.pid) - before[0], cpu_s(upstream.pid) - before[1]
            soak = int(target.soak * effort.soak_share) if last else 0
            soaked = send(target, 16, soak, effort, cpus.others) if soak else None
            runs = [r for r in (alone, loaded, soaked) if r is not None]
            return Measured(
                alone=alone,
                loaded=loaded,
                soaked=soaked,
                cpu_us=used / (loaded.calls + effort.warm_up) * 1e6,
                upstream_us=served / (loaded.calls + effort.warm_up) * 1e6,
                peak_mb=peak_mb(target.pid),
                sent=sum(r.calls + effort.warm_up for r in runs),
                ready_s=target.ready_s,
            )
        finally:
            target.stop()


def figures(name: str, passes: Sequence[Measured], cpus: Cpus) -> list[Figure]:
    """The figures of one target, without yardsticks."""
    where, end = cpus.words(direct=not passes[-1].ready_s), passes[-1]
    times = f"; median of {len(passes)} passes" if len(passes) > 1 else ""
    alone = f"{end.alone.calls} echo calls, one at a time over one connection; {where}{times}"
    loaded = f"{end.loaded.calls} echo calls over 16 connections, one in flight each; {where}{times}"

    def middle(of: Callable[[Measured], float]) -> float:
        return statistics.median(map(of, passes))

    found = [
        ("p50 at concurrency 1", middle(lambda m: m.alone.p50_ms), "ms", alone),
        ("p99 at concurrency 1", middle(lambda m: m.alone.p99_ms), "ms", alone),
        ("calls at concurrency 1", middle(lambda m: m.alone.calls_per_s), "calls/s", alone),
        ("p50 at concurrency 16", middle(lambda m: m.loaded.p50_ms), "ms", loaded),
        ("p99 at concurrency 16", middle(lambda m: m.loaded.p99_ms), "ms", loaded),
        ("calls at concurrency 16", middle(lambda m: m.loaded.calls_per_s), "calls/s", loaded),
        (
            "CPU per call",
            middle(lambda m: m.cpu_us),
            "us",
            f"user and system time of the target's processes; {loaded}",
        ),
        ("CPU per call, upstream", middle(lambda m: m.upstream_us), "us", loaded),
        ("CPU per call, client", middle(lambda m: m.loaded.cpu_s / m.loaded.calls * 1e6), "us", loaded),
        (
            "peak memory",
            end.peak_mb,
            "MB",
            f"peak resident set of the target's processes after {end.sent} calls",
        ),
        (
            "wrong or missing answers",
            sum(o.errors for m in passes for o in m.outcomes()),
            "calls",
            "status, id and text checked, in all passes",
        ),
    ]
    if end.ready_s:
        how = f"from the start of the process to its first readiness{times}"
        found.append(("ready", middle(lambda m: m.ready_s), "s", how))
    return [Figure(name=f"{name}: {n}", value=float(v), unit=u, how=h) for n, v, u, h in found]
