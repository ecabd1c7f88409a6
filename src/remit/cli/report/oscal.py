# SPDX-License-Identifier: Apache-2.0
"""The report as OSCAL assessment results (NIST, version 1.2.1).

The same report gives the same document: its UUIDs come from its content. OSCAL knows two states of a finding,
so a control that was not measured, or is outside remit, has none; `partly` is not satisfied.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from remit.core.controls.control_report import CheckAnswer, ControlAnswer, ControlReport
from remit.core.controls.status import ControlStatus
from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.safe_text import plain

VERSION: Final = "1.2.1"
_NAMESPACE: Final = "urn:remit:oscal"
_STATES: Final = {
    ControlStatus.MET: ("satisfied", "pass"),
    ControlStatus.PARTLY: ("not-satisfied", "other"),
    ControlStatus.NOT_MET: ("not-satisfied", "fail"),
}


def oscal(report: ControlReport) -> Json:
    """Return the report as an OSCAL document; raises `Malformed` for a log without events."""
    if not report.until:
        raise Malformed("an empty log assesses nothing", remediation="export a log that has events")
    since, until = (
        datetime.fromisoformat(one).replace(tzinfo=UTC).isoformat() for one in (report.since, report.until)
    )
    plan, log = _uuid(report, "plan"), _uuid(report, "log")
    judged = [one for one in report.answers if one.status in _STATES]
    left = [one for one in report.answers if one.status not in _STATES]
    result: dict[str, Json] = {
        "uuid": _uuid(report, "result"),
        "title": report.framework.title,
        "description": plain(report.framework.says),
        "start": since,
        "end": until,
        "reviewed-controls": {
            "control-selections": [
                {"include-controls": [{"control-id": one.control.id} for one in report.answers]}
            ],
            **({"remarks": _left(left)} if left else {}),
        },
    }
    if judged:
        result["observations"] = [
            _observation(report, one, check, until, log) for one in judged for check in one.checks
        ]
        result["findings"] = [_finding(report, one) for one in judged]
    return {
        "assessment-results": {
            "uuid": _uuid(report, "document"),
            "metadata": {
                "title": f"Controls measured on the evidence: {report.framework.title}",
                "last-modified": until,
                "version": until,
                "oscal-version": VERSION,
            },
            "import-ap": {"href": f"#{plan}"},
            "results": [result],
            "back-matter": {"resources": _resources(report, plan, log)},
        }
    }


def _resources(report: ControlReport, plan: str, log: str) -> list[Json]:
    return [
        {
            "uuid": plan,
            "title": "The plan: files of controls and measures",
            "description": "There is no plan in OSCAL. Each control is a file of remit that names its "
            "measures and their shares.",
        },
        {
            "uuid": log,
            "title": "The log",
            "description": plain(
                f"{report.size:,} events of {report.origin}, "
                f"{'verified' if report.verified else 'from tables that were not verified again'}"
                f"; {report.pruned:,} of them were pruned"
            ),
        },
    ]


def _uuid(report: ControlReport, *what: str) -> str:
    named = (report.origin, str(report.size), report.since, report.until, report.framework.name, *what)
    return str(uuid5(NAMESPACE_URL, "\n".join((_NAMESPACE, *named))))


def _left(left: list[ControlAnswer]) -> str:
    said = (f"{one.control.id} {one.status.words}: {one.decided_by}" for one in left)
    return plain("Without a finding. " + " ".join(said))


def _observation(
    report: ControlReport, one: ControlAnswer, check: CheckAnswer, until: str, log: str
) -> dict[str, Json]:
    events = sorted({*check.measured.holding, *(index for index, _ in check.measured.exceptions)})
    count = check.measured.count
    counted = (("total", count.total), ("holding", count.holding), ("unknown", count.unknown))
    return {
        "uuid": _uuid(report, one.control.id, check.check.measure),
        "title": check.check.measure,
        "description": plain(check.says),
        "props": [{"name": name, "ns": _NAMESPACE, "value": str(value)} for name, value in counted],
        "methods": ["TEST"],
        "types": ["control-objective"],
        "relevant-evidence": [
            {
                "href": f"#{log}",
                "description": f"events {', '.join(map(str, events))}" if events else "no event",
            }
        ],
        "collected": until,
    }


def _finding(report: ControlReport, one: ControlAnswer) -> dict[str, Json]:
    state, reason = _STATES[one.status]
    return {
        "uuid": _uuid(report, one.control.id),
        "title": f"{one.control.id} {one.control.title}",
        "description": plain(one.decided_by),
        "target": {
            "type": "objective-id",
            "target-id": one.control.id,
            "status": {"state": state, "reason": reason, "remarks": one.status.words},
            "remarks": plain(f"{one.control.outside} {one.control.next}"),
        },
        "related-observations": [
            {"observation-uuid": _uuid(report, one.control.id, check.check.measure)} for check in one.checks
        ],
    }
