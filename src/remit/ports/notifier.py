# SPDX-License-Identifier: Apache-2.0
"""Notifying people of something that needs them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec

from remit.core.json_value import Json


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the log that somebody wants to hear of: its readable facts, and nothing that is sealed.

    `id` is the same whenever it is told again.
    """

    id: str
    kind: str
    at: datetime
    facts: dict[str, Json] = {}


class Notifier(Protocol):
    """Tells one addressee. Safe for many at once on one event loop; keeps nothing.

    Durability: when `notify` returns, the addressee has taken it. It may have taken it before as well.
    """

    async def notify(self, notification: Notification) -> None:
        """Tell it; raises `SourceUnavailable` where it should be told again later, and `Malformed` where the
        addressee refuses this one.
        """
        ...
