# SPDX-License-Identifier: Apache-2.0
"""The results as JSON and as a table in Markdown: medians, and the worst round behind a slash."""

import os
import platform
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.race.race import Effort, Result, Round

HEAD = (
    "gateway", "end acknowledged, ms", "last call at the upstream, ms", "calls after the acknowledgement",
    "in flight", "open sessions", "new sessions", "answered late", "attempts after",
)  # fmt: skip


class Report(msgspec.Struct, kw_only=True):
    """All results, with where and how they came about."""

    date: str
    machine: str
    effort: Effort
    results: list[Result]


def report(results: list[Result], effort: Effort) -> Report:
    """Put results together with this machine and moment."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text("utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
        processor = names[0] if names else processor
    machine = f"{processor}, {os.cpu_count()} CPUs, {platform.system()}, Python {platform.python_version()}"
    machine += f", load {os.getloadavg()[0]:.2f} at the end"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Report(date=now, machine=machine, effort=effort, results=results)


def markdown(found: Report) -> str:
    """Return the table, and below it what was done to each gateway."""
    effort = found.effort
    lines = [
        f"- date: {found.date}",
        f"- machine: {found.machine}",
        f"- sessions: {effort.sessions} of the agent, {effort.bystanders} of a bystander",
        f"- {effort.newcomers} newcomers after the end; {effort.rounds} rounds for each gateway",
        f"- a round is over when nothing has passed for {effort.quiet_s:g} s, or after {effort.limit_s:g} s",
        "",
        f"| {' | '.join(HEAD)} |",
        f"| --- |{' ---: |' * (len(HEAD) - 1)}",
    ]
    lines += [_row(result, effort) for result in found.results if not result.fault]
    lines += ["", "| gateway | version | how access was ended | settings | bystander |"]
    lines.append("| --- |" + " --- |" * 4)
    for one in found.results:
        cells = (one.name, one.version, one.means, one.settings, _bystander(one))
        lines.append(f"| {' | '.join(cells)} |")
    for one in found.results:
        if one.fault:
            lines += ["", f"`{one.name}` was not measured: {' '.join(one.fault.split())[:300]}"]
    return "\n".join(lines) + "\n"


def _row(result: Result, effort: Effort) -> str:
    figures: list[Callable[[Round], float]] = [
        lambda one: one.acknowledged_ms,
        lambda one: one.last_ms if one.ended else effort.limit_s * 1000,
        lambda one: one.late,
        lambda one: one.late_in_flight,
        lambda one: one.late_open,
        lambda one: one.late_new,
        lambda one: one.in_flight,
        lambda one: one.attempts,
    ]
    cells = [_cell([figure(one) for one in result.rounds]) for figure in figures]
    if not all(one.ended for one in result.rounds):
        cells[1] = f"never within {effort.limit_s:g} s"
    return f"| {' | '.join([result.name, *cells])} |"


def _cell(values: list[float]) -> str:
    return " / ".join(_number(value) for value in (statistics.median(values), max(values)))


def _number(value: float) -> str:
    return f"{value:,.1f}" if value % 1 and value < 100 else f"{value:,.0f}"


def _bystander(result: Result) -> str:
    if result.fault:
        return "not measured"
    if result.ends_all:
        return "ends with it"
    failed = sum(one.bystander_failed for one in result.rounds)
    return f"{sum(one.bystander for one in result.rounds):,} calls passed, {failed:,} failed"
