# SPDX-License-Identifier: Apache-2.0
"""Notifications to people about events that need them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec

from remit.core.json_value import Json


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the log for a subscriber: its readable facts, without sealed values.

    `id` stays the same when the notification is repeated. Of a question, `until` is when it ends, and `link`
    leads an approver to it.
    """

    id: str
    kind: str
    at: datetime
    facts: dict[str, Json] = {}
    until: datetime | None = None
    link: str = ""


class SignedDelivery(Protocol):
    """Delivers signed messages. Safe for many at once on one event loop; keeps nothing.

    Durability and errors: as `Notifier`.
    """

    async def deliver(self, url: str, message_id: str, body: bytes) -> None:
        """Deliver a JSON document to an address that the configuration names."""
        ...


class Notifier(Protocol):
    """Notifies one addressee. Safe for many at once on one event loop; keeps nothing.

    Durability: when `notify` returns, the addressee has accepted the notification, possibly more than once.
    """

    async def notify(self, notification: Notification) -> None:
        """Send a notification.

        Raises `SourceUnavailable` where it should be sent again later, and `Malformed` where the addressee
        refuses this one.
        """
        ...
