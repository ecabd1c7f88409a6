# SPDX-License-Identifier: Apache-2.0
"""Findings of scans: each scope keeps its own sighting, and none changes or closes another one's.

A finding shows the most severe sighting, and the places of all. It is fixed when no scope sees it any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

import msgspec

from remit.core.findings.finding import (
    ANSWERED,
    Finding,
    ScopeSighting,
    is_over,
    material,
    opened,
)
from remit.core.findings.kinds import FindingKind
from remit.core.json_value import Json

#: Most scopes that see one finding, and most places that it shows.
MOST_SCOPES: Final = 32
MOST_PLACES: Final = 50


def found_in(
    known: Finding | None,
    scope: str,
    seen: ScopeSighting,
    *,
    tenant: str,
    name: str,
    kind: FindingKind,
    about: str,
) -> Finding:
    """Return a finding with the sighting of a scope.

    Sightings of the same scan, or of an earlier one, change nothing. An answer of a person
    stays unless this scope saw something materially different before, or did not see it at all. A secret that
    was proven dead opens nothing again.
    """
    if known is None:
        fresh = Finding(
            tenant=tenant, id=name, kind=kind, about=about, first_seen=seen.seen, last_seen=seen.seen
        )
        return shown(msgspec.structs.replace(fresh, scopes={scope: seen}))
    before = known.scopes.get(scope)
    if before is not None and before.number >= seen.number:
        return known
    scopes = {**known.scopes, scope: seen}
    if len(scopes) > MOST_SCOPES and (gone := _gives_way(scopes)) != scope:
        del scopes[gone]
    elif len(scopes) > MOST_SCOPES:
        return known
    found = msgspec.structs.replace(known, scopes=scopes, last_seen=seen.seen, count=known.count + 1)
    same = before is not None and material(before.facts) == material(seen.facts)
    worse = before is not None and seen.severity.rank < before.severity.rank
    stays = known.state in ANSWERED and same and not worse and not is_over(known, seen.seen)
    stays = stays or known.proven is not None
    return shown(found if stays else opened(found))


def _gives_way(scopes: Mapping[str, ScopeSighting]) -> str:
    """Return the scope whose sighting is dropped: the least severe, then newest one of the deliverer with the
    most.

    So who delivers into many scopes displaces no one else's sighting, and keeps no other scan from arriving.
    """
    most = Counter(one.by for one in scopes.values())
    return max(scopes, key=lambda name: (most[(it := scopes[name]).by], it.severity.rank, it.seen, name))


def not_seen(known: Finding, scope: str) -> Finding:
    """Return a finding that a scope no longer sees. Without any scope it keeps what it showed last."""
    scopes = {name: one for name, one in known.scopes.items() if name != scope}
    gone = msgspec.structs.replace(known, scopes=scopes)
    return shown(gone) if scopes else gone


def shown(finding: Finding) -> Finding:
    """Return a finding with the facts of its most severe sighting, the earliest of equal ones."""
    ranked = sorted(finding.scopes.items(), key=lambda one: (one[1].severity.rank, one[0]))
    _, first = ranked[0]
    places: list[Json] = []
    for scope, one in ranked:
        listed = one.facts.get("places")
        places += (
            [{"scope": scope, **place} for place in listed if isinstance(place, dict)]
            if isinstance(listed, list)
            else []
        )
    owner = next((one.owner for _, one in ranked if one.owner), "")
    return msgspec.structs.replace(
        finding,
        facts={**first.facts, "places": places[:MOST_PLACES]},
        stated=first.severity,
        owner=owner,
    )
