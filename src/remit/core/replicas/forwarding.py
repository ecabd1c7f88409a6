# SPDX-License-Identifier: Apache-2.0
"""A request that one replica passes on to another, and what shows that it did.

The request goes on as the agent made it, with its token and its proof: who owns the task judges them itself.
What the owner cannot see for itself (the other end of the connection) stands in one header, under a MAC over
the whole request. The key is one that all replicas of a house hold and nobody else: no agent can write one,
and none that was seen serves for another request, another replica, or a second time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from remit.core.errors import Malformed

HEADER: Final = b"remit-passed-on"
#: Headers that govern one connection or frame one message: each hop writes its own.
HOP: Final = frozenset(
    (
        b"accept-encoding", b"connection", b"content-length", b"expect", b"host", b"keep-alive",
        b"proxy-authorization", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
        HEADER,
    )
)  # fmt: skip
#: Numbers of a sender that are remembered; one that is older is refused.
WINDOW: Final = 4096

_Header = tuple[bytes, bytes]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the replica that got a request saw of it, and the owner cannot see for itself.

    From whom it came (host and port), and the certificates shown in TLS (DER in base64). `jkt`
    is the key of a DPoP proof that was judged, and used up, where the request was received: of an
    enforcement point whose one request asks about tasks of several owners.
    """

    client: tuple[str, int] | None = None
    certificates: tuple[str, ...] = ()
    jkt: str = ""


class ForwardingStep(msgspec.Struct, frozen=True, kw_only=True):
    """What one replica tells another of a request: the `number`-th from `sender`, to `to`, under the sealing
    key `key`.
    """

    sender: str
    to: str
    number: int
    key: str
    seen: Seen = Seen()


def written_chain(chain: Iterable[bytes]) -> tuple[str, ...]:
    """Return certificates as they are told of."""
    return tuple(base64.b64encode(one).decode() for one in chain)


def read_chain(chain: Iterable[str]) -> tuple[bytes, ...]:
    """Return certificates that were told of; raises `Malformed`."""
    try:
        return tuple(base64.b64decode(one, validate=True) for one in chain)
    except binascii.Error:
        raise Malformed("a certificate was not forwarded unchanged", code="passed-on") from None


def carried(headers: Iterable[_Header]) -> list[_Header]:
    """Return the headers that go on from hop to hop."""
    return [(name.lower(), value) for name, value in headers if name.lower() not in HOP]


def replica_key(sealing: bytes, use: bytes) -> bytes:
    """Derive a key that the replicas of a house have, for one use, from the house's sealing key."""
    return hmac.digest(sealing, b"remit replicas " + use, "sha256")


def seal_of(sealing: bytes, replica: str, address: str) -> str:
    """Show that whoever entered a replica with this address holds the keys of this house."""
    return hmac.digest(replica_key(sealing, b"address"), f"{replica}\n{address}".encode(), "sha256").hex()


def _mac(
    sealing: bytes, passage: bytes, method: str, target: bytes, headers: Sequence[_Header], body: bytes
) -> bytes:
    mac = hmac.new(replica_key(sealing, b"request"), digestmod=hashlib.sha256)
    for part in (passage, method.encode(), target, *(each for header in headers for each in header)):
        # Lengths first: no two requests have the same bytes here.
        mac.update(len(part).to_bytes(8, "big"))
        mac.update(part)
    mac.update(hashlib.sha256(body).digest())
    return mac.digest()


def written(
    passage: ForwardingStep,
    sealing: bytes,
    method: str,
    target: bytes,
    headers: Sequence[_Header],
    body: bytes,
) -> bytes:
    """Return the header's value for a request; `headers` as `carried` gives them."""
    told = base64.urlsafe_b64encode(msgspec.json.encode(passage))
    mac = _mac(sealing, told, method, target, headers, body)
    return told + b"." + base64.urlsafe_b64encode(mac)


def read(value: bytes) -> ForwardingStep:
    """Read a header's value, which shows nothing yet; raises `Malformed`."""
    try:
        return msgspec.json.decode(
            base64.b64decode(value.partition(b".")[0], b"-_", True), type=ForwardingStep
        )
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise Malformed("only replicas may send this header", code="passed-on") from None


def holds(
    value: bytes, sealing: bytes, method: str, target: bytes, headers: Sequence[_Header], body: bytes
) -> bool:
    """Whether a replica of this house has written a header's value for this very request."""
    told, _, shown = value.partition(b".")
    mac = _mac(sealing, told, method, target, headers, body)
    return hmac.compare_digest(base64.urlsafe_b64encode(mac), shown)


class Numbers:
    """Which numbers of one sender were met. In whatever order they come, each is good once."""

    def __init__(self) -> None:
        """Begin with none met."""
        self._highest = 0
        self._met = 0  # bit n: the number n below the highest

    def fresh(self, number: int) -> bool:
        """Whether a number was not met before; it is from now on."""
        if number <= 0 or number <= self._highest - WINDOW:
            return False
        if number > self._highest:
            self._met = (self._met << min(number - self._highest, WINDOW)) & ((1 << WINDOW) - 1) | 1
            self._highest = number
            return True
        bit = 1 << (self._highest - number)
        if self._met & bit:
            return False
        self._met |= bit
        return True
