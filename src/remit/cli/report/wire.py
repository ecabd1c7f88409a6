# SPDX-License-Identifier: Apache-2.0
"""The report as JSON, and the words that its forms share."""

from __future__ import annotations

from remit.cli.evidence.verification import pruned_note
from remit.core.controls.control_report import CheckAnswer, ControlAnswer, ControlReport
from remit.core.controls.programme import ProgrammeReport
from remit.core.controls.status import ControlStatus
from remit.core.json_value import Json


def wire(report: ControlReport) -> Json:
    """Return the report as a program reads it."""
    return {
        "framework": report.framework.name,
        "title": report.framework.title,
        "origin": report.origin,
        "size": report.size,
        "verified": report.verified,
        "pruned": report.pruned,
        "pruned_before": report.pruned_before,
        "since": report.since,
        "until": report.until,
        "counts": {status.value: count for status, count in report.counts.items()},
        "controls": [_control(one) for one in report.answers],
    }


def _control(one: ControlAnswer) -> Json:
    return {
        "id": one.control.id,
        "title": one.control.title,
        "asks": one.control.asks,
        "status": one.status.value,
        "decided_by": one.decided_by,
        "answered_by": [{"says": each.says, "see": each.see} for each in one.control.answered_by],
        "checks": [_check(each) for each in one.checks],
        "outside": one.control.outside,
        "next": one.control.next,
    }


def _check(one: CheckAnswer) -> Json:
    return {
        **counted_check(one),
        "kinds": list(one.check.kinds),
        "met_from_percent": one.check.met,
        "partly_from_percent": one.check.partly,
    }


def counted_check(one: CheckAnswer) -> dict[str, Json]:
    """Return what was counted for a check, as a program reads it."""
    count = one.measured.count
    return {
        "measure": one.check.measure,
        "status": one.status.value,
        "says": one.says,
        "total": count.total,
        "holding": count.holding,
        "unknown": count.unknown,
        "holding_events": list(one.measured.holding),
        "exceptions": [{"event": index, "name": name} for index, name in one.measured.exceptions],
    }


def window(report: ControlReport | ProgrammeReport) -> str:
    """Return what was measured, in words."""
    if not report.until:
        return f"an empty log of {report.origin}"
    days = f"{report.days:g} {'day' if report.days == 1 else 'days'}"
    said = f"{days} up to {report.until[:16]} UTC, {report.size:,} events of {report.origin}"
    said = said if report.verified else f"{said}, from tables that were not verified again"
    note = pruned_note(report.pruned, report.pruned_before)
    return f"{said}; {note}: it does not cover them" if note else said


def counted(report: ControlReport) -> str:
    """Return how many controls have each status, in words."""
    counts = report.counts
    return ", ".join(
        f"{counts[status]} {status.words}"
        for status in ControlStatus
        if counts[status] or status is ControlStatus.MET
    )


def shares(one: CheckAnswer) -> str:
    """Return the thresholds of a check, and the findings that it counts, in words."""
    said = f"met from {one.check.met} %, partly from {one.check.partly} %"
    return said + (f"; {', '.join(one.check.kinds)}" if one.check.kinds else "")
