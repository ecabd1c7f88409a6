# SPDX-License-Identifier: Apache-2.0
"""A request that one replica forwards to another, and the proof that a replica forwarded it.

The request is forwarded as the agent made it, with its token and its proof; the task's owner judges these
itself. Facts that the owner cannot observe (the other end of the connection) are in one header, under a MAC
over the whole request. Only the replicas of this service hold the MAC's key: no agent can forge such a
header, and an intercepted one works for no other request, for no other replica, and not a second time.
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
#: The most numbers remembered of a sender; an older number is refused.
WINDOW: Final = 4096

_Header = tuple[bytes, bytes]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the replica that got a request saw of it, and the owner cannot see for itself.

    The sender's address (host and port), and the certificates shown in TLS (DER in base64). `jkt` is the key
    of a DPoP proof that the receiving replica has verified and used up: the proof of an enforcement point
    whose one request asks about tasks of several owners.
    """

    client: tuple[str, int] | None = None
    certificates: tuple[str, ...] = ()
    jkt: str = ""


class ForwardingStep(msgspec.Struct, frozen=True, kw_only=True):
    """One replica's message to another about a request: the `number`-th from `sender`, to `to`, under the
    sealing key `key`.
    """

    sender: str
    to: str
    number: int
    key: str
    seen: Seen = Seen()


def written_chain(chain: Iterable[bytes]) -> tuple[str, ...]:
    """Return certificates in the form that replicas exchange."""
    return tuple(base64.b64encode(one).decode() for one in chain)


def read_chain(chain: Iterable[str]) -> tuple[bytes, ...]:
    """Parse certificates from another replica; raise `Malformed`."""
    try:
        return tuple(base64.b64decode(one, validate=True) for one in chain)
    except binascii.Error:
        raise Malformed("a certificate was not forwarded unchanged", code="passed-on") from None


def carried(headers: Iterable[_Header]) -> list[_Header]:
    """Return the headers that are forwarded from hop to hop."""
    return [(name.lower(), value) for name, value in headers if name.lower() not in HOP]


def replica_key(sealing: bytes, use: bytes) -> bytes:
    """Derive a key that all replicas of this service share, for one use, from the service's sealing key."""
    return hmac.digest(sealing, b"remit replicas " + use, "sha256")


def seal_of(sealing: bytes, replica: str, address: str) -> str:
    """Return a proof that the process which registered a replica with this address holds the keys of this
    service.
    """
    return hmac.digest(replica_key(sealing, b"address"), f"{replica}\n{address}".encode(), "sha256").hex()


def _mac(
    sealing: bytes, passage: bytes, method: str, target: bytes, headers: Sequence[_Header], body: bytes
) -> bytes:
    mac = hmac.new(replica_key(sealing, b"request"), digestmod=hashlib.sha256)
    for part in (passage, method.encode(), target, *(each for header in headers for each in header)):
        # Lengths first, so that no two requests have the same bytes here.
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
    """Return the header's value for a request; `headers` in the form that `carried` returns."""
    told = base64.urlsafe_b64encode(msgspec.json.encode(passage))
    mac = _mac(sealing, told, method, target, headers, body)
    return told + b"." + base64.urlsafe_b64encode(mac)


def read(value: bytes) -> ForwardingStep:
    """Parse a header's value without verifying it; raise `Malformed`."""
    try:
        return msgspec.json.decode(
            base64.b64decode(value.partition(b".")[0], b"-_", True), type=ForwardingStep
        )
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        raise Malformed("only replicas may send this header", code="passed-on") from None


def holds(
    value: bytes, sealing: bytes, method: str, target: bytes, headers: Sequence[_Header], body: bytes
) -> bool:
    """Return whether a replica of this service has written a header's value for this very request."""
    told, _, shown = value.partition(b".")
    mac = _mac(sealing, told, method, target, headers, body)
    return hmac.compare_digest(base64.urlsafe_b64encode(mac), shown)


class Numbers:
    """The numbers seen from one sender. Numbers may come in any order; each is valid once."""

    def __init__(self) -> None:
        """Start with no number seen."""
        self._highest = 0
        self._met = 0  # bit n: the number n below the highest

    def fresh(self, number: int) -> bool:
        """Return whether a number is new, and record it."""
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
