# SPDX-License-Identifier: Apache-2.0
"""The receipt of a closure, read from the log's own records: each derived permission, and when it was first
refused.

A receipt is an export of the events of one ending: `closure.made`, and the events of the credentials that it
lists (`lease.revoked`, `lease.dead`, `lease.open`, `lease.closed`), including later ones. Each event is in
the signed log, so a reader with the receipt and the log's public key needs neither remit nor its database.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from remit.core.endings.closure import Closing
from remit.core.evidence.event import EventKind
from remit.core.json_value import Json

ABOUT_LEASES = (
    EventKind.LEASE_REVOKED,
    EventKind.LEASE_DEAD,
    EventKind.LEASE_OPEN,
    EventKind.LEASE_CLOSED,
)
"""Event kinds that a receipt holds besides the closure itself."""
#: Members of a closing in an event: kind, name, refused; for a credential also revoked, attempts, lease.
_SHORT, _LONG = 3, 6


class ClosureRead(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the records of one ending.

    `refused_after_ms` of a closing is `None` while no record shows a refusal. `replicas` are the replicas
    that had to stop, each with the time that it took.
    """

    id: str
    scope: str
    at: str
    fence_ms: float
    tasks: int
    closings: tuple[Closing, ...]
    indeterminate: tuple[str, ...]
    replicas: tuple[tuple[str, float | None], ...] = ()

    @property
    def closed(self) -> bool:
        """Whether no closing is open, according to the receipt."""
        return not any(one.open for one in self.closings)


class ReceiptReading:
    """Reads the records of a receipt, in the order of the log."""

    def __init__(self, closure: str) -> None:
        """Prepare to read the receipt of one closure."""
        self._closure = closure
        self._made: tuple[str, dict[str, Json]] | None = None
        self._about: dict[str, dict[str, dict[str, Json]]] = {}

    def take(self, kind: str, at: str, facts: dict[str, Json]) -> None:
        """Read one record."""
        if kind == EventKind.CLOSURE_MADE and facts.get("closure") == self._closure:
            self._made = at, facts
        elif kind in ABOUT_LEASES:
            self._about.setdefault(str(facts.get("lease")), {})[kind] = facts

    @property
    def strangers(self) -> list[str]:
        """The leases in the receipt that the closure does not list; all of them, where the receipt holds no
        closure.
        """
        listed = {one.lease for one in self._listed()}
        return sorted(set(self._about) - listed)

    def read(self) -> ClosureRead | None:
        """Return the result; `None` where the closure record is missing or not of this format."""
        if self._made is None:
            return None
        at, facts = self._made
        try:
            return ClosureRead(
                id=self._closure,
                scope=str(facts["scope"]),
                at=at,
                fence_ms=int(facts["fence_us"]) / 1000,
                tasks=int(facts["tasks"]),
                closings=tuple(self._now(one) for one in self._listed()),
                indeterminate=tuple(str(one) for one in facts["indeterminate"]),
                replicas=tuple((str(name), _ms(us)) for name, us in facts.get("acknowledged", ())),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def _listed(self) -> list[Closing]:
        facts = self._made[1] if self._made is not None else {}
        found = facts.get("closings")
        return [closing_of(one) for one in found if _is_closing(one)] if isinstance(found, list) else []

    def _now(self, closing: Closing) -> Closing:
        """Return a closing updated by later records."""
        about = self._about.get(closing.lease) if closing.lease else None
        if not about:
            return closing
        revoked, dead = about.get(EventKind.LEASE_REVOKED, {}), about.get(EventKind.LEASE_DEAD, {})
        refused_ms, closed = _later(closing.refused_after_ms, dead), about.get(EventKind.LEASE_CLOSED)
        return msgspec.structs.replace(
            closing,
            detail="" if closed is None else f"closed by a person, because {closed.get('reason', '')}",
            by_hand=closed is not None and refused_ms is None,
            revoked_after_ms=_later(closing.revoked_after_ms, revoked),
            refused_after_ms=refused_ms,
            attempts=max(closing.attempts, _whole(dead, "attempts")),
        )


def closing_of(said: list[Json]) -> Closing:
    """Parse a closing from an event."""
    kind, name, refused = said[:_SHORT]
    if len(said) < _LONG:
        return Closing(kind, name, _ms(refused))
    revoked, attempts, lease = said[_SHORT:_LONG]
    return Closing(
        kind, name, _ms(refused), revoked_after_ms=_ms(revoked), attempts=int(attempts), lease=str(lease)
    )


def _is_closing(said: Json) -> bool:
    return (
        isinstance(said, list)
        and len(said) in (_SHORT, _LONG)
        and all(isinstance(one, str) for one in said[:2])
        and all(isinstance(one, int) for one in said[2:5])
    )


def _later(known: float | None, facts: Mapping[str, Json]) -> float | None:
    after_us = _whole(facts, "after_us", -1)
    return known if known is not None or after_us < 0 else after_us / 1000


def _whole(facts: Mapping[str, Json], name: str, otherwise: int = 0) -> int:
    value = facts.get(name, otherwise)
    return value if isinstance(value, int) else otherwise


def _ms(us: int) -> float | None:
    return None if us < 0 else us / 1000
