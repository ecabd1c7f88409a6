# SPDX-License-Identifier: Apache-2.0
"""Findings: observations that lack an explanation.

A finding is a standing question about something that remit knows (`about`, such as `agent:contract-bot`). A
repeated observation updates the same finding; a resolved finding opens again when it is observed again.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Final

import msgspec

from remit.core.canonical import digest
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.findings.meanings import FINDING_MEANINGS
from remit.core.json_value import Json

#: Longest time in days for which a finding can be accepted.
MOST_ACCEPTED_DAYS: Final = 366
#: Facts that differ between observations of one thing: they are no material change. Of places, only the files
#: are material.
_VOLATILE: Final = frozenset(
    {"says", "advice", "age_days", "why", "remediation", "since", "version", "events"}
)
#: Parts of the evidence of scans that another version of a detector words otherwise.
_OF_DETECTORS: Final = frozenset({"confidence", "rules", "more_places"})


class FindingState(enum.StrEnum):
    """The life of a finding.

    `accepted`: a person takes the risk until a time, with a reason. `false`: a person says that it is none,
    with a reason. Both open again when the facts change materially. `resolved`: it is fixed or explained, and
    opens again when it is observed again.
    """

    OPEN = "open"
    ACCEPTED = "accepted"
    FALSE = "false"
    RESOLVED = "resolved"


#: States in which a person has answered, and an equal observation asks nothing again.
ANSWERED: Final = frozenset({FindingState.ACCEPTED, FindingState.FALSE})


class ScopeSighting(msgspec.Struct, frozen=True, kw_only=True):
    """A finding as the last scan of one scope saw it: the scan, when, and who delivered it.

    `number` orders the scans of the scope by their beginnings.
    """

    scan: str
    number: int
    seen: datetime
    by: str
    severity: Severity
    owner: str = ""
    facts: dict[str, Json] = {}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding. `count` is the number of sightings; sightings within a minute of each other count once.

    `resolved`, `resolved_by` and `resolution` are when, by whose hand and with which reason it was resolved,
    accepted or called false; `until` is the end of an acceptance. `scopes` are the scanned scopes that still
    see it; it is empty for what remit observes itself. `proven` is when its secret was seen to be refused:
    places that still hold the secret open the finding no more. `revision` counts the changes.
    """

    tenant: str
    id: str
    kind: FindingKind
    about: str
    facts: dict[str, Json] = {}
    first_seen: datetime
    last_seen: datetime
    count: int = 1
    state: FindingState = FindingState.OPEN
    resolved: datetime | None = None
    resolved_by: str = ""
    resolution: str = ""
    until: datetime | None = None
    stated: Severity | None = None
    owner: str = ""
    scopes: dict[str, ScopeSighting] = {}
    proven: datetime | None = None
    revision: int = 0

    @property
    def agent(self) -> str:
        """The agent that the finding is about; empty where it is about something else."""
        kind, _, name = self.about.partition(":")
        return name if kind == "agent" else ""

    @property
    def severity(self) -> Severity:
        """The stated severity, or that of its kind."""
        return self.stated or FINDING_MEANINGS[self.kind].severity

    @property
    def delivered(self) -> bool:
        """Whether scans report it, and not remit's own observation."""
        return bool(self.scopes)


def finding_id(kind: FindingKind, about: str, which: str) -> str:
    """Return the id of a finding: equal for equal observations, so that no finding is opened twice.

    `which` distinguishes findings of one kind about one thing, such as the key in question.
    """
    return f"fnd_{digest({'kind': kind.value, 'about': about, 'which': which})[7:23]}"


def material(facts: dict[str, Json]) -> str:
    """Return the digest of what a person's answer rests on: the facts without times, counts and lines."""
    kept = {name: value for name, value in facts.items() if name not in _VOLATILE}
    if isinstance(evidence := facts.get("evidence"), dict):
        kept["evidence"] = {name: value for name, value in evidence.items() if name not in _OF_DETECTORS}
    if isinstance(places := facts.get("places"), list):
        kept["places"] = sorted(
            {str(one.get("file", one)) if isinstance(one, dict) else str(one) for one in places}
        )
    return digest(kept)


def basis_of(finding: Finding) -> str:
    """Return the digest of what a person's answer to a finding rests on: its facts, and how severe it is."""
    return digest({"facts": material(finding.facts), "severity": finding.severity.value})


def seen_again(finding: Finding, facts: dict[str, Json], now: datetime) -> Finding:
    """Return a finding with one more sighting.

    A resolved finding opens again. An accepted or false one does so where its facts have changed materially,
    or its time is over.
    """
    found = msgspec.structs.replace(finding, facts=facts, last_seen=now, count=finding.count + 1)
    stays = finding.state in ANSWERED and material(facts) == material(finding.facts)
    return found if stays and not is_over(finding, now) else opened(found)


def is_over(finding: Finding, now: datetime) -> bool:
    """Return whether the time of an acceptance has come to its end."""
    return finding.state is FindingState.ACCEPTED and (finding.until is None or finding.until <= now)


def opened(finding: Finding) -> Finding:
    """Return a finding as open, without its earlier answer."""
    return msgspec.structs.replace(
        finding,
        state=FindingState.OPEN,
        resolved=None,
        resolved_by="",
        resolution="",
        until=None,
        proven=None,
    )


def answered(
    finding: Finding, state: FindingState, *, by: str, why: str, now: datetime, until: datetime | None = None
) -> Finding:
    """Return a finding as resolved, accepted or false, with the reason."""
    return msgspec.structs.replace(
        finding, state=state, resolved=now, resolved_by=by, resolution=why, until=until
    )
