# SPDX-License-Identifier: Apache-2.0
"""What an extension of a plan adds, in the form that policies read."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from remit.core.flow.facts import FlowFacts
from remit.core.flow.language.utterance import Utterance
from remit.core.flow.provenance import Index
from remit.core.flow.verb_requests import asks, mentions
from remit.core.tools.tool import ArgumentRole, Effect, Tool

OWN_READS: Final = "own-reads"
READS: Final = "reads"
EFFECTS: Final = "effects"
FIRST: Final = "first"
_SELECTING_NOTHING = (ArgumentRole.CONTENT, ArgumentRole.AMOUNT)


def growth(said: Utterance, tools: Collection[Tool], *, first: bool, by_person: bool) -> FlowFacts:
    """Return the facts of an extension by these tools; a `first` plan extends none.

    `asked` is whether the person requests the extension, or asks in words for each of the tools that change
    or disclose something.
    """
    acting = [tool for tool in tools if _acts(tool)]
    added = EFFECTS if acting else OWN_READS if all(map(_reads_own, tools)) else READS
    asked = by_person or all(asks(said, tool) for tool in acting)
    return FlowFacts(adds=FIRST if first else added, asked=asked)


def handed_over(index: Index, tools: Collection[Tool]) -> bool:
    """Return whether the person delegates to a text that mentions what each tool with an effect does."""
    return index.utterance.delegates and all(mentions(index, tool) for tool in tools if _acts(tool))


def _acts(tool: Tool) -> bool:
    """Return whether a tool changes something, or discloses something outside; so does an unknown tool."""
    return not tool.described or tool.effect is not Effect.NONE or tool.audience.name == "external"


def _reads_own(tool: Tool) -> bool:
    """Return whether a tool only reads what is one's own, and no argument of it can select anything."""
    names = {*tool.arguments, *tool.surface.get("inputSchema", {}).get("properties", {})}
    specs = [tool.arguments.get(name) for name in names]
    return all(
        spec is not None and spec.role in _SELECTING_NOTHING and not (spec.secret or spec.personal)
        for spec in specs
    )
