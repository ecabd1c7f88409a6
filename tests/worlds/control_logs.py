# SPDX-License-Identifier: Apache-2.0
"""Tables of logs that a test writes event by event, without signatures: for measures and views."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from remit.compose.store import evidence_tables
from remit.ports.evidence.tables import EvidenceTables

Json = Any


def tables_of(folder: Path, *events: dict[str, Json]) -> EvidenceTables:
    """Return the tables of these events, each as `event` makes it."""
    lines = [json.dumps({"origin": "remit/default", "remit_evidence": 1})]
    for index, event in enumerate(events):
        leaf: dict[str, Json] = {"at": "2026-03-02T09:00:00.000000Z", "facts": {}} | event
        openings = {name: ["salt", value] for name, value in leaf.pop("sealed", {}).items()}
        line = {"index": index, "leaf": json.dumps(leaf)} | ({"openings": openings} if openings else {})
        lines.append(json.dumps(line))
    export = folder / "log.jsonl"
    export.write_text("\n".join(lines) + "\n", encoding="utf-8")
    views = files("remit").joinpath("questions", "views.sql").read_text(encoding="utf-8")
    return evidence_tables(export, views)


def event(kind: str, /, **facts: Json) -> dict[str, Json]:
    """Return an event; members of its record (`task`, `agent`, `call`, `at`, `sealed`) are not facts."""
    own = {name: facts.pop(name) for name in ("task", "agent", "call", "at", "sealed") if name in facts}
    renamed = {name.removesuffix("_"): value for name, value in facts.items()}
    return {"kind": kind, "facts": renamed} | own
