# SPDX-License-Identifier: Apache-2.0
"""Waking replicas by another way than the store: a message to all of one tenant, or to one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Waker(Protocol):
    """Carries short messages between the replicas of one tenant. For one event loop.

    Durability: none. A message may be lost, come twice, late, in any order, to some and not to others, and
    anybody may have made it; whoever hears one judges it. What one replica is handed of others in a second
    is bounded, whatever is sent.
    """

    @property
    def channel(self) -> str:
        """What the messages are sent on, by name."""
        ...

    @property
    def fault(self) -> str:
        """Why nothing comes through now, in words for people; empty where messages are known to come
        through.
        """
        ...

    async def begin(self, ear: str, heard: Callable[[bytes], None], through: Callable[[], None]) -> None:
        """Hear what is for all, and for `ear`; returns at once and goes on trying for as long as it takes.

        `through` is called whenever messages come through from now on, also again.
        """
        ...

    async def send(self, message: bytes, to: str = "") -> None:
        """Send a message to all, or to one ear. Raises nothing; where nothing comes through it is dropped."""
        ...

    async def close(self) -> None:
        """Hear and send nothing any longer."""
        ...
