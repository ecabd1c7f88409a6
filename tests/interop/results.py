# SPDX-License-Identifier: Apache-2.0
"""What runs of others' suites came to: one list of facts, from which tests judge and a page is written."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.interop.suite import PACKAGE, ROOT, VERSION, Outcome
from tests.interop.vectors import Counted

Json = Any

#: What a run leaves, and what of it is published.
LATEST: Final = ROOT / "build" / "interop.json"
PUBLISHED: Final = ROOT / "docs" / "reference" / "interop.json"

#: Scenarios that fail, and why that stays so: (mode, revision, scenario).
EXPECTED: Final[dict[tuple[str, str, str], str]] = {
    ("server", "2025-11-25", "server-sse-polling"): (
        "streams of calls cannot be taken up again by `Last-Event-ID`, and no revision requires it"
    ),
    ("server", "2026-07-28", "tasks-status-notifications"): (
        "the suite checks nothing there until it is rewritten for `subscriptions/listen`; our own tests do"
    ),
}


class Row(NamedTuple):
    """One scenario in one run."""

    mode: str
    revision: str
    scenario: str
    required: bool
    passed: int
    failed: int
    warned: int
    good: bool
    reason: str = ""

    @property
    def as_expected(self) -> bool:
        """Whether it passed, or failed for a reason that is written down."""
        return self.good != bool(self.reason)


def reason_for(mode: str, revision: str, scenario: str) -> str:
    """Return why a scenario is expected to fail; empty where it is not."""
    return EXPECTED.get((mode, revision, scenario), "")


def rows(mode: str, revision: str, outcomes: Iterable[Outcome], required: Iterable[str]) -> list[Row]:
    """Return the rows of one run."""
    needed = frozenset(required)
    out: list[Row] = []
    for one in outcomes:
        name = one.scenario.removeprefix(f"{mode}-") if mode == "server" else one.scenario
        out.append(
            Row(
                mode,
                revision,
                name,
                name in needed,
                one.passed,
                len(one.failures),
                len(one.warnings),
                one.good,
                reason_for(mode, revision, name),
            )
        )
    return out


def write(found: Iterable[Row], counted: Iterable[Counted], path: Path, date: str) -> None:
    """Write what was found to a file."""
    facts = {
        "date": date,
        "suites": {PACKAGE: VERSION},
        "scenarios": [row._asdict() for row in found],
        "vectors": [one._asdict() for one in counted],
    }
    keep(facts, path)


def keep(facts: Json, *paths: Path) -> None:
    """Write the facts of a run to each of these files."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def columns(
    head: str,
    words: Mapping[str, str],
    found: Mapping[tuple[str, bool], Mapping[str, float]],
    *,
    first: bool,
    digits: int,
) -> str:
    """Return figures as text: a column for each name, with its two runs, the run `first` before the other."""
    width = max(map(len, words.values()))
    names = list(dict.fromkeys(name for name, _ in found))
    lines = [f"{head:{width}}" + "".join(f"{name:>16}" for name in names)]
    for key, word in words.items():
        pairs = [
            f"{found[name, first][key]:.{digits}g} / {found[name, not first][key]:.{digits}g}"
            for name in names
        ]
        lines.append(f"{word:{width}}" + "".join(f"{pair:>16}" for pair in pairs))
    return "\n".join(lines)
