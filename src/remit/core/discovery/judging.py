# SPDX-License-Identifier: Apache-2.0
"""From everything that a scan has seen to what is wrong: one list, without repetition, most severe first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from remit.core.discovery.declared import (
    DeclaredAgent,
    DeclaredServer,
    DeclaredTool,
    PermissionExport,
)
from remit.core.discovery.discovered import MOST_PLACES, Discovered, ExposedSecret
from remit.core.findings.finding import Severity


class SeenThings(msgspec.Struct, kw_only=True):
    """Everything that the files of a scan held, judged at `now`. `governed` are the upstreams and agents that
    remit knows.
    """

    now: datetime
    secrets: list[ExposedSecret] = []
    servers: list[DeclaredServer] = []
    agents: list[DeclaredAgent] = []
    tools: list[DeclaredTool] = []
    exports: list[PermissionExport] = []
    governed: frozenset[str] = frozenset()


Judge = Callable[[SeenThings], Sequence[Discovered]]

#: What turns things seen into findings, in this order.
JUDGES: Final[tuple[Judge, ...]] = ()


def judged(seen: SeenThings, judges: Iterable[Judge] = JUDGES) -> list[Discovered]:
    """Return the findings of all judges, merged and sorted."""
    return merged(one for judge in judges for one in judge(seen))


def merged(findings: Iterable[Discovered]) -> list[Discovered]:
    """Return findings with distinct ids, the most severe first; places of equal findings are united."""
    found: dict[str, Discovered] = {}
    for one in findings:
        before = found.get(one.id)
        found[one.id] = one if before is None else _united(before, one)
    return sorted(found.values(), key=_order)


def _order(one: Discovered) -> tuple[int, str, str, str]:
    place = one.places[0].file if one.places else ""
    return one.weight.rank, one.kind.value, place, one.id


def _united(first: Discovered, second: Discovered) -> Discovered:
    places = tuple(dict.fromkeys((*first.places, *second.places)))[:MOST_PLACES]
    severity = min((first.weight, second.weight), key=lambda one: Severity(one).rank)
    return msgspec.structs.replace(first, places=places, severity=severity, owner=first.owner or second.owner)
