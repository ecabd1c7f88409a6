# SPDX-License-Identifier: Apache-2.0
"""Events of tools and their upstreams."""

from __future__ import annotations

from typing import Annotated

from remit.core.evidence.event import EventBody, EventKind, Sealed
from remit.core.evidence.events.fields import By, ToolName
from remit.core.json_value import Json

_Surface = Annotated[dict[str, Json], Sealed("what the upstream says of it: description and schema")]


class ToolPinned(EventBody, kw_only=True):
    """A tool was seen for the first time, and its description and schema pinned."""

    KIND = EventKind.TOOL_PINNED
    tool: ToolName
    digest: Annotated[str, "digest of the pinned description"]
    surface: _Surface = {}


class ToolChanged(EventBody, kw_only=True):
    """An upstream offers something else than what is pinned: the tool is suspended."""

    KIND = EventKind.TOOL_CHANGED
    tool: ToolName
    accepted: Annotated[str, "digest of the pinned description"]
    offered: Annotated[str, "digest of the offered description"]
    surface: _Surface = {}


class ToolAccepted(EventBody, kw_only=True):
    """What an upstream offers was reviewed and pinned."""

    KIND = EventKind.TOOL_ACCEPTED
    tool: ToolName
    accepted: Annotated[str, "digest of the newly pinned description"]
    previous: Annotated[str, "digest of the previous description"]
    by: By


class UpstreamLost(EventBody, kw_only=True):
    """An upstream is not reachable any more."""

    KIND = EventKind.UPSTREAM_LOST
    upstream: Annotated[str, "which"]


class UpstreamRestored(EventBody, kw_only=True):
    """An upstream is reachable again."""

    KIND = EventKind.UPSTREAM_RESTORED
    upstream: Annotated[str, "which"]


class UpstreamModeChanged(EventBody, kw_only=True):
    """The mode of an upstream was changed while remit runs, for every call from then on."""

    KIND = EventKind.UPSTREAM_MODE
    upstream: Annotated[str, "which"]
    mode: Annotated[str, "`enforce`, or `observe`: nothing is refused there"]
    by: By
