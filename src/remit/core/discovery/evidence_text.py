# SPDX-License-Identifier: Apache-2.0
"""The evidence of a finding as people read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from remit.core.json_value import Json

#: Evidence for programs, and what the sentence, the steps or the title of a group say.
_UNSEEN: Final = re.compile(
    r"(?:fingerprint|confidence|rules|agents?|client|type|user|target|way|used_by|where|techniques?|permissions|"
    r"certain|before|now|framework|untrusted|private|sends|settings)$"
)


def evidence_text(value: Json, depth: int = 3) -> str:
    """Return a value of evidence in one line."""
    if isinstance(value, dict) and depth:
        return ", ".join(f"{name} {evidence_text(one, depth - 1)}" for name, one in value.items())
    if isinstance(value, list | tuple) and depth:
        return ", ".join(evidence_text(one, depth - 1) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def seen(evidence: Mapping[str, Json]) -> dict[str, str]:
    """Return the evidence that helps a person: without what the report says elsewhere."""
    told = {name: evidence_text(value) for name, value in evidence.items() if not _UNSEEN.match(name)}
    if evidence.get("certain") is False:
        told["not certain"] = "a condition of it is not in the exports"
    if told.get("tail"):
        told = {"secret": f"...{told['tail']}", **told}
    return {name.replace("_", " "): text for name, text in told.items() if text and name != "tail"}
