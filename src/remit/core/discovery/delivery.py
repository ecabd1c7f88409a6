# SPDX-License-Identifier: Apache-2.0
"""What a scan elsewhere delivers, made safe to keep and to show.

A scan reads what others wrote. Its texts are shortened, their hidden characters are written out, and secrets
of known forms are cut, although a scanner sends none.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from remit.core.credentials.known_secrets import without_secrets
from remit.core.discovery.discovered import MOST_PLACES, Discovered, FilePlace
from remit.core.errors import Malformed
from remit.core.findings.finding import Finding
from remit.core.findings.meanings import DISCOVERED, FINDING_MEANINGS
from remit.core.json_value import Json
from remit.core.safe_text import plain

MOST_STEPS: Final = 60
MOST_REACHED: Final = 100
#: Characters of a sentence, and of a name.
LINE_CHARS: Final = 500
NAME_CHARS: Final = 300
#: Values, depth and characters of the evidence of one finding.
MOST_VALUES: Final = 200
MOST_DEPTH: Final = 6
MOST_EVIDENCE: Final = 8_000
SUBJECT_CHARS: Final = 300
_SUBJECT: Final = re.compile(r"[a-z][a-z0-9-]{0,30}:\S.*", re.DOTALL)
_SCOPE: Final = re.compile(r"[a-z0-9][a-z0-9._/-]{0,79}")
_SCAN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{7,79}")


def check_scan(scope: str, scan: str) -> None:
    """Raise `Malformed` for a name of a scope or a scan that cannot be one."""
    if not _SCOPE.fullmatch(scope) or ".." in scope:
        raise Malformed(
            "a scope has up to 80 small letters, digits and `.`, `_`, `-`, `/`",
            code="scope",
            remediation="name the scanned tree, such as `crm/agents`",
        )
    if not _SCAN.fullmatch(scan):
        raise Malformed(
            "a scan's id has 8 to 80 letters, digits and `.`, `_`, `-`, `:`",
            code="scan",
            remediation="use one new id for each scan",
        )


def check_discovered(found: Discovered) -> None:
    """Raise `Malformed` for a kind that remit observes itself."""
    if found.kind not in DISCOVERED:
        raise Malformed(
            f"`{found.kind.value}` is what remit observes itself",
            code="kind",
            remediation=f"deliver kinds such as `{next(iter(DISCOVERED)).value}`",
        )


def subject_of(found: Discovered) -> str:
    """Return the subject of a finding as it is kept and shown.

    A name in a scanned file may hold anything: it must not keep a whole scan from being delivered.
    """
    text = plain(found.about[:2_000])[:SUBJECT_CHARS]
    return text if _SUBJECT.fullmatch(text) else f"other:{text[: SUBJECT_CHARS - len('other:')] or 'unnamed'}"


def facts_of(found: Discovered) -> dict[str, Json]:
    """Return the facts of a finding, as its kind describes them."""
    facts: dict[str, Json] = {
        "says": safe_line(found.says),
        "places": [_place(one) for one in found.places[:MOST_PLACES]],
        "evidence": _bounded(found.evidence),
        "steps": [safe_line(one) for one in found.steps[:MOST_STEPS]],
        "reach": [safe_line(one, NAME_CHARS) for one in found.reach[:MOST_REACHED]],
        "advice": safe_line(found.remediation),
    }
    return {name: value for name, value in facts.items() if value}


def safe_line(text: str, most: int = LINE_CHARS) -> str:
    """Return a text of others as one that can be kept and shown."""
    # Shortened first: a secret across the cut is no longer one, and the work is bounded.
    return without_secrets(plain(text[: 4 * most]))[:most]


def discovered_of(finding: Finding) -> Discovered:
    """Return a kept finding as a scan would tell it; facts in another form are left out."""
    facts = finding.facts
    places, evidence = facts.get("places"), facts.get("evidence")
    return Discovered(
        kind=finding.kind,
        about=finding.about,
        which=finding.id,
        says=_text(facts.get("says")) or FINDING_MEANINGS[finding.kind].says,
        places=tuple(
            FilePlace(file=_text(one.get("file")), inside=_text(one.get("inside")))
            for one in (places if isinstance(places, list) else [])
            if isinstance(one, dict)
        ),
        severity=finding.severity,
        owner=finding.owner,
        evidence=evidence if isinstance(evidence, dict) else {},
        steps=_texts(facts.get("steps")),
        reach=_texts(facts.get("reach")),
        remediation=_text(facts.get("advice")),
    )


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _place(place: FilePlace) -> dict[str, Json]:
    told: dict[str, Json] = {
        name: safe_line(value, NAME_CHARS) if isinstance(value, str) else max(0, min(int(value), 2**31))
        for name, value in msgspec.structs.asdict(place).items()
    }
    return {name: value for name, value in told.items() if value}


def _bounded(evidence: dict[str, Json]) -> dict[str, Json]:
    left = [MOST_VALUES, MOST_EVIDENCE]
    kept = _safe(evidence, MOST_DEPTH, left)
    return kept if isinstance(kept, dict) else {}


def _safe(value: Json, depth: int, left: list[int]) -> Json:
    left[0] -= 1
    if left[0] < 0 or left[1] <= 0 or depth == 0:
        return "…"
    if isinstance(value, dict):
        kept: dict[str, Json] = {}
        for name, one in value.items():
            if left[0] <= 0 or left[1] <= 0:
                break
            # The log takes ASCII names alone.
            key = safe_line(str(name), 80).encode("ascii", "backslashreplace").decode("ascii")[:120]
            left[1] -= len(key)
            kept[key] = _safe(one, depth - 1, left)
        return kept
    if isinstance(value, list | tuple):
        out: list[Json] = []
        for one in value:
            if left[0] <= 0 or left[1] <= 0:
                break
            out.append(_safe(one, depth - 1, left))
        return out
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    text = safe_line(str(value), min(LINE_CHARS, left[1]))
    left[1] -= len(text)
    return text
