# SPDX-License-Identifier: Apache-2.0
"""The report as events of OCSF 1.8, one on each line: Data Security Findings for secrets, Detection Findings
for everything else.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import remit
from remit.cli.discover.wire import place_text
from remit.core.discovery.evidence_text import evidence_text
from remit.core.discovery.scan import ScannedFinding, ScanReport, Standing
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.findings.meanings import FINDING_MEANINGS
from remit.core.json_value import Json
from remit.core.safe_text import plain

VERSION: Final = "1.8.0"
_DETECTION: Final = 2004
_DATA_SECURITY: Final = 2006
_SECRETS: Final = frozenset({FindingKind.SECRET_EXPOSED, FindingKind.SECRET_SHARED})
_SEVERITIES: Final = {Severity.LOW: 2, Severity.MEDIUM: 3, Severity.HIGH: 4, Severity.CRITICAL: 5}
_CREATE: Final = 1
_UPDATE: Final = 2
_CLOSE: Final = 3
_ACTIVITIES: Final = {_CREATE: "Create", _UPDATE: "Update", _CLOSE: "Close"}
_STATES: Final = {Standing.ACCEPTED: (3, "Suppressed"), Standing.FIXED: (4, "Resolved")}


def ocsf(report: ScanReport) -> list[Json]:
    """Return one event for each finding, and for each that was fixed."""
    return [_event(one, report.ended) for one in (*report.found, *report.fixed)]


def _event(one: ScannedFinding, now: datetime) -> Json:
    finding = one.finding
    of_class = _DATA_SECURITY if finding.kind in _SECRETS else _DETECTION
    activity = (
        _CLOSE if one.standing is Standing.FIXED else _CREATE if one.standing is Standing.NEW else _UPDATE
    )
    status, status_name = _STATES.get(one.standing, (1, "New"))
    event: dict[str, Json] = {
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": of_class,
        "class_name": "Data Security Finding" if of_class == _DATA_SECURITY else "Detection Finding",
        "activity_id": activity,
        "activity_name": _ACTIVITIES[activity],
        "type_uid": of_class * 100 + activity,
        "time": _ms(now),
        "severity_id": _SEVERITIES[finding.weight],
        "severity": finding.weight.value.capitalize(),
        "status_id": status,
        "status": status_name,
        "message": plain(finding.says),
        "metadata": {
            "version": VERSION,
            "product": {"name": "remit", "vendor_name": "remit", "version": remit.__version__},
        },
        "finding_info": _info(one),
        "resources": [_resource(one)],
    }
    advice: Json = {"desc": plain(one.finding.action)}
    if of_class == _DATA_SECURITY:
        # The class has no place for it.
        event["unmapped"] = {"remediation": advice}
        event["data_security"] = {
            "category_id": 99,
            "category": "Credential",
            "detection_pattern": plain(evidence_text(finding.evidence.get("rule"))) or finding.kind.value,
        }
    else:
        event["remediation"] = advice
        event["evidences"] = [{"data": {plain(name): plain(evidence_text(value))}}
                              for name, value in finding.evidence.items()]  # fmt: skip
    if one.because:
        event["comment"] = plain(one.because)
    return {name: value for name, value in event.items() if value != []}


def _info(one: ScannedFinding) -> Json:
    finding = one.finding
    found: dict[str, Json] = {
        "uid": finding.id,
        "title": plain(FINDING_MEANINGS[finding.kind].says),
        "desc": plain(" ".join((finding.says, *(f"{n}. {step}" for n, step in enumerate(finding.steps, 1))))),
        "types": [finding.kind.value, *finding.controls],
        "first_seen_time": _ms(one.first_seen),
        "last_seen_time": _ms(one.last_seen),
    }
    return found


def _resource(one: ScannedFinding) -> Json:
    finding = one.finding
    found: dict[str, Json] = {
        "uid": plain(finding.about),
        "name": plain(place_text(finding.places[0])) if finding.places else plain(finding.about),
        "type": finding.about.partition(":")[0],
    }
    if finding.owner:
        found["owner"] = {"name": plain(finding.owner)}
    return found


def _ms(when: datetime) -> int:
    return int(when.timestamp() * 1000)
