# SPDX-License-Identifier: Apache-2.0
"""Ends as events, for whatever keeps something for a task: each listener adds itself when it is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

LetGo = Callable[[str], int]
"""Closes what is kept open for a task, and gives how many that were."""


@dataclass(frozen=True, slots=True)
class EndEvents:
    """Who is told of ends."""

    #: Awaited with the id of each task that ends: sessions and the state of upstreams are let go there.
    ended: list[Callable[[str], Awaitable[None]]] = field(default_factory=list)
    #: What is closed for a task that ends, with the kind as which its closure lists it.
    kept: list[tuple[str, LetGo]] = field(default_factory=list)
    #: Awaited before what others have left is recovered: ends that were cut short are completed there.
    recovering: list[Callable[[], Awaitable[object]]] = field(default_factory=list)
