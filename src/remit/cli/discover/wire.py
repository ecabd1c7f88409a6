# SPDX-License-Identifier: Apache-2.0
"""The report as JSON. Names and meanings stay; new names may be added."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from remit.core.discovery.discovered import FilePlace
from remit.core.discovery.scan import ScannedFinding, ScanReport
from remit.core.findings.kinds import Severity
from remit.core.json_value import Json

#: The form of the report.
FORM: Final = 1


def wire(report: ScanReport) -> Json:
    """Return the exact report."""
    counts: dict[str, Json] = msgspec.to_builtins(report.counts)
    open_ones = [one for one in report.found if one.standing.value in ("new", "known")]
    return {
        "discovery": FORM,
        "base": report.base,
        "roots": list(report.roots),
        "started": report.started.isoformat(),
        "ended": report.ended.isoformat(),
        "complete": report.complete,
        "counts": counts,
        "open": {one.value: sum(each.finding.weight is one for each in open_ones) for one in Severity},
        "findings": [told(one) for one in report.found],
        "fixed": [told(one) for one in report.fixed],
        "not_read": [{"file": one.file, "why": one.why.value} for one in report.skipped],
        "rules_failed": list(report.faults),
    }


def told(one: ScannedFinding) -> dict[str, Json]:
    """Return one finding."""
    finding = one.finding
    return {
        "id": finding.id,
        "kind": finding.kind.value,
        "severity": finding.weight.value,
        "standing": one.standing.value,
        "about": finding.about,
        "says": finding.says,
        "owner": finding.owner,
        "places": [place(each) for each in finding.places],
        "evidence": finding.evidence,
        "steps": list(finding.steps),
        "reach": list(finding.reach),
        "controls": list(finding.controls),
        "remediation": one.finding.action,
        "first_seen": one.first_seen.isoformat(),
        "last_seen": one.last_seen.isoformat(),
        "because": one.because,
        "until": _moment(one.until),
    }


def place(one: FilePlace) -> dict[str, Json]:
    """Return a place, without what is not known of it."""
    found: dict[str, Json] = msgspec.structs.asdict(one)
    return {name: value for name, value in found.items() if value or name == "file"}


def place_text(one: FilePlace) -> str:
    """Return a place in the form that editors and terminals open."""
    text = (
        one.file
        + (f":{one.line}" if one.line else "")
        + (f":{one.column}" if one.line and one.column else "")
    )
    text += f" ({one.inside})" if one.inside else ""
    return text + (f" at {one.commit[:12]}" if one.commit else "")


def counted_severities(found: list[ScannedFinding]) -> str:
    """Return how many findings there are of each severity, in words."""
    parts = [(one, sum(each.finding.weight is one for each in found)) for one in Severity]
    return ", ".join(f"{count} {one.value}" for one, count in parts if count)


def _moment(when: datetime | None) -> str | None:
    return when.isoformat() if when is not None else None
