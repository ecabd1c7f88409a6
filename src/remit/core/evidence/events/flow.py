# SPDX-License-Identifier: Apache-2.0
"""Events of labels: what a task or a resource carries rose or was lowered."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, UnsetType, field

from remit.core.evidence.event import EventBody, EventKind, Sealed
from remit.core.evidence.events.fields import By
from remit.core.json_value import Json
from remit.core.label import Trust

_Class = Annotated[str, "the data class now"]
_Trust = Annotated[Trust, "`untrusted` after the first untrusted datum"]
_Categories = Annotated[list[str], "the categories now"]
_Zones = Annotated[list[str], "the trust zones now"]
_Described = Annotated[
    list[str],
    "tools without a description when they were called: their descriptions changed the label since, or a"
    " description was withdrawn",
]


class LabelRaised(EventBody, kw_only=True):
    """What a task has read raised the label that it carries; it falls by `label.lowered` alone."""

    KIND = EventKind.LABEL_RAISED
    data_class: _Class = field(name="class")
    trust: _Trust
    categories: _Categories
    zones: _Zones
    by: Annotated[str, "the tool whose result raised the label; `token`: the token of a call carried it"]
    below: Annotated[str, "the child task that has read"] = ""
    described: _Described = []
    upstream: Annotated[str, "the upstream of a resource whose label was recomputed"] = ""
    resource: Annotated[str | UnsetType, Sealed("that resource; empty: the whole upstream")] = UNSET


class LabelLowered(EventBody, kw_only=True):
    """The data of a task or of a resource was declassified, or tools that it came from were described since;
    or a sanitizer returned data with a lower label than the data that it read.
    """

    KIND = EventKind.LABEL_LOWERED
    data_class: _Class = field(name="class")
    trust: _Trust
    categories: _Categories
    zones: _Zones
    what: Annotated[str, "`task`, `resource`, or `result` of a sanitizer"]
    was: Annotated[dict[str, Json] | None, "the label before: class, trust, categories, zones"]
    upstream: Annotated[str, "the upstream of the resource"] = ""
    resources: Annotated[
        int | UnsetType, "number of declassified resources: a resource includes everything in it"
    ] = UNSET
    tool: Annotated[str, "the sanitizer"] = ""
    reason: Annotated[str | UnsetType, "the reason, in the person's words"] = UNSET
    resource: Annotated[str | UnsetType, Sealed("the resource; empty: the whole upstream")] = UNSET
    described: _Described = []
    by: By = ""
