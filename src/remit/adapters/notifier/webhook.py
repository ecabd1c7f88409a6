# SPDX-License-Identifier: Apache-2.0
"""`ports.notifier.Notifier` by webhooks, signed as in Standard Webhooks 1.0 (`v1`: HMAC-SHA256)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from typing import Final

import msgspec

from remit.core.errors import ConfigInvalid, Malformed, SourceUnavailable
from remit.core.evidence.event import timestamp
from remit.ports.delivery import Deliver
from remit.ports.notifier import Notification
from remit.ports.runtime import Clock

PREFIX: Final = "whsec_"
#: Standard Webhooks: a secret has 24 to 64 bytes.
SIZES: Final = (24, 64)
#: Statuses that refuse this message, rather than report the receiver's state.
_REFUSES: Final = frozenset({400, 413, 415, 422})


class SignedPost:
    """`ports.notifier.SignedDelivery` by POST; `webhook-id` reveals a repetition, the timestamp its age."""

    def __init__(self, secret: Callable[[], str], *, deliver: Deliver, clock: Clock) -> None:
        """Take `secret`, which returns the secret each time."""
        self._secret = secret
        self._deliver = deliver
        self._clock = clock

    async def deliver(self, url: str, message_id: str, body: bytes) -> None:
        """Send a signed message."""
        sent = str(int(self._clock.now().timestamp()))
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": sent,
            "webhook-signature": signature(self._secret(), message_id, sent, body),
        }
        answer = await self._deliver.post(
            url, body, media="application/json", headers=headers, max_bytes=65_536
        )
        if answer.status in _REFUSES:
            raise Malformed(f"it answered {answer.status}", code=f"http-{answer.status}")
        if not 200 <= answer.status < 300:
            raise SourceUnavailable(f"it answered {answer.status}", code="push-refused")


class Webhook:
    """Sends each notification to one address."""

    def __init__(self, url: str, secret: Callable[[], str], *, deliver: Deliver, clock: Clock) -> None:
        """Take the address, and `secret`, which returns the secret each time."""
        self._url = url
        self._post = SignedPost(secret, deliver=deliver, clock=clock)

    async def notify(self, notification: Notification) -> None:
        """Send a signed notification."""
        body = {
            "type": notification.kind,
            "timestamp": timestamp(notification.at),
            "data": notification.facts | ({"link": notification.link} if notification.link else {}),
        }
        await self._post.deliver(self._url, notification.id, msgspec.json.encode(body))


def signature(secret: str, message_id: str, sent: str, body: bytes) -> str:
    """Return the value of `webhook-signature`; raise `ConfigInvalid` for an invalid secret."""
    signed = f"{message_id}.{sent}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode()}"


def key_of(secret: str) -> bytes:
    """Return the key that a secret encodes, with or without its prefix."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not SIZES[0] <= len(key) <= SIZES[1]:
        raise ConfigInvalid(
            "a webhook's secret is base64 of 24 to 64 bytes",
            remediation=f"make one: `{PREFIX}` and the output of `openssl rand -base64 32`",
        )
    return key
