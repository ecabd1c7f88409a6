# SPDX-License-Identifier: Apache-2.0
"""What the catalogues of others about escalation of privileges come to, case by case."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.interop.suite import ROOT
from tests.samples import aws_paths
from tests.samples.privileges.case import exports_of, findings_of, paths_in
from tests.samples.privileges.cluster_rules import RULES, ClusterRule
from tests.samples.privileges.kubernetes import KUBISCAN, POLICE

LATEST = ROOT / "build" / "privilege-cases.json"
PUBLISHED = ROOT / "docs" / "reference" / "privilege-cases.json"


def counted() -> list[dict[str, Any]]:
    """Return for each catalogue its cases, those found, and what is reported where no path is left."""
    paths = aws_paths.CATALOGUE
    prevented = [exports for path in paths for _, exports in aws_paths.near_misses(path)]
    return [
        {
            "name": "pathfinding.cloud: paths of AWS",
            "cases": len(paths),
            "found": sum(bool(aws_paths.paths_of([aws_paths.export(aws_paths.account(p))])) for p in paths),
            "prevented": len(prevented),
            "reported": sum(bool(aws_paths.paths_of(exports)) for exports in prevented),
            "left": {},
        },
        _rules("KubiScan: risky roles", [each for each in RULES if each.source == KUBISCAN]),
        _rules("rbac-police: policies", [each for each in RULES if each.source == POLICE]),
    ]


def _rules(name: str, rules: list[ClusterRule]) -> dict[str, Any]:
    found = [paths_in(findings_of(each.case.provider, exports_of(each.case))) for each in rules]
    alone = [paths for each, paths in zip(rules, found, strict=True) if each.why]
    return {
        "name": name,
        "cases": len(rules),
        "found": sum(
            bool(each.techniques) and each.case.paths <= paths
            for each, paths in zip(rules, found, strict=True)
        ),
        "prevented": len(alone),
        "reported": sum(bool(paths) for paths in alone),
        "left": dict(Counter(each.why for each in rules if each.why)),
    }


def measure(*, publish: bool) -> int:
    """Count, write what the catalogues came to, and return the exit code."""
    collections = counted()
    found: Mapping[str, object] = {"date": datetime.now(UTC).date().isoformat(), "collections": collections}
    for path in (LATEST, PUBLISHED) if publish else (LATEST,):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    missed = [one for one in collections if one["found"] + sum(one["left"].values()) < one["cases"]]
    return 1 if missed or any(one["reported"] for one in collections) else 0
