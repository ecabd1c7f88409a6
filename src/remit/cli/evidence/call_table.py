# SPDX-License-Identifier: Apache-2.0
"""The calls by tool and day, as a table."""

from __future__ import annotations

from collections import Counter

from rich.text import Text

from remit.cli.output import terminal
from remit.core.json_value import Json

_HEADER = ("DAY", "TOOL", "CALLS", "PERMITTED", "REFUSED", "ASKED", "OBSERVED", "FAILED")
#: Outcomes of calls that did not do what was asked.
_FAILED = ("tool-error", "protocol-error", "not-sent", "unknown")


def show_summary(found: Json) -> None:
    """Show the counts, with a sum below several lines."""
    lines = [(one["day"], one["tool"] or "several tools", counts_of(one)) for one in found["items"]]
    rows = [_row(*line) for line in lines]
    if len(lines) > 1:
        total = sum((counts for _, _, counts in lines), Counter[str]())
        rows.append(_row("", terminal.text("all", "bold"), total))
    terminal.table(_HEADER, rows, empty="no calls", whole=2, head=2)
    if not found["complete"]:
        terminal.remark("there are more calls than were counted; give a shorter time")


def counts_of(one: Json) -> Counter[str]:
    """Return what a person wants to know of one line: `observed` calls would have been refused."""
    decided = Counter(one["decided"])
    return Counter(
        calls=decided.total(),
        permitted=decided["permit"],
        refused=decided["deny"],
        asked=decided["defer"],
        observed=decided["observed"],
        failed=sum(one["ended"].get(name, 0) for name in _FAILED),
    )


def _row(day: str, tool: str | Text, counts: Counter[str]) -> tuple[object, ...]:
    return (
        day,
        tool,
        str(counts["calls"]),
        _number(counts["permitted"], ""),
        _number(counts["refused"], "red"),
        _number(counts["asked"], "yellow"),
        _number(counts["observed"], "bold yellow"),
        _number(counts["failed"], "red"),
    )


def _number(count: int, style: str) -> Text:
    return terminal.text(count, style) if count else terminal.text("-", "dim")
