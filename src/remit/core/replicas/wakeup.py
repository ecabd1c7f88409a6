# SPDX-License-Identifier: Apache-2.0
"""What one replica tells the others beside the store, and what shows that a replica has said it.

A wake says "look" and nothing else. What is so stands in the store alone, so one that is lost costs time, and
one that comes twice, late or out of order costs a look at most. It bears a MAC by a key that all replicas of
a house hold, over the channel and the ear that it is for; one that nobody of the house has made costs not
even that.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hmac
from typing import Final

import msgspec

from remit.core.errors import Malformed
from remit.core.replicas.forwarding import replica_key

#: The longest wake in bytes. What is longer is none, and is not looked at.
MOST_BYTES: Final = 1024


class Nudge(enum.StrEnum):
    """Why to look: something was changed that all must know, or an end was acknowledged, which only whoever
    waits for it needs to know.
    """

    CHANGE = "change"
    WORD = "word"


class Wake(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `number`-th wake from the replica `by`, whose own ear is `ear`, under the sealing key `key`; for
    the ear `to`, or for all of them.
    """

    by: str
    ear: str
    number: int
    key: str
    about: Nudge
    to: str = ""


def _mac(sealing: bytes, channel: str, told: bytes) -> bytes:
    return hmac.digest(replica_key(sealing, b"wake"), channel.encode() + b"\n" + told, "sha256")


def written(wake: Wake, sealing: bytes, channel: str) -> bytes:
    """Return a wake as it is sent on a channel."""
    told = base64.urlsafe_b64encode(msgspec.json.encode(wake))
    return told + b"." + base64.urlsafe_b64encode(_mac(sealing, channel, told))


def read(message: bytes) -> Wake:
    """Read what was heard, which shows nothing yet; raises `Malformed`."""
    if len(message) > MOST_BYTES:
        raise Malformed("this is no wake of a replica", code="no-wake")
    try:
        return msgspec.json.decode(base64.b64decode(message.partition(b".")[0], b"-_", True), type=Wake)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        raise Malformed("this is no wake of a replica", code="no-wake") from None


def holds(message: bytes, sealing: bytes, channel: str) -> bool:
    """Whether a replica of this house has said this on this channel."""
    told, _, shown = message.partition(b".")
    return hmac.compare_digest(base64.urlsafe_b64encode(_mac(sealing, channel, told)), shown)
