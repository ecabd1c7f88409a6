# SPDX-License-Identifier: Apache-2.0
"""Step 1, identify, for workloads: whatever one shows is judged by exactly one attestor of the house."""

from __future__ import annotations

from collections.abc import Sequence

from remit.core.errors import Unauthenticated
from remit.core.identity.workload import Attested
from remit.ports.attestor import Attestor, Shown
from remit.ports.issuers import IssuedToken, IssuerUse, SignedToken


class Attestors:
    """All attestors of the house, as one. Which of them judges depends on what is shown, never on the
    outcome: what one refuses is not tried with another.
    """

    def __init__(self, attestors: Sequence[Attestor] = ()) -> None:
        """Take them in order; the first that judges something is the one."""
        self._attestors = tuple(attestors)

    def judges(self, shown: Shown) -> bool:
        """Whether any of them judges it."""
        return any(one.judges(shown) for one in self._attestors)

    async def attest(self, shown: Shown) -> Attested:
        """Return what was proven; raises `Unauthenticated`, with `not-attestable` where none of them judges
        it.
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
    """`ports.issuers.TrustedIssuers` of a house that trusts none."""

    def trusts(self, token: str, use: IssuerUse) -> bool:
        """None is trusted."""
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
