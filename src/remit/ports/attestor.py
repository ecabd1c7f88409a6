# SPDX-License-Identifier: Apache-2.0
"""Attestors: they judge the evidence that a workload shows, and return what it proves or refuse it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from remit.core.identity.workload import Attested

#: RFC 8693 section 3: a JWT, of whatever kind its issuer makes.
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
#: draft-ietf-oauth-spiffe-client-auth: a JWT-SVID as a client assertion.
JWT_SPIFFE_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"


class ShownAssertion(msgspec.Struct, frozen=True):
    """A signed token that a workload got from its platform; `type` is the URN under which it was shown."""

    token: str
    type: str = JWT_TYPE


class ShownProof(msgspec.Struct, frozen=True):
    """A WIT-SVID, and the proof of possession that its workload signed for a request to `url`."""

    token: str
    proof: str
    url: str


class ShownCertificate(msgspec.Struct, frozen=True):
    """The certificates of a TLS client, leaf first, DER.

    The TLS handshake has proven possession of the leaf's key; nothing else was checked yet.
    """

    chain_der: tuple[bytes, ...]


class ShownPeer(msgspec.Struct, frozen=True):
    """The process at the other end of a Unix socket, as the kernel reported it.

    `executable_digest` is empty where remit may not see the program of another user's process.
    """

    pid: int
    uid: int
    executable_digest: str


Shown = ShownAssertion | ShownProof | ShownCertificate | ShownPeer


class Attestor(Protocol):
    """Judges the evidence that workloads show.

    Safe for many at once on one event loop; a waiting check delays no other. Nothing is durable: after a
    restart it fetches its keys again.
    """

    def judges(self, shown: Shown) -> bool:
        """Return whether this attestor judges the evidence, by form and by unverified issuer or trust domain.

        No I/O, never raises.
        """
        ...

    async def attest(self, shown: Shown) -> Attested:
        """Return what was proven; otherwise raises `Unauthenticated` with a code, within a bounded time.

        Fails closed: unavailable keys, an expired bundle or a claim that is not understood are refusals. The
        attestor does not know agents: the caller checks whether a binding matches.
        """
        ...
