# SPDX-License-Identifier: Apache-2.0
"""Events of findings."""

from __future__ import annotations

from typing import Annotated

from remit.core.evidence.event import EventBody, EventKind
from remit.core.evidence.events.fields import By
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind
from remit.core.json_value import Json


class FindingSeen(EventBody, kw_only=True):
    """An unexplained fact was observed: for the first time, or again after its finding was resolved."""

    KIND = EventKind.FINDING_SEEN
    finding: Annotated[str, "the finding's id"]
    finding_kind: Annotated[FindingKind, "the finding's kind"]
    about: Annotated[str, "the subject, as `kind:name`"]
    seen: Annotated[
        dict[str, Json], "the observed facts, as the reference of findings lists them for each kind"
    ]


class FindingResolved(EventBody, kw_only=True):
    """A finding was dealt with."""

    KIND = EventKind.FINDING_RESOLVED
    finding: Annotated[str, "the finding's id"]
    finding_kind: Annotated[FindingKind, "the finding's kind"]
    about: Annotated[str, "the subject"]
    resolution: Annotated[str, "how"]
    by: By


class FindingAnswered(EventBody, kw_only=True):
    """A person accepted a finding until a time, or said that it is false."""

    KIND = EventKind.FINDING_ANSWERED
    finding: Annotated[str, "the finding's id"]
    finding_kind: Annotated[FindingKind, "the finding's kind"]
    about: Annotated[str, "the subject"]
    state: Annotated[FindingState, "`accepted` or `false`"]
    until: Annotated[str, "the end of an acceptance"] = ""
    reason: Annotated[str, "why"]
    by: By


class FindingReopened(EventBody, kw_only=True):
    """An answered finding is open again: its time is over, or a person took the answer back."""

    KIND = EventKind.FINDING_REOPENED
    finding: Annotated[str, "the finding's id"]
    finding_kind: Annotated[FindingKind, "the finding's kind"]
    about: Annotated[str, "the subject"]
    reason: Annotated[str, "why"]
    by: By


class FindingProven(EventBody, kw_only=True):
    """An exposed secret was tried where it was accepted, with a person's consent."""

    KIND = EventKind.FINDING_PROVEN
    finding: Annotated[str, "the finding's id"]
    about: Annotated[str, "the subject: the secret's fingerprint"]
    at: Annotated[str, "where it was tried, as the configuration names it"]
    account: Annotated[str, "the account that was used, where the place has accounts"] = ""
    compared: Annotated[str, "what compared the fingerprint: `remit`, or the `person`'s own command"]
    outcome: Annotated[
        str,
        "`trying` before the attempt; then `refused`, `works` or `unknown`. `another-secret`: what was "
        "given is not the secret of the finding, and was not tried",
    ]
    by: By


class ScanDelivered(EventBody, kw_only=True):
    """Findings of a scan were delivered."""

    KIND = EventKind.SCAN_DELIVERED
    scope: Annotated[str, "the scanned scope"]
    scan: Annotated[str, "the scan's id"]
    found: Annotated[int, "findings of this part"]
    opened: Annotated[int, "those that opened with it"]
    fixed: Annotated[int, "findings of the scope that a complete scan no longer saw"]
    complete: Annotated[bool, "whether this part ended a complete scan"]
    by: By
