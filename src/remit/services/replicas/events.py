# SPDX-License-Identifier: Apache-2.0
"""What a replica sees of the others, for the services that act on it: each adds itself when it is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from remit.core.scope import Raised
from remit.ports.store.replicas import FenceAck, FleetSight


class FenceReaction(Protocol):
    """The reaction of a replica to fences that others have raised."""

    def __call__(self, raised: tuple[Raised, ...]) -> tuple[list[FenceAck], list[Awaitable[FenceAck]]]:
        """Cut the calls under the fences at once; return the acknowledgements due now and those due later."""
        ...


def _no_reaction(raised: tuple[Raised, ...]) -> tuple[list[FenceAck], list[Awaitable[FenceAck]]]:
    del raised
    return [], []


@dataclass(slots=True)
class ReplicaEvents:
    """Who acts on it. `react` is one service alone: its answer goes to the replica that raised the fence."""

    react: FenceReaction = _no_reaction
    #: Called with each look at the others.
    changed: list[Callable[[FleetSight], None]] = field(default_factory=list)
    #: Awaited when this replica was taken for gone, before it comes back.
    lost: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    #: Awaited with the id of each replica that is there no longer.
    gone: list[Callable[[str], Awaitable[None]]] = field(default_factory=list)
