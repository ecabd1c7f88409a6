# SPDX-License-Identifier: Apache-2.0
"""What a continuous export costs calls, how late it is, and what looking for anomalies costs.

`python -m bench.exports --seconds 60` runs longer than `python -m bench --only exports`.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import uvloop

from bench.figure import Figure
from bench.governed_bundle import UPSTREAM, write_bundle
from bench.measure import layout, running_upstream
from bench.serve_governed import open_task
from bench.stages import Nowhere
from bench.target import confined
from remit.compose import open_services
from remit.config import load_config
from remit.core.evidence.ocsf import ExportLine
from remit.services.assembly.services import Services
from remit.services.mediation.mediator import RequestedCall

ON: Final = "exports: events recorded with an export"
OFF: Final = "exports: events recorded without one"
CPU: Final = "exports: CPU of an event with an export, of that without"
LAG: Final = "exports: from the record to the sink, p99"
ANOMALY: Final = "exports: looking for anomalies, for each call"
#: Callers at once, and rounds of each kind, in turns.
CALLERS: Final = 16
ROUNDS: Final = 3
_CONFIG: Final = """
evidence:
  exports:
    file: {to: file, path: audit.jsonl, people: true}
"""


class _Timed:
    """A sink that notes how late each event reaches the true one, in milliseconds."""

    def __init__(self, sink: Any) -> None:
        self._sink = sink
        self.late_ms: list[float] = []

    async def send(self, lines: Sequence[ExportLine]) -> None:
        """Send a batch, and note the time from each record to here."""
        await self._sink.send(lines)
        now = datetime.now(UTC)
        self.late_ms += [(now - one.at).total_seconds() * 1e3 for one in lines if one.kind != "checkpoint"]


class _Run(NamedTuple):
    on: list[float]
    off: list[float]
    cpu: list[float]
    late_ms: list[float]
    anomaly_us: float
    call_us: float


class _Made(NamedTuple):
    calls: int
    per_s: float
    cpu_s: float  # of one event


async def _calls(services: Services, token: str, seconds: float) -> _Made:
    """Make calls for a time; give their number, and the events for each second."""
    sink, made, cpu = Nowhere(), 0, time.process_time()
    began, first = time.perf_counter(), await services.evidence.log.size()

    async def caller() -> None:
        nonlocal made
        while time.perf_counter() - began < seconds:
            asked = {"text": f"call {made:08d} the quick brown fox jumps over the lazy dog"}
            await services.mediation.mediator.run(
                RequestedCall(token=token, upstream=UPSTREAM, name="echo", arguments=asked), sink
            )
            made += 1

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    events = await services.evidence.log.size() - first
    return _Made(made, events / (time.perf_counter() - began), (time.process_time() - cpu) / events)


async def _exporting(services: Services) -> None:
    """Do what `remit up` does for one sink: sign each second, and export each half."""
    while True:
        await services.evidence.log.checkpoint()
        for _ in range(2):
            await services.evidence.exports.turn_of("file")
            await asyncio.sleep(0.5)


async def _measured(config_path: Path, seconds: float) -> _Run:
    async with open_services(load_config(config_path)) as services:
        token = await open_task(services)
        (target,) = services.evidence.exports.targets.values()
        sink = _Timed(target.sink)
        services.evidence.exports.targets = {"file": msgspec.structs.replace(target, sink=sink)}
        await _calls(services, token, seconds / 4)
        await services.findings.anomalies.turn()
        run = _Run([], [], [], sink.late_ms, 0.0, 0.0)
        for _ in range(ROUNDS):
            off = await _calls(services, token, seconds)
            run.off.append(off.per_s)
            await services.evidence.log.checkpoint()
            while await services.evidence.exports.turn_of("file"):
                pass
            sink.late_ms.clear()
            exporting = asyncio.ensure_future(_exporting(services))
            on = await _calls(services, token, seconds)
            run.on.append(on.per_s)
            run.cpu.append(on.cpu_s / off.cpu_s)
            exporting.cancel()
        await services.findings.anomalies.turn()
        cpu = time.process_time()
        calls = (await _calls(services, token, seconds)).calls
        per_call = (time.process_time() - cpu) / calls
        cpu = time.process_time()
        await services.findings.anomalies.turn()
        spent = (time.process_time() - cpu) / calls
        return run._replace(anomaly_us=spent * 1e6, call_us=per_call * 1e6)


def exports_cost(quick: bool, seconds: float = 0) -> list[Figure]:
    """Events recorded with an export and without, by the same process in turns; its lag; and anomalies."""
    seconds = seconds or (1 if quick else 5)
    cpus = layout()
    build = Path("build")
    build.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-exports-", dir=build))
    try:
        with running_upstream(cpus.others) as upstream, confined(cpus.target):
            config = write_bundle(folder, upstream.url, 8700, "durable")
            config.write_text(config.read_text("utf-8") + _CONFIG, "utf-8")
            run = uvloop.run(_measured(config, seconds))
    finally:
        shutil.rmtree(folder)
    late = sorted(run.late_ms)
    on, off = statistics.median(run.on), statistics.median(run.off)
    how = f"{CALLERS} callers for {seconds:g} s, {ROUNDS} rounds in turns, durable, to a file in OCSF"
    return [
        Figure(name=ON, value=on, unit="1/s", how=how),
        Figure(name=OFF, value=off, unit="1/s", how=how),
        Figure(name=CPU, value=100 * statistics.median(run.cpu), unit="%", how=how),
        Figure(name=LAG, value=late[len(late) * 99 // 100], unit="ms", how=f"{how}; {len(late)} events"),
        Figure(
            name=ANOMALY,
            value=run.anomaly_us,
            unit="us",
            how=f"CPU, beside {run.call_us:.0f} us of the call; {how}",
        ),
    ]


def main() -> None:
    """Measure for as long as is asked for, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.exports")
    parser.add_argument("--seconds", type=float, default=5)
    for one in exports_cost(quick=False, seconds=parser.parse_args().seconds):
        print(f"{one.name}: {one.value:,.1f} {one.unit} ({one.how})")


if __name__ == "__main__":
    main()
