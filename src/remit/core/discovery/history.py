# SPDX-License-Identifier: Apache-2.0
"""The history of findings over the scans of one scope: new, known, accepted, fixed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from remit.core.discovery.baseline import Acceptance
from remit.core.discovery.discovered import Discovered
from remit.core.discovery.scan import ScannedFinding, SeenFinding, Standing

#: Most findings that a scope remembers after they were fixed.
MOST_FIXED: Final = 2_000


class History(NamedTuple):
    """What a scan reports, and what its scope remembers from now on."""

    found: tuple[ScannedFinding, ...]
    fixed: tuple[ScannedFinding, ...]
    remembered: tuple[SeenFinding, ...]


def continued(
    findings: Iterable[Discovered],
    seen: Mapping[str, SeenFinding],
    accepted: Mapping[str, Acceptance],
    now: datetime,
    was_read: Callable[[str], bool],
) -> History:
    """Return the history with one more scan.

    A finding that is not found again is fixed if each of its places was read, or is gone: `was_read` tells it
    of a file. A fixed finding that is found again is new.
    """
    found: dict[str, ScannedFinding] = {}
    remembered: list[SeenFinding] = []
    for one in findings:
        before = seen.get(one.id)
        first = before.first_seen if before is not None else now
        standing = Standing.NEW if before is None or before.fixed is not None else Standing.KNOWN
        acceptance = accepted.get(one.id)
        if acceptance is not None and acceptance.holds(now, one.weight):
            standing = Standing.ACCEPTED
        found[one.id] = ScannedFinding(
            finding=one,
            first_seen=first,
            last_seen=now,
            standing=standing,
            because=acceptance.because if acceptance is not None else "",
            until=acceptance.until if acceptance is not None else None,
        )
        remembered.append(SeenFinding(finding=one, first_seen=first, last_seen=now))
    fixed: list[ScannedFinding] = []
    past: list[SeenFinding] = []
    for name, known in seen.items():
        if name in found:
            continue
        if known.fixed is not None:
            past.append(known)
        elif all(was_read(place.file) for place in known.finding.places):
            past.append(_fixed(known, now))
            fixed.append(_shown(known))
        else:
            remembered.append(known)
    past.sort(key=lambda one: one.last_seen, reverse=True)
    return History(tuple(found.values()), tuple(fixed), (*remembered, *past[:MOST_FIXED]))


def _fixed(known: SeenFinding, now: datetime) -> SeenFinding:
    return SeenFinding(
        finding=known.finding, first_seen=known.first_seen, last_seen=known.last_seen, fixed=now
    )


def _shown(known: SeenFinding) -> ScannedFinding:
    return ScannedFinding(
        finding=known.finding,
        first_seen=known.first_seen,
        last_seen=known.last_seen,
        standing=Standing.FIXED,
    )
