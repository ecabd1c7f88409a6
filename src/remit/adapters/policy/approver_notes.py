# SPDX-License-Identifier: Apache-2.0
"""The people that a rule that asks demands, in its annotations: the same in every policy language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from remit.core.decisions.approvers import MAX_APPROVERS, ApproverDemand
from remit.core.decisions.obligations import STEP_UP
from remit.core.json_value import Json

COUNT: Final = "approvers"
GROUP: Final = "approver_group"
APPROVERS: Final = (COUNT, GROUP)
_NUMBER: Final = re.compile(r"[0-9]{1,2}\Z", re.ASCII)
_GROUP: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")


def demand_in(notes: Mapping[str, Json]) -> ApproverDemand | None:
    """Return the people that the annotations of a sound rule demand; None where they name none."""
    if COUNT not in notes and GROUP not in notes:
        return None
    return ApproverDemand(str(notes.get(GROUP, "")), _number(notes.get(COUNT, 1)))


def demand_fault(notes: Mapping[str, Json], *, permits: bool) -> tuple[str, str] | None:
    """Return what is wrong with the demanded people, with its remediation."""
    asks = STEP_UP in notes if permits else notes.get("otherwise") == "approval"
    for name in APPROVERS:
        if name in notes and not asks:
            return (
                f"`{name}` belongs to a rule that asks people",
                "put it on a forbid that asks for approval, or on a permit with `step_up`",
            )
    if COUNT in notes and not 1 <= _number(notes[COUNT]) <= MAX_APPROVERS:
        return f"`{COUNT}` is not a number from 1 to {MAX_APPROVERS}", f"write how many people, `{COUNT}` 2"
    group = notes.get(GROUP, "any")
    if not isinstance(group, str) or not _GROUP.match(group):
        return (
            f"`{GROUP}` is not the name of a group",
            "name one group of people, of a-z, 0-9, `.`, `_` and `-`",
        )
    return None


def _number(note: Json) -> int:
    """Return a number that Cedar states as text and Rego as a number; 0 where it is none."""
    if isinstance(note, str):
        return int(note) if _NUMBER.match(note) else 0
    return note if type(note) is int else 0
