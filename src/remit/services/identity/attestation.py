# SPDX-License-Identifier: Apache-2.0
"""Step 1, identify, for workloads: exactly one attestor judges the evidence that a workload shows."""

from __future__ import annotations

from collections.abc import Sequence

from remit.core.errors import Unauthenticated
from remit.core.identity.workload import Attested
from remit.ports.attestor import Attestor, Shown
from remit.ports.issuers import IssuedToken, IssuerUse, SignedToken


class Attestors:
    """All configured attestors as one.

    The kind of evidence selects the attestor, never the outcome: evidence that one attestor refuses is not
    tried with another.
    """

    def __init__(self, attestors: Sequence[Attestor] = ()) -> None:
        """Take the attestors in order; the first one that judges a kind of evidence is used for it."""
        self._attestors = tuple(attestors)

    def judges(self, shown: Shown) -> bool:
        """Return whether any attestor judges this evidence."""
        return any(one.judges(shown) for one in self._attestors)

    async def attest(self, shown: Shown) -> Attested:
        """Return what was proven.

        Raises `Unauthenticated`, with code `not-attestable` where no attestor judges the evidence.
        """
        for one in self._attestors:
            if one.judges(shown):
                return await one.attest(shown)
        raise Unauthenticated(
            "no configured verifier accepts this credential",
            code="not-attestable",
            remediation="trust its issuer or its trust domain under `trust:`",
            step=1,
        )


class NoIssuers:
    """`ports.issuers.TrustedIssuers` for a deployment that trusts no issuer."""

    def trusts(self, token: str, use: IssuerUse) -> bool:
        """Return false: no issuer is trusted."""
        return False

    async def verify(
        self, token: str, *, use: IssuerUse, audience: str = "", token_type: str = ""
    ) -> IssuedToken:
        """Refuse."""
        raise _untrusted(use)

    async def signed(self, token: str, *, use: IssuerUse, token_type: str) -> SignedToken:
        """Refuse."""
        raise _untrusted(use)


def _untrusted(use: IssuerUse) -> Unauthenticated:
    return Unauthenticated(
        f"no issuer is trusted for {use.value}",
        code="token-issuer",
        remediation="add it under `trust.issuers`",
        step=1,
    )
