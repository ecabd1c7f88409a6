# SPDX-License-Identifier: Apache-2.0
"""Replicas: the processes that serve one store, the leases under which they may, and how the silent are told.

Each process that serves is one *incarnation*: a random id, never a name. Its lease runs from when a renewal
was *sent*, on the holder's boot-time clock; who looks at it counts from when a renewal was *seen*, on a
clock of its own. Nobody compares two machines' clocks: all that is assumed of them is that none runs faster
than another by more than `DRIFT`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

#: By how much one machine's clock may run faster than another's, in one second of it.
DRIFT = 0.01
#: After so many leases without a sign a replica is taken for gone, and what it owned is free for others.
SILENT_LEASES = 2.0


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """One incarnation as the store has it. `renewed` counts its renewals; `address` is where others reach it.

    `seal` shows that who made it holds the keys of this house. `bundle` is the digest that it decides by,
    `version` which remit it runs: its own word, for people.
    """

    id: str
    host: str
    address: str = ""
    lease_s: float = 1.0
    joined: datetime
    renewed: int = 0
    bundle: str = ""
    seal: str = ""
    version: str = ""


class Acknowledgement(msgspec.Struct, frozen=True):
    """What one replica made of an end: after how many milliseconds its fence stood.

    `None`: it did not answer, and its lease was waited out; from then on it refuses by itself.
    """

    replica: str
    host: str
    after_ms: float | None


class OwnLease:
    """One's own lease. Without it nothing may be permitted, sent or released."""

    def __init__(self, lease_s: float) -> None:
        """Begin without one."""
        self.lease_s = lease_s
        self.until_s = 0.0

    def renewed(self, sent_s: float) -> None:
        """A renewal that was sent at `sent_s` has been committed, and all that was ended by then is known.

        INVARIANT: counted from when it was sent; answers may come late and in any order.
        """
        self.until_s = max(self.until_s, sent_s + self.lease_s)

    def holds(self, now_s: float) -> bool:
        """Whether one may act at `now_s`."""
        return now_s < self.until_s

    def give_up(self) -> None:
        """Act no longer."""
        self.until_s = 0.0


def outlived_s(lease_s: float) -> float:
    """Return the seconds of one's own clock after which a lease of another has run out on its holder's."""
    return lease_s * (1 + DRIFT)


def longest_s(replicas: Iterable[Replica]) -> float:
    """Return the longest lease of some replicas; 0 where there are none."""
    return max((one.lease_s for one in replicas), default=0.0)


class Watch:
    """What one replica has seen of the others: since when each has been silent, by its own clock."""

    def __init__(self) -> None:
        """Begin with nobody seen."""
        self._seen: dict[str, tuple[int, float]] = {}

    def saw(self, replicas: Iterable[Replica], now_s: float) -> None:
        """Take in how the others stand, as read by `now_s`; those that are not among them are forgotten."""
        self._seen = {
            one.id: self._seen[one.id]
            if one.id in self._seen and self._seen[one.id][0] == one.renewed
            else (one.renewed, now_s)
            for one in replicas
        }

    def forget(self) -> None:
        """Begin again: who could not look knows nothing of others' silence."""
        self._seen.clear()

    def age_s(self, replica: str, now_s: float) -> float | None:
        """Return for how long a replica has been silent; `None` of one that was never seen."""
        seen = self._seen.get(replica)
        return now_s - seen[1] if seen else None

    def silent(self, replicas: Iterable[Replica], now_s: float) -> list[Replica]:
        """Return those that have let their lease run out, by far."""
        return [
            one
            for one in replicas
            if (age := self.age_s(one.id, now_s)) is not None
            and age >= SILENT_LEASES * outlived_s(one.lease_s)
        ]
