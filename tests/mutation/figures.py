# SPDX-License-Identifier: Apache-2.0
"""The results of a run: for a machine, for the person who ran it, and for the documentation."""

import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.adversary.figures import machine
from tests.mutation.mutants import Mutant

LATEST = Path("build/mutants.json")
PUBLISHED = Path("docs/reference/mutants.json")


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one module's mutants."""

    tried: int
    equivalent: int
    survived: list[Mutant]

    @property
    def caught(self) -> int:
        """How many were noticed."""
        return self.tried - len(self.survived)


def facts(rows: dict[str, Row], *, sample: int | None, seed: str) -> dict[str, Any]:
    """Return the figures of a run as JSON; `sample` is how many mutants of each module were tried at most."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "sample": sample,
        "seed": seed,
        "tried": sum(row.tried for row in rows.values()),
        "caught": sum(row.caught for row in rows.values()),
        "modules": {
            module: {"tried": row.tried, "caught": row.caught, "equivalent": row.equivalent}
            for module, row in rows.items()
        },
        "survived": [
            {"module": one.module, "function": one.function, "before": one.before, "after": one.after}
            for row in rows.values()
            for one in row.survived
        ],
    }


def table(found: dict[str, Any]) -> str:
    """Return the table, for a terminal."""
    lines = [
        f"{module:32} {row['caught']:5} of {row['tried']:5}, {row['equivalent']} equivalent"
        for module, row in found["modules"].items()
    ]
    return "\n".join((*lines, f"caught: {found['caught']} of {found['tried']}", ""))


def write(path: Path, found: dict[str, Any]) -> None:
    """Keep the figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
