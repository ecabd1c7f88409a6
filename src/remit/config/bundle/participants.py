# SPDX-License-Identifier: Apache-2.0
"""Stored destinations across tools: which tools show who takes part in the thing that a call names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from remit.config.reading.decoding import suggestion
from remit.core.tools.json_path import path_of
from remit.core.tools.tool import Effect, Tool


class BrokenReader(NamedTuple):
    """A tool that cannot show participants: the tool that names it, the fault and the remediation."""

    tool: str
    fault: str
    remediation: str


def reader_faults(by: Sequence[str], directory: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what a description with `read_by` lacks, each with its remediation."""
    if len(by) != 1 or path_of(by[0]) != (by[0],):
        yield "needs one argument in `by`", "name the one argument that selects the thing under `by`"
    if not directory:
        yield "needs a `directory`", "say whose addresses are inside under `directory` in `remit.yaml`"


def broken_readers(tools: Mapping[str, Tool]) -> Iterator[BrokenReader]:
    """Yield the tools in `read_by` that cannot show participants, or not of what `by` selects."""
    for one in tools.values():
        stored = one.stored_destination
        for reader in stored.read_by if stored and stored.by else ():
            found = tools.get(reader)
            if found is None:
                yield BrokenReader(one.id, f"`{reader}` is not a tool", suggestion(reader, tools))
            elif found.effect is not Effect.NONE or not found.shows_participants:
                way = f"mark the fields of `{reader}` that hold them with `participant: true`"
                yield BrokenReader(one.id, f"`{reader}` shows no participants", way)
            elif stored is not None and not set(stored.by) <= found.arguments.keys():
                way = f"use the name of the argument by which `{reader}` reads it"
                yield BrokenReader(one.id, f"`{reader}` has no argument `{stored.by[0]}`", way)
