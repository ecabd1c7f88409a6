# SPDX-License-Identifier: Apache-2.0
"""Events of findings."""

from __future__ import annotations

from typing import Annotated

from remit.core.evidence.event import EventBody, EventKind
from remit.core.evidence.events.fields import By
from remit.core.findings.finding import FindingKind
from remit.core.json_value import Json


class FindingSeen(EventBody, kw_only=True):
    """Something was seen that nobody has accounted for: at first, or again after it was resolved."""

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
