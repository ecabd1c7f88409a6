# SPDX-License-Identifier: Apache-2.0
"""Replicas: the processes that serve one store, the leases that permit it, and the detection of silent
replicas.

Each serving process is one *incarnation*: a random id, never a name. Its lease runs from the moment at which
a renewal was *sent*, on the holder's boot-time clock. An observer counts from the moment at which it *saw*
the renewal, on its own clock. Clocks of two machines are never compared. The only assumption is that no clock
runs faster than another by more than `DRIFT`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

import msgspec

#: The most that one machine's clock may gain on another's, per second.
DRIFT = 0.01
#: After this many leases without a sign, a replica counts as gone, and others may take over its tasks.
SILENT_LEASES = 2.0
_SOCKET = "unix:"
_NUMBER = re.compile(r"\.worker-(\d+)\.sock\Z")


def address_at(path: str) -> str:
    """Return the address of a worker that others of its machine reach at a Unix socket."""
    return _SOCKET + path


def socket_of(address: str) -> str:
    """Return the path of the Unix socket that an address names; empty for one that is reached by TCP."""
    return address.removeprefix(_SOCKET) if address.startswith(_SOCKET) else ""


def worker_of(address: str) -> str:
    """Return the number of the worker with an address; empty for a replica that is no worker."""
    found = _NUMBER.search(socket_of(address))
    return found[1] if found is not None else ""


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """One incarnation as the store has it. `renewed` counts its renewals; `address` is where others reach it.

    `seal` shows that who made it holds the keys of this gateway. `bundle` is the digest that it decides by,
    `version` which remit it runs: its own word, for people. `records` says that it records rows of state.
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
    records: bool = False


class Acknowledgement(msgspec.Struct, frozen=True):
    """One replica's acknowledgement of an ending: the milliseconds until its fence was raised.

    `None`: the replica did not answer, and its lease was waited out; from then on it refuses by itself.
    """

    replica: str
    host: str
    after_ms: float | None


class OwnLease:
    """The replica's own lease. Without it nothing may be permitted, sent or released."""

    def __init__(self, lease_s: float) -> None:
        """Start without a lease."""
        self.lease_s = lease_s
        self.until_s = 0.0

    def renewed(self, sent_s: float) -> None:
        """Record a committed renewal that was sent at `sent_s`; everything that had ended by then is known.

        INVARIANT: the lease counts from the time of sending; answers may come late and in any order.
        """
        self.until_s = max(self.until_s, sent_s + self.lease_s)

    def holds(self, now_s: float) -> bool:
        """Return whether the replica may act at `now_s`."""
        return now_s < self.until_s

    def give_up(self) -> None:
        """Drop the lease: act no longer."""
        self.until_s = 0.0


def outlived_s(lease_s: float) -> float:
    """Return the seconds on the local clock after which another's lease has surely expired on its holder's
    clock.
    """
    return lease_s * (1 + DRIFT)


def longest_s(replicas: Iterable[Replica]) -> float:
    """Return the longest lease of some replicas; 0 where there are none."""
    return max((one.lease_s for one in replicas), default=0.0)


class Watch:
    """One replica's view of the others: since when each has been silent, by the local clock."""

    def __init__(self) -> None:
        """Start with no replica seen."""
        self._seen: dict[str, tuple[int, float]] = {}

    def saw(self, replicas: Iterable[Replica], now_s: float) -> None:
        """Record the state of the others, as read by `now_s`; replicas missing from it are forgotten."""
        self._seen = {
            one.id: self._seen[one.id]
            if one.id in self._seen and self._seen[one.id][0] == one.renewed
            else (one.renewed, now_s)
            for one in replicas
        }

    def forget(self) -> None:
        """Start again: a replica that could not look knows nothing of the others' silence."""
        self._seen.clear()

    def age_s(self, replica: str, now_s: float) -> float | None:
        """Return how long a replica has been silent; `None` for one that was never seen."""
        seen = self._seen.get(replica)
        return now_s - seen[1] if seen else None

    def silent(self, replicas: Iterable[Replica], now_s: float) -> list[Replica]:
        """Return the replicas whose lease has long expired."""
        return [
            one
            for one in replicas
            if (age := self.age_s(one.id, now_s)) is not None
            and age >= SILENT_LEASES * outlived_s(one.lease_s)
        ]
