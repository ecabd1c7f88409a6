# SPDX-License-Identifier: Apache-2.0
"""The report as SARIF 2.1.0 (OASIS), as code hosts and editors read it."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import remit
from remit.core.discovery.discovered import Discovered, FilePlace
from remit.core.discovery.evidence_text import evidence_text
from remit.core.discovery.scan import ScannedFinding, ScanReport, Standing
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.findings.meanings import DISCOVERED
from remit.core.json_value import Json
from remit.core.safe_text import plain

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}
#: What code hosts sort security results by: a number in the ranges of CVSS.
_SECURITY: Final = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
}
_BASELINES: Final = {Standing.NEW: "new", Standing.KNOWN: "unchanged", Standing.ACCEPTED: "unchanged"}
_ROOT: Final = "SCANNED"


def sarif(report: ScanReport) -> Json:
    """Return the report as one run of SARIF."""
    kinds = list(DISCOVERED)
    run: dict[str, Json] = {
        "tool": {
            "driver": {
                "name": "remit",
                "semanticVersion": remit.__version__,
                "rules": [_rule(kind) for kind in kinds],
            }
        },
        "automationDetails": {"id": "remit-discover/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "the scanned folder"}}},
        "results": [_result(one, kinds.index(one.finding.kind)) for one in report.found],
        "invocations": [_invocation(report)],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(kind: FindingKind) -> Json:
    meaning = DISCOVERED[kind]
    return {
        "id": kind.value,
        "name": "".join(word.capitalize() for word in kind.value.split("-")),
        "shortDescription": {"text": meaning.says},
        "help": {"text": meaning.remediation},
        "defaultConfiguration": {"level": _LEVELS[meaning.severity]},
        "properties": {
            "tags": ["security", *meaning.controls],
            "security-severity": _SECURITY[meaning.severity],
            "controls": list(meaning.controls),
        },
    }


def _result(one: ScannedFinding, rule: int) -> Json:
    finding = one.finding
    text = f"{finding.says} What to do: {one.finding.action}."
    result: dict[str, Json] = {
        "ruleId": finding.kind.value,
        "ruleIndex": rule,
        "level": _LEVELS[finding.weight],
        "message": {"text": message(text)},
        "locations": [_location(place) for place in finding.places[:1]],
        "relatedLocations": [
            {"id": n, **_location(place)} for n, place in enumerate(finding.places[1:11], 1)
        ],
        "partialFingerprints": {"remitFinding/v1": finding.id},
        "baselineState": _BASELINES.get(one.standing, "unchanged"),
        "properties": _properties(one),
    }
    if finding.steps:
        result["codeFlows"] = [_flow(finding)]
    if one.standing is Standing.ACCEPTED:
        result["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": message(one.because or "accepted")}
        ]
    return {name: value for name, value in result.items() if value != []}


def _properties(one: ScannedFinding) -> Json:
    finding = one.finding
    found: dict[str, Json] = {
        "tags": list(finding.controls),
        "security-severity": _SECURITY[finding.weight],
        "severity": finding.weight.value,
        "controls": list(finding.controls),
        "about": plain(finding.about),
        "owner": plain(finding.owner),
        "reach": [plain(each) for each in finding.reach],
        "evidence": {plain(name): plain(evidence_text(value)) for name, value in finding.evidence.items()},
        "firstSeen": one.first_seen.isoformat(),
    }
    return {name: value for name, value in found.items() if value}


def _flow(finding: Discovered) -> Json:
    """Return the steps of a path; each is told at the place where the path begins."""
    place = finding.places[:1]
    locations = [
        {"location": {**(_location(place[0]) if place else {}), "message": {"text": message(step)}}}
        for step in finding.steps
    ]
    return {"threadFlows": [{"locations": locations}]}


def _location(place: FilePlace) -> dict[str, Json]:
    artifact = {"uri": quote(place.file, safe="/"), "uriBaseId": _ROOT}
    physical: dict[str, Json] = {"artifactLocation": artifact}
    if place.line:
        region: dict[str, Json] = {"startLine": place.line}
        if place.column:
            region["startColumn"] = place.column
        physical["region"] = region
    found: dict[str, Json] = {"physicalLocation": physical}
    if place.inside:
        found["logicalLocations"] = [{"fullyQualifiedName": plain(place.inside)}]
    return found


def _invocation(report: ScanReport) -> Json:
    notices = [f"{one.file}: {one.why.value}" for one in report.skipped]
    notices += [f"rules failed: {one}" for one in report.faults]
    return {
        "executionSuccessful": not report.faults,
        "startTimeUtc": f"{report.started:%Y-%m-%dT%H:%M:%SZ}",
        "endTimeUtc": f"{report.ended:%Y-%m-%dT%H:%M:%SZ}",
        "toolExecutionNotifications": [
            {"level": "warning", "message": {"text": message(one)}} for one in notices
        ],
    }


def message(text: str) -> str:
    """Return a text for a SARIF message: brackets and braces would be links and placeholders."""
    # SARIF 2.1.0, 3.11.5 and 3.11.6.
    safe = plain(text).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return safe.replace("{", "{{").replace("}", "}}")
