# SPDX-License-Identifier: Apache-2.0
"""Attestors: what a workload shows becomes what it proved, or is refused."""

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


class ShownCertificate(msgspec.Struct, frozen=True):
    """The certificates of a TLS client, leaf first, DER; the TLS handshake has proven that it holds the
    leaf's key, and nothing else was checked yet.
    """

    chain_der: tuple[bytes, ...]


class ShownPeer(msgspec.Struct, frozen=True):
    """The process at the other end of a Unix socket, as the kernel told when it was asked.

    `executable_digest` is empty where remit may not see the program of another user's process.
    """

    pid: int
    uid: int
    executable_digest: str


Shown = ShownAssertion | ShownCertificate | ShownPeer


class Attestor(Protocol):
    """Judges what workloads show. Safe for many at once on one event loop; one that waits delays nobody
    else. Nothing is durable: after a restart it learns its keys again.
    """

    def judges(self, shown: Shown) -> bool:
        """Whether this is for it to judge, by form and by unverified issuer or trust domain. No I/O, never
        raises.
        """
        ...

    async def attest(self, shown: Shown) -> Attested:
        """Return what was proven; raises `Unauthenticated` with a code, and within a bounded time, otherwise.

        Fails closed: keys that cannot be had, a bundle that has expired or a claim that is not understood
        refuse. It does not know agents: whether a binding matches is for the caller to see.
        """
        ...
