# SPDX-License-Identifier: Apache-2.0
"""Attests workloads by a token of their platform: Kubernetes, GitHub Actions, a cloud, any OIDC issuer."""

from __future__ import annotations

from remit.core.errors import Unauthenticated
from remit.core.identity.workload import AttestationMethod, Attested, issuer_workload
from remit.ports.attestor import JWT_TYPE, Shown, ShownAssertion
from remit.ports.issuers import IssuerUse, TrustedIssuers


class OidcAttestor:
    """`ports.attestor.Attestor` for the issuers that are trusted for workloads."""

    def __init__(self, issuers: TrustedIssuers) -> None:
        """Take the issuers."""
        self._issuers = issuers

    def judges(self, shown: Shown) -> bool:
        """Return whether the evidence is a JWT of an issuer that is trusted for workloads."""
        return (
            isinstance(shown, ShownAssertion)
            and shown.type == JWT_TYPE
            and self._issuers.trusts(shown.token, IssuerUse.WORKLOADS)
        )

    async def attest(self, shown: Shown) -> Attested:
        """Return issuer, subject and claims of a valid token; raise `Unauthenticated`."""
        if not isinstance(shown, ShownAssertion) or shown.type != JWT_TYPE:
            raise Unauthenticated("this is not an issuer's token", code="not-attestable", step=1)
        token = await self._issuers.verify(shown.token, use=IssuerUse.WORKLOADS)
        return Attested(
            workload=issuer_workload(token.issuer, token.subject),
            method=AttestationMethod.OIDC,
            # A token can be copied: whatever its issuer, it is a bearer token until a key is proven with it.
            assurance=AttestationMethod.OIDC.assurance,
            facts=token.claims,
            instance=token.instance,
            token_id=token.token_id,
            expires=token.expires,
            posture=token.posture,
        )
