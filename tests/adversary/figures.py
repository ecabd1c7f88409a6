# SPDX-License-Identifier: Apache-2.0
"""The results of a run of the adversary: the figures that are published, and the cases for the developer."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.adversary.ordinary import Form, Stopped
from tests.adversary.said import OPEN
from tests.adversary.search import Tally

Json = Any

ROOT: Final = Path(__file__).resolve().parents[2]
LATEST: Final = ROOT / "build" / "adversary.json"
PUBLISHED: Final = ROOT / "docs" / "reference" / "adversary.json"


def machine() -> dict[str, Json]:
    """Return what the run was made on, without naming it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    models = [one.partition(":")[2].strip() for one in lines if one.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def facts(
    tally: Tally, forms: Sequence[Form], stopped: Sequence[Stopped], *, seed: str, seconds: float
) -> dict[str, Json]:
    """Return the figures of a run, with every case that passed."""
    of_forms = Counter(one.family for one in forms)
    of_stopped = Counter(one.form.family for one in stopped)
    tried = tally.tried.total()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "seed": seed,
        "attacks": {
            "tried": tried,
            "passed": tally.passed.total(),
            "open": [{"scenes": name, "why": why, "passed": tally.known[name]} for name, why in OPEN.items()],
            "per_second": round(tried / seconds) if seconds else 0,
            "raised": len(tally.raised),
            "families": [
                {"family": name, "tried": count, "passed": tally.passed[name]}
                for name, count in sorted(tally.tried.items())
            ],
        },
        "ordinary": {
            "tried": len(forms),
            "stopped": len(stopped),
            "families": [
                {"family": name, "tried": count, "stopped": of_stopped[name]}
                for name, count in sorted(of_forms.items())
            ],
        },
        "cases": [msgspec.to_builtins(one) for one in tally.cases],
        "stopped": [
            {"said": one.form.said, "tool": one.form.tool, "arguments": one.form.arguments, "why": one.why}
            for one in stopped
        ],
    }


def published(found: dict[str, Json]) -> dict[str, Json]:
    """Return what is published of a run: its figures, without the cases."""
    return {name: one for name, one in found.items() if name not in ("cases", "stopped")}


def write(path: Path, found: dict[str, Json]) -> None:
    """Write figures to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False, default=str) + "\n", encoding="utf-8")


def summary(found: dict[str, Json]) -> str:
    """Return both figures in a few lines."""
    attacks, ordinary = found["attacks"], found["ordinary"]
    rows = [f"  {one['family']}: {one['passed']} of {one['tried']}" for one in attacks["families"]]
    tried, passed, rate = attacks["tried"], attacks["passed"], attacks["per_second"]
    return "\n".join(
        (
            f"attacks tried {tried}, passed {passed} ({rate} a second)",
            *rows,
            *(f"  open: {one['scenes']}: {one['passed']} passed" for one in attacks["open"]),
            f"ordinary forms tried {ordinary['tried']}, stopped {ordinary['stopped']}",
        )
    )
